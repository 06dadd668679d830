// The OPRFs of RFC 9497 over ristretto255 with SHA-512, put together from libsodium's primitives.
// Slow and obvious: it shows that the primitives of the pinned library are those of the RFC.
// Nothing in the product uses them.
#ifndef VIGIL_TESTS_LEDGER_VECTORS_OPRF_REFERENCE_H_
#define VIGIL_TESTS_LEDGER_VECTORS_OPRF_REFERENCE_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vigil::ledger::oprf {

enum class Mode : uint8_t { kOprf = 0, kVerifiable = 1, kPartial = 2 };  // RFC 9497, section 3.1

// Elements and scalars are 32 bytes as the RFC serialises them; functions that meet an identity
// element or a zero scalar return an empty string.
class Suite {
 public:
  explicit Suite(Mode mode);

  std::string HashToGroup(const std::string& input) const;
  std::string DeriveKey(const std::string& seed, const std::string& info) const;
  static std::string PublicOf(const std::string& scalar);
  static std::string Multiply(const std::string& scalar, const std::string& element);
  static std::string Invert(const std::string& scalar);

  // Section 3.3.3: the key plus the hash of the public information.
  std::string TweakedKey(const std::string& key, const std::string& info) const;
  // The output over an unblinded element; `info` only in mode kPartial.
  std::string Finalize(const std::string& input, const std::string& info,
                       const std::string& element) const;

  // Section 2.2: that the same scalar leads from the generator to `key` and from each of `from` to
  // the one of `to`. A proof is challenge and response; `random` is the prover's scalar.
  std::string Prove(const std::string& scalar, const std::vector<std::string>& from,
                    const std::vector<std::string>& to, const std::string& random) const;
  bool Verifies(const std::string& key, const std::vector<std::string>& from,
                const std::vector<std::string>& to, const std::string& proof) const;

 private:
  struct Composites {
    std::string m, z;
  };
  std::string HashToScalar(const std::string& input, const std::string& tag) const;
  Composites Compose(const std::string& key, const std::vector<std::string>& from,
                     const std::vector<std::string>& to) const;
  std::string Challenge(const std::array<std::string, 5>& elements) const;

  Mode mode_;
  std::string context_;
};

}  // namespace vigil::ledger::oprf

#endif  // VIGIL_TESTS_LEDGER_VECTORS_OPRF_REFERENCE_H_
