// mTLS credentials for gRPC: X.509 is transport only, identity is the certificate's SPIFFE id.
//
// Certificates are reread every second, so rotating one needs no restart. TLS 1.3 only: call
// PinTls13() before the first use of gRPC in the process.
#ifndef VIGIL_NODE_PEER_TLS_H_
#define VIGIL_NODE_PEER_TLS_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"

namespace vigil::node {

// PEM files.
struct TlsFiles {
  std::string ca;
  std::string certificate;
  std::string key;
};

// Sets GRPC_SSL_CIPHER_SUITES so that only TLS 1.3 is left with ECDSA or Ed25519 certificates
// (gRPC 1.51 has no option for a minimum version).
void PinTls13();

// Errors: kNotFound or kInvalidArgument naming the file that cannot be read.
absl::Status CheckTlsFiles(const TlsFiles& files);

// Demands and verifies a client certificate issued by `files.ca`.
std::shared_ptr<grpc::ServerCredentials> ServerTls(const TlsFiles& files);

// Accepts only a server whose certificate bears the SPIFFE id `expected_id`; its host name does not
// matter.
std::shared_ptr<grpc::ChannelCredentials> ChannelTls(const TlsFiles& files,
                                                     absl::string_view expected_id);

// "spiffe://<org>/validator/<name>" for the identity "<org>/<name>".
std::string ValidatorSpiffeId(absl::string_view identity);

// "org/name" of the caller if its certificate bears a validator's SPIFFE id, else empty.
std::string ValidatorOfCaller(const grpc::AuthContext& context);

// SHA-256 of the first certificate (DER) in a PEM text; zero when there is none.
Hash CertificateHash(absl::string_view pem);
// Of the certificate in a file; zero when there is none.
Hash CertificateHashOfFile(const std::string& path);
// Of the caller's certificate; zero without one.
Hash CertificateHashOfCaller(const grpc::AuthContext& context);

}  // namespace vigil::node

#endif  // VIGIL_NODE_PEER_TLS_H_
