#include "tests/ledger/vectors/oprf_reference.h"

#include <sodium.h>

namespace vigil::ledger::oprf {
namespace {

std::string Number(size_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string Framed(const std::string& bytes) { return Number(bytes.size(), 2) + bytes; }

const uint8_t* In(const std::string& bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}
uint8_t* Out(std::string& bytes) { return reinterpret_cast<uint8_t*>(bytes.data()); }

std::string Sha512(const std::string& bytes) {
  std::string out(crypto_hash_sha512_BYTES, '\0');
  crypto_hash_sha512(Out(out), In(bytes), bytes.size());
  return out;
}

// expand_message_xmd of RFC 9380, section 5.3.1, for exactly one block of SHA-512.
std::string Expand(const std::string& message, const std::string& tag) {
  const std::string tail = tag + Number(tag.size(), 1);
  const std::string first =
      Sha512(std::string(128, '\0') + message + Number(64, 2) + Number(0, 1) + tail);
  return Sha512(first + Number(1, 1) + tail);
}

std::string Add(const std::string& a, const std::string& b) {
  std::string sum(32, '\0');
  return crypto_core_ristretto255_add(Out(sum), In(a), In(b)) == 0 ? sum : std::string();
}

}  // namespace

Suite::Suite(Mode mode)
    : mode_(mode),
      context_("OPRFV1-" + Number(static_cast<size_t>(mode), 1) + "-ristretto255-SHA512") {}

std::string Suite::HashToGroup(const std::string& input) const {
  std::string element(32, '\0');
  crypto_core_ristretto255_from_hash(Out(element), In(Expand(input, "HashToGroup-" + context_)));
  return element;
}

std::string Suite::HashToScalar(const std::string& input, const std::string& tag) const {
  std::string scalar(32, '\0');
  crypto_core_ristretto255_scalar_reduce(Out(scalar), In(Expand(input, tag + context_)));
  return scalar;
}

std::string Suite::DeriveKey(const std::string& seed, const std::string& info) const {
  for (size_t counter = 0; counter < 256; ++counter) {
    const std::string key = HashToScalar(seed + Framed(info) + Number(counter, 1), "DeriveKeyPair");
    if (key != std::string(32, '\0')) return key;
  }
  return "";
}

std::string Suite::PublicOf(const std::string& scalar) {
  std::string element(32, '\0');
  return crypto_scalarmult_ristretto255_base(Out(element), In(scalar)) == 0 ? element
                                                                            : std::string();
}

std::string Suite::Multiply(const std::string& scalar, const std::string& element) {
  std::string product(32, '\0');
  return crypto_scalarmult_ristretto255(Out(product), In(scalar), In(element)) == 0 ? product
                                                                                    : std::string();
}

std::string Suite::Invert(const std::string& scalar) {
  std::string inverse(32, '\0');
  return crypto_core_ristretto255_scalar_invert(Out(inverse), In(scalar)) == 0 ? inverse
                                                                               : std::string();
}

std::string Suite::TweakedKey(const std::string& key, const std::string& info) const {
  const std::string tweak = HashToScalar("Info" + Framed(info), "HashToScalar-");
  std::string sum(32, '\0');
  crypto_core_ristretto255_scalar_add(Out(sum), In(key), In(tweak));
  return sum;
}

std::string Suite::Finalize(const std::string& input, const std::string& info,
                            const std::string& element) const {
  const std::string between = mode_ == Mode::kPartial ? Framed(info) : std::string();
  return Sha512(Framed(input) + between + Framed(element) + "Finalize");
}

Suite::Composites Suite::Compose(const std::string& key, const std::vector<std::string>& from,
                                 const std::vector<std::string>& to) const {
  const std::string seed = Sha512(Framed(key) + Framed("Seed-" + context_));
  Composites sum{.m = std::string(32, '\0'), .z = std::string(32, '\0')};  // The identity.
  for (size_t i = 0; i < from.size(); ++i) {
    const std::string weight =
        HashToScalar(Framed(seed) + Number(i, 2) + Framed(from[i]) + Framed(to[i]) + "Composite",
                     "HashToScalar-");
    sum.m = Add(sum.m, Multiply(weight, from[i]));
    sum.z = Add(sum.z, Multiply(weight, to[i]));
  }
  return sum;
}

std::string Suite::Challenge(const std::array<std::string, 5>& elements) const {
  std::string transcript;
  for (const std::string& element : elements) transcript += Framed(element);
  return HashToScalar(transcript + "Challenge", "HashToScalar-");
}

std::string Suite::Prove(const std::string& scalar, const std::vector<std::string>& from,
                         const std::vector<std::string>& to, const std::string& random) const {
  const std::string key = PublicOf(scalar);
  const Composites sum = Compose(key, from, to);
  const std::string challenge =
      Challenge({key, sum.m, sum.z, PublicOf(random), Multiply(random, sum.m)});
  std::string product(32, '\0');
  std::string response(32, '\0');
  crypto_core_ristretto255_scalar_mul(Out(product), In(challenge), In(scalar));
  crypto_core_ristretto255_scalar_sub(Out(response), In(random), In(product));
  return challenge + response;
}

bool Suite::Verifies(const std::string& key, const std::vector<std::string>& from,
                     const std::vector<std::string>& to, const std::string& proof) const {
  const std::string challenge = proof.substr(0, 32);
  const std::string response = proof.substr(32);
  const Composites sum = Compose(key, from, to);
  const std::string t2 = Add(PublicOf(response), Multiply(challenge, key));
  const std::string t3 = Add(Multiply(response, sum.m), Multiply(challenge, sum.z));
  return Challenge({key, sum.m, sum.z, t2, t3}) == challenge;
}

}  // namespace vigil::ledger::oprf
