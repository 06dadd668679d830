// The published vectors of transparency-dev/merkle: 98 inclusion, 98 consistency, 204 subtree
// inclusion and 118 subtree consistency proofs, good and bad.
#include <functional>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/merkle.h"
#include "tests/ledger/log/merkle_reference.h"
#include "tests/support/catch.h"
#include "tests/support/shared_files.h"
#include "tests/support/vectors.h"

namespace vigil::ledger {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kFolder = "vectors/transparency-dev-merkle";

std::optional<Hash> RealHash(const json& field) {
  std::string raw;
  if (field.is_string()) REQUIRE(absl::Base64Unescape(field.get<std::string>(), &raw));
  const absl::StatusOr<Hash> hash = Hash::From(AsBytes(raw));
  return hash.ok() ? std::optional<Hash>(*hash) : std::nullopt;
}

// Some consistency vectors carry text of another size as roots, of which only equality matters.
// Something tagged stands in for it: equal text stays equal and differs from every real hash.
Hash HashField(const json& field) {
  return RealHash(field).value_or(Sha256({AsBytes("stand-in"), AsBytes(field.dump())}));
}

std::vector<Hash> ProofField(const json& field) {
  std::vector<Hash> proof;
  if (field.is_null()) return proof;
  for (const json& element : field) proof.push_back(HashField(element));
  return proof;
}

// Calls `check` for every case below `kind` and returns how many there were.
size_t ForEachCase(const std::string& kind, const std::function<void(const json&)>& check) {
  const fs::path folder = SharedPath(std::string(kFolder) + "/testdata/" + kind);
  if (!fs::exists(folder)) {
    WARN("skipped: " << folder.string() << " is not there");
    return 0;
  }
  size_t count = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    INFO(entry.path().string());
    const json test = json::parse(*ReadWholeFile(entry.path()), nullptr, false);
    REQUIRE_FALSE(test.is_discarded());
    check(test);
    ++count;
  }
  CountVectors("transparency-dev-merkle", kind, count);
  return count;
}

TEST_CASE("merkle vectors: inclusion proofs are judged as published", "[log][vectors]") {
  const size_t count = ForEachCase("inclusion", [](const json& test) {
    const Hash root = HashField(test["root"]);
    const Hash leaf = HashField(test["leafHash"]);
    const std::vector<Hash> proof = ProofField(test["proof"]);
    const bool want = !test["wantErr"].get<bool>();
    const uint64_t index = test["leafIdx"].get<uint64_t>();
    const uint64_t size = test["treeSize"].get<uint64_t>();
    // Our types cannot even hold a leaf hash of another size.
    const bool fits = RealHash(test["leafHash"]).has_value();
    CHECK((fits && VerifyInclusion(index, size, leaf, proof, root).ok()) == want);
    CHECK((fits && reference::AcceptsInclusion(index, size, leaf, proof, root)) == want);
  });
  CHECK((count == 98 || count == 0));
}

TEST_CASE("merkle vectors: consistency proofs are judged as published", "[log][vectors]") {
  const size_t count = ForEachCase("consistency", [](const json& test) {
    const Hash old_root = HashField(test["root1"]);
    const Hash new_root = HashField(test["root2"]);
    const std::vector<Hash> proof = ProofField(test["proof"]);
    const bool want = !test["wantErr"].get<bool>();
    const uint64_t old_size = test["size1"].get<uint64_t>();
    const uint64_t new_size = test["size2"].get<uint64_t>();
    CHECK(VerifyConsistency(old_size, new_size, old_root, new_root, proof).ok() == want);
    // The reference knows a proof for an empty subtree; RFC 6962 has none for an empty old tree.
    CHECK((old_size > 0 && reference::AcceptsSubtreeConsistency(0, old_size, new_size, old_root,
                                                                new_root, proof)) == want);
  });
  CHECK((count == 98 || count == 0));
}

