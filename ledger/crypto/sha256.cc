#include "ledger/crypto/sha256.h"

#include <openssl/evp.h>

#include "ledger/base/check.h"

namespace vigil::ledger {
namespace {

// Fetching costs more than hashing 200 bytes, so it happens once; never freed, because hashing may
// go on in threads that outlive static destructors.
EVP_MD* FetchedSha256() {
  static EVP_MD* const kDigest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  VIGIL_CHECK(kDigest != nullptr, "OpenSSL has no SHA-256");
  return kDigest;
}

class Context {
 public:
  Context() : context_(EVP_MD_CTX_new()) {
    VIGIL_CHECK(context_ != nullptr, "EVP_MD_CTX_new");
    Restart();
  }
  ~Context() { EVP_MD_CTX_free(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void Update(ByteSpan bytes) {
    VIGIL_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1, "EVP_DigestUpdate");
  }

  Hash Finish() {
    Hash hash;
    unsigned int size = 0;
    VIGIL_CHECK(EVP_DigestFinal_ex(context_, hash.bytes.data(), &size) == 1, "EVP_DigestFinal_ex");
    VIGIL_CHECK(size == Hash::size(), "SHA-256 of ", size, " bytes");
    Restart();
    return hash;
  }

 private:
  void Restart() {
    VIGIL_CHECK(EVP_DigestInit_ex2(context_, FetchedSha256(), nullptr) == 1, "EVP_DigestInit_ex2");
  }

  EVP_MD_CTX* const context_;
};

Context& ThreadContext() {
  thread_local Context context;
  return context;
}

}  // namespace

Hash Sha256(ByteSpan bytes) {
  Context& context = ThreadContext();
  context.Update(bytes);
  return context.Finish();
}

Hash Sha256(std::initializer_list<ByteSpan> parts) {
  Context& context = ThreadContext();
  for (ByteSpan part : parts) context.Update(part);
  return context.Finish();
}

struct Sha256Stream::Impl {
  Context context;
};

Sha256Stream::Sha256Stream() : impl_(std::make_unique<Impl>()) {}
Sha256Stream::~Sha256Stream() = default;

Sha256Stream& Sha256Stream::Update(ByteSpan bytes) {
  impl_->context.Update(bytes);
  return *this;
}

Hash Sha256Stream::Finish() { return impl_->context.Finish(); }

}  // namespace vigil::ledger
