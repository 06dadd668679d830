#include "node/app/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vigil::node {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Free<X509_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using ContextPtr = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;

constexpr int64_t kDaySeconds = 24 * 3600;

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A file with a passphrase cannot be used by a server that starts by itself.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*argument*/) { return -1; }

std::vector<CertificatePtr> CertificatesIn(const std::string& pem) {
  std::vector<CertificatePtr> found;
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    found.emplace_back(one);
  }
  ERR_clear_error();
  return found;
}

KeyPtr KeyIn(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  return key;
}

// From `now_unix_seconds` until `time`; negative when that is past.
int64_t SecondsUntil(const ASN1_TIME* time, int64_t now_unix_seconds) {
  const std::unique_ptr<ASN1_TIME, Free<ASN1_TIME_free>> now(
      ASN1_TIME_set(nullptr, now_unix_seconds));
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, now.get(), time) != 1) return -kDaySeconds;
  return int64_t{days} * kDaySeconds + seconds;
}

std::vector<std::string> UrisOf(const X509* certificate) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> uris;
  if (names == nullptr) return uris;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      static_cast<size_t>(ASN1_STRING_length(uri)));
  }
  return uris;
}

// Empty when the CA's certificates lead to `chain`, else why not.
std::string WhyNotIssued(const std::vector<CertificatePtr>& authorities,
                         const std::vector<CertificatePtr>& chain, int64_t now_unix_seconds) {
  const StorePtr store(X509_STORE_new());
  for (const CertificatePtr& authority : authorities) {
    X509_STORE_add_cert(store.get(), authority.get());
  }
  STACK_OF(X509)* between = sk_X509_new_null();
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(between, chain[i].get());
  const ContextPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), chain[0].get(), between);
  X509_STORE_CTX_set_time(context.get(), 0, static_cast<time_t>(now_unix_seconds));
  std::string why;
  if (X509_verify_cert(context.get()) != 1) {
    why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
  }
  sk_X509_free(between);  // The certificates are the chain's.
  ERR_clear_error();
  return why;
}

class Checker {
 public:
  Checker(const TlsFiles& files, absl::string_view identity, int64_t now_unix_seconds)
      : files_(files), identity_(identity), now_(now_unix_seconds) {}

  CertificateVerdict Check() {
    const std::vector<CertificatePtr> authorities = CertificatesIn(ReadText(files_.ca));
    if (authorities.empty()) return Refused("tls.ca", files_.ca, "holds no certificate in PEM");
    const std::vector<CertificatePtr> chain = CertificatesIn(ReadText(files_.certificate));
    if (chain.empty()) {
      return Refused("tls.certificate", files_.certificate, "holds no certificate in PEM");
    }
    const KeyPtr key = KeyIn(ReadText(files_.key));
    if (key == nullptr) {
      return Refused("tls.key", files_.key, "holds no private key in PEM without a passphrase");
    }
    if (X509_check_private_key(chain[0].get(), key.get()) != 1) {
      ERR_clear_error();
      return Refused("tls.key", files_.key,
                     absl::StrCat("is not the key of the certificate in ", files_.certificate));
    }
    for (const CertificatePtr& authority : authorities) {
      if (!CheckTime("tls.ca", files_.ca, authority.get())) return verdict_;
    }
    if (!CheckTime("tls.certificate", files_.certificate, chain[0].get())) return verdict_;
    const std::string why = WhyNotIssued(authorities, chain, now_);
    if (!why.empty()) {
      return Refused("tls.certificate", files_.certificate,
                     absl::StrCat("was not issued by the CA in ", files_.ca, ": ", why));
    }
    CheckIdentity(chain[0].get());
    return verdict_;
  }

 private:
  CertificateVerdict Refused(absl::string_view key, const std::string& path,
                             absl::string_view what) {
    verdict_.key = std::string(key);
    verdict_.status = absl::InvalidArgumentError(absl::StrCat(path, " ", what));
    return verdict_;
  }

  bool CheckTime(absl::string_view key, const std::string& path, const X509* certificate) {
    const int64_t left = SecondsUntil(X509_get0_notAfter(certificate), now_);
    if (SecondsUntil(X509_get0_notBefore(certificate), now_) > 0) {
      Refused(key, path, "is not valid yet; check this machine's clock");
      return false;
    }
    if (left <= 0) {
      Refused(key, path, absl::StrCat("expired ", -left / kDaySeconds, " days ago; renew it"));
      return false;
    }
    if (left < kCertificateDaysWarned * kDaySeconds) {
      verdict_.warnings.push_back(
          absl::StrCat(key, ": ", path, " expires in ", left / kDaySeconds, " days; renew it"));
    }
    return true;
  }

  void CheckIdentity(const X509* certificate) {
    const std::string wanted = ValidatorSpiffeId(identity_);
    const std::vector<std::string> uris = UrisOf(certificate);
    for (const std::string& uri : uris) {
      if (uri == wanted) return;
    }
    Refused("tls.certificate", files_.certificate,
            absl::StrCat("does not bear ", wanted, " but ",
                         uris.empty() ? "no URI" : absl::StrJoin(uris, ", "),
                         "; it is another's certificate, or identity is wrong"));
  }

  const TlsFiles& files_;
  const absl::string_view identity_;
  const int64_t now_;
  CertificateVerdict verdict_;
};

}  // namespace

CertificateVerdict CheckCertificates(const TlsFiles& files, absl::string_view identity,
                                     int64_t now_unix_seconds) {
  return Checker(files, identity, now_unix_seconds).Check();
}

}  // namespace vigil::node
