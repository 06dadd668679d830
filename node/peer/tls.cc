#include "node/peer/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"

namespace vigil::node {
namespace {

namespace experimental = grpc::experimental;

constexpr unsigned kRereadSeconds = 1;

std::shared_ptr<experimental::CertificateProviderInterface> Provider(const TlsFiles& files) {
  return std::make_shared<experimental::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.ca, kRereadSeconds);
}

// Accepts a certificate, already verified against the CA, that bears one SPIFFE id.
class SpiffeVerifier final : public experimental::ExternalCertificateVerifier {
 public:
  explicit SpiffeVerifier(std::string expected_id) : expected_id_(std::move(expected_id)) {}

  bool Verify(experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/, grpc::Status* sync_status) override {
    for (const grpc::string_ref& uri : request->uri_names()) {
      if (absl::string_view(uri.data(), uri.size()) == expected_id_) {
        *sync_status = grpc::Status::OK;
        return true;
      }
    }
    *sync_status =
        grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                     absl::StrCat("the server's certificate does not bear ", expected_id_));
    return true;
  }
  void Cancel(experimental::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  const std::string expected_id_;
};

absl::Status CheckReadable(absl::string_view what, const std::string& path) {
  if (path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no ", what, " file is configured"));
  }
  if (!std::ifstream(path).good()) {
    return absl::NotFoundError(absl::StrCat(what, " file cannot be read: ", path));
  }
  return absl::OkStatus();
}

}  // namespace

void PinTls13() { setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES128-GCM-SHA256", /*replace=*/1); }

absl::Status CheckTlsFiles(const TlsFiles& files) {
  RETURN_IF_ERROR(CheckReadable("CA certificate", files.ca));
  RETURN_IF_ERROR(CheckReadable("certificate", files.certificate));
  return CheckReadable("certificate's key", files.key);
}

std::shared_ptr<grpc::ServerCredentials> ServerTls(const TlsFiles& files) {
  experimental::TlsServerCredentialsOptions options(Provider(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return experimental::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ChannelTls(const TlsFiles& files,
                                                     absl::string_view expected_id) {
  experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Provider(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      experimental::ExternalCertificateVerifier::Create<SpiffeVerifier>(std::string(expected_id)));
  return experimental::TlsCredentials(options);
}

std::string ValidatorSpiffeId(absl::string_view identity) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(identity, '/');
  return absl::StrCat("spiffe://", parts.first, "/validator/", parts.second);
}

std::string ValidatorOfCaller(const grpc::AuthContext& context) {
  for (const grpc::string_ref& property : context.FindPropertyValues("peer_spiffe_id")) {
    absl::string_view id(property.data(), property.size());
    if (!absl::ConsumePrefix(&id, "spiffe://")) continue;
    const std::vector<absl::string_view> parts = absl::StrSplit(id, '/');
    if (parts.size() == 3 && parts[1] == "validator") return absl::StrCat(parts[0], "/", parts[2]);
  }
  return "";
}

Hash CertificateHash(absl::string_view pem) {
  const std::vector<absl::string_view> begun =
      absl::StrSplit(pem, absl::MaxSplits("-----BEGIN CERTIFICATE-----", 1));
  if (begun.size() != 2) return Hash();
  const std::vector<absl::string_view> ended =
      absl::StrSplit(begun[1], absl::MaxSplits("-----END CERTIFICATE-----", 1));
  std::string der;
  if (ended.size() != 2 || !absl::Base64Unescape(ended[0], &der)) return Hash();
  return ledger::Sha256(AsBytes(der));
}

Hash CertificateHashOfFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return CertificateHash(text.str());
}

Hash CertificateHashOfCaller(const grpc::AuthContext& context) {
  for (const grpc::string_ref& pem : context.FindPropertyValues("x509_pem_cert")) {
    return CertificateHash(absl::string_view(pem.data(), pem.size()));
  }
  return Hash();
}

}  // namespace vigil::node
