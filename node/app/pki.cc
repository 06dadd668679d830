#include "node/app/pki.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Free<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;

constexpr long kDaySeconds = 24 * 3600;
constexpr int kSerialBits = 127;

absl::Status OpenSslError(absl::string_view what) {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof(text));
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", text));
}

std::string BioText(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

absl::StatusOr<CertifiedKey> ToPem(X509* certificate, EVP_PKEY* key) {
  const BioPtr certificate_bio(BIO_new(BIO_s_mem()));
  const BioPtr key_bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_bio.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return OpenSslError("writing a certificate");
  }
  return CertifiedKey{.certificate = BioText(certificate_bio.get()), .key = BioText(key_bio.get())};
}

absl::Status AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return OpenSslError(absl::StrCat("certificate extension '", value, "'"));
  }
  return absl::OkStatus();
}

absl::Status SetSerial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Free<BN_free>> serial(BN_new());
  if (BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return OpenSslError("certificate serial");
  }
  return absl::OkStatus();
}

// An unsigned certificate for `key`, named and dated.
absl::StatusOr<CertificatePtr> Draft(EVP_PKEY* key, absl::string_view common_name,
                                     X509_NAME* issuer) {
  CertificatePtr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  RETURN_IF_ERROR(SetSerial(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3650 * kDaySeconds);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const std::string name(common_name);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const uint8_t*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
  X509_set_issuer_name(certificate.get(), issuer == nullptr ? subject : issuer);
  if (X509_set_pubkey(certificate.get(), key) != 1) return OpenSslError("certificate key");
  return certificate;
}

absl::Status SignWith(X509* certificate, EVP_PKEY* key) {
  return X509_sign(certificate, key, EVP_sha256()) > 0 ? absl::OkStatus()
                                                       : OpenSslError("signing a certificate");
}

}  // namespace

absl::StatusOr<CertifiedKey> MakeAuthority(absl::string_view common_name) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslError("making a key");
  ASSIGN_OR_RETURN(const CertificatePtr certificate, Draft(key.get(), common_name, nullptr));
  RETURN_IF_ERROR(AddExtension(certificate.get(), certificate.get(), NID_basic_constraints,
                               "critical,CA:TRUE,pathlen:0"));
  RETURN_IF_ERROR(AddExtension(certificate.get(), certificate.get(), NID_key_usage,
                               "critical,keyCertSign,cRLSign"));
  RETURN_IF_ERROR(
      AddExtension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash"));
  RETURN_IF_ERROR(SignWith(certificate.get(), key.get()));
  return ToPem(certificate.get(), key.get());
}

absl::StatusOr<CertifiedKey> IssueCertificate(const CertifiedKey& authority,
                                              const CertificateRequest& request) {
  const BioPtr certificate_bio(BIO_new_mem_buf(authority.certificate.data(),
                                               static_cast<int>(authority.certificate.size())));
  const BioPtr key_bio(
      BIO_new_mem_buf(authority.key.data(), static_cast<int>(authority.key.size())));
  const CertificatePtr issuer(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
  const KeyPtr issuer_key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  if (issuer == nullptr || issuer_key == nullptr) return OpenSslError("reading the authority");

  const KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslError("making a key");
  ASSIGN_OR_RETURN(const CertificatePtr certificate,
                   Draft(key.get(), request.common_name, X509_get_subject_name(issuer.get())));
  std::vector<std::string> names = {absl::StrCat("URI:", request.spiffe_id)};
  for (const std::string& address : request.ip_addresses)
    names.push_back(absl::StrCat("IP:", address));
  for (const std::string& name : request.dns_names) names.push_back(absl::StrCat("DNS:", name));
  RETURN_IF_ERROR(AddExtension(certificate.get(), issuer.get(), NID_subject_alt_name,
                               absl::StrJoin(names, ",")));
  RETURN_IF_ERROR(
      AddExtension(certificate.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  RETURN_IF_ERROR(
      AddExtension(certificate.get(), issuer.get(), NID_key_usage, "critical,digitalSignature"));
  RETURN_IF_ERROR(
      AddExtension(certificate.get(), issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth"));
  RETURN_IF_ERROR(
      AddExtension(certificate.get(), issuer.get(), NID_authority_key_identifier, "keyid"));
  RETURN_IF_ERROR(SignWith(certificate.get(), issuer_key.get()));
  return ToPem(certificate.get(), key.get());
}

}  // namespace vigil::node
