// Issues X.509 certificates for a local network. With certificates.h the one place with OpenSSL's
// X.509.
//
// Certificates are transport only (design: trust.md section 1); production networks bring their
// own CA. ECDSA P-256, valid for ten years from a day ago.
#ifndef VIGIL_NODE_APP_PKI_H_
#define VIGIL_NODE_APP_PKI_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vigil::node {

// Both PEM.
struct CertifiedKey {
  std::string certificate;
  std::string key;
};

// A self-signed CA named `common_name`.
absl::StatusOr<CertifiedKey> MakeAuthority(absl::string_view common_name);

struct CertificateRequest {
  std::string common_name;
  std::string spiffe_id;  // URI subject alternative name.
  std::vector<std::string> ip_addresses;
  std::vector<std::string> dns_names;
};
// Usable by client and server.
// Errors: kInvalidArgument when the authority's PEM or an address does not parse.
absl::StatusOr<CertifiedKey> IssueCertificate(const CertifiedKey& authority,
                                              const CertificateRequest& request);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_PKI_H_
