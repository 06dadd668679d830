// Judges a validator's certificate files before anything relies on them.
//
// gRPC takes files that cannot work without a word and then refuses every handshake.
#ifndef VIGIL_NODE_APP_CERTIFICATES_H_
#define VIGIL_NODE_APP_CERTIFICATES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "node/peer/tls.h"

namespace vigil::node {

// A certificate that ends within so many days is told of.
inline constexpr int kCertificateDaysWarned = 14;

struct CertificateVerdict {
  absl::Status status;                // kInvalidArgument naming the file and the remedy, or OK.
  std::string key;                    // Configuration key of the file at fault: "tls.ca" ...
  std::vector<std::string> warnings;  // Of certificates that end soon.
};

// Whether the three files are PEM and fit together: the key is the certificate's, the CA issued it,
// both are valid at `now_unix_seconds`, and the certificate bears the SPIFFE id of the validator
// `identity` ("org/name").
CertificateVerdict CheckCertificates(const TlsFiles& files, absl::string_view identity,
                                     int64_t now_unix_seconds);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_CERTIFICATES_H_