TEST_CASE("merkle vectors: inclusion in subtrees is judged as published", "[log][vectors]") {
  // A subtree is a tree of its own, so inclusion in it is ordinary inclusion at a shifted index.
  const size_t count = ForEachCase("subtreeinclusion", [](const json& test) {
    const Hash root = HashField(test["root"]);
    const Hash leaf = HashField(test["leafHash"]);
    const std::vector<Hash> proof = ProofField(test["proof"]);
    const bool want = !test["wantErr"].get<bool>();
    const uint64_t start = test["start"].get<uint64_t>();
    const uint64_t end = test["end"].get<uint64_t>();
    const uint64_t index = test["leafIdx"].get<uint64_t>();
    const bool fits = RealHash(test["leafHash"]).has_value() && reference::IsSubtree(start, end) &&
                      index >= start;
    CHECK((fits && VerifyInclusion(index - start, end - start, leaf, proof, root).ok()) == want);
    CHECK((fits && reference::AcceptsInclusion(index - start, end - start, leaf, proof, root)) ==
          want);
  });
  CHECK((count == 204 || count == 0));
}

TEST_CASE("merkle vectors: consistency of subtrees is judged as published", "[log][vectors]") {
  const size_t count = ForEachCase("subtreeconsistency", [](const json& test) {
    const Hash subtree_root = HashField(test["root1"]);
    const Hash root = HashField(test["root2"]);
    const std::vector<Hash> proof = ProofField(test["proof"]);
    const bool want = !test["wantErr"].get<bool>();
    const uint64_t start = test["start"].get<uint64_t>();
    const uint64_t end = test["end"].get<uint64_t>();
    const uint64_t size = test["size"].get<uint64_t>();
    CHECK(reference::AcceptsSubtreeConsistency(start, end, size, subtree_root, root, proof) ==
          want);
    if (start == 0 && end > 0) {
      CHECK(VerifyConsistency(end, size, subtree_root, root, proof).ok() == want);
    }
  });
  CHECK((count == 118 || count == 0));
}

TEST_CASE("merkle vectors: roots of the eight reference leaves are the published ones",
          "[log][vectors]") {
  // testonly/constants.go of transparency-dev/merkle, also used by Certificate Transparency.
  const char* const leaves_hex[] = {"",
                                    "00",
                                    "10",
                                    "2021",
                                    "3031",
                                    "40414243",
                                    "5051525354555657",
                                    "606162636465666768696a6b6c6d6e6f"};
  const char* const roots_hex[] = {
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  std::vector<Hash> hashes;
  MerkleFrontier frontier;
  for (size_t size = 0; size <= 8; ++size) {
    CHECK(MerkleRoot(hashes).ToHex() == roots_hex[size]);
    CHECK(frontier.Root().ToHex() == roots_hex[size]);
    if (size == 8) break;
    const Hash leaf = LeafHash(AsBytes(*HexDecode(leaves_hex[size])));
    hashes.push_back(leaf);
    frontier.Append(leaf);
  }
  CHECK(LeafHash(AsBytes("L123456")).ToHex() ==
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
}

TEST_CASE("merkle vectors: hashes of all subtrees up to 130 leaves are the published ones",
          "[log][vectors]") {
  // testonly/vectors_test.go: leaf i is the single byte i; one line for each subtree, hashed.
  std::vector<Hash> leaves;
  for (int i = 0; i < 130; ++i) {
    const auto byte = static_cast<uint8_t>(i);
    leaves.push_back(LeafHash(ByteSpan(&byte, 1)));
  }
  Sha256Stream lines;
  for (uint64_t end = 0; end <= leaves.size(); ++end) {
    for (uint64_t start = 0; start <= end; ++start) {
      if (start != 0 && start != end && !reference::IsSubtree(start, end)) continue;
      const Hash root = MerkleRoot(std::span(leaves).subspan(start, end - start));
      lines.Update(AsBytes("[" + std::to_string(start) + ", " + std::to_string(end) + ") " +
                           root.ToHex() + "\n"));
    }
  }
  CHECK(lines.Finish().ToHex() ==
        "b82806ad4265bb151c1119c0f4db437bb4d1a1f887b3a7fba1cd4ebf552e3e81");
}

}  // namespace
}  // namespace vigil::ledger
