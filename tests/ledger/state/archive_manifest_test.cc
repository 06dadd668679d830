// The manifest says exactly which segments an archive vouches for.
#include "ledger/state/archive_manifest.h"

#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "ledger/crypto/sha256.h"
#include "ledger/storage/journal_format.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

ArchiveManifest Sample() {
  ArchiveManifest manifest;
  manifest.network = "testnet";
  manifest.genesis_hash.bytes.fill(1);
  manifest.validator = "acme/one";
  manifest.journal_id.bytes.fill(2);
  manifest.checkpoint = "note\n\n\xe2\x80\x94 lines\n";
  manifest.consistency = {Sha256(AsBytes("a")), Sha256(AsBytes("b"))};
  manifest.segments.push_back({.file = {.name = SegmentName(100), .bytes = 90, .sha256 = Hash()},
                               .end = 150,
                               .first = Height(3),
                               .last = Height(7),
                               .tree_size = 20});
  manifest.segments.push_back({.file = {.name = SegmentName(150), .bytes = 70, .sha256 = Hash()},
                               .end = 180,
                               .first = Height(0),
                               .last = Height(0),
                               .tree_size = 20});
  return manifest;
}

// As somebody who also repairs the sum.
std::string Edited(absl::string_view from, absl::string_view to) {
  std::string text = EncodeArchiveManifest(Sample());
  text.resize(text.rfind("sum "));
  const std::string before = text;
  text = absl::StrReplaceAll(text, {{from, to}});
  REQUIRE(text != before);
  return absl::StrCat(text, "sum ", Sha256(AsBytes(text)).ToHex(), "\n");
}

TEST_CASE("archive manifest: what is written is read", "[archive]") {
  const ArchiveManifest manifest = Sample();
  const auto read = DecodeArchiveManifest(EncodeArchiveManifest(manifest));
  INFO(read.status());
  REQUIRE(read.ok());
  CHECK(*read == manifest);
  CHECK(read->journal_begin() == 100);
  CHECK(read->journal_end() == 180);
  REQUIRE(read->Find(SegmentName(150)) != nullptr);
  CHECK(read->Find(SegmentName(150))->end == 180);
  CHECK(read->Find(SegmentName(180)) == nullptr);
}

TEST_CASE("archive manifest: no altered byte passes", "[archive]") {
  const std::string text = EncodeArchiveManifest(Sample());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = static_cast<char>(other[i] ^ 1);
    CHECK(absl::IsDataLoss(DecodeArchiveManifest(other).status()));
    CHECK(absl::IsDataLoss(DecodeArchiveManifest(text.substr(0, i)).status()));
  }
  CHECK_FALSE(DecodeArchiveManifest(text + "\n").ok());
}

TEST_CASE("archive manifest: segments follow each other without a gap", "[archive]") {
  CHECK(DecodeArchiveManifest(Edited("acme/one", "acme/two")).ok());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {SegmentName(150), SegmentName(151)},
           {SegmentName(150), SegmentName(149)},
           {SegmentName(150), "../" + SegmentName(150)},
           {" 150 3 7 20", " 100 3 7 20"},
           {" 150 3 7 20", " 150 8 7 20"},
           {" 150 3 7 20", " 150 3 0 20"},
           {" 150 3 7 20", " 150 3 7 21"},
           {" 180 0 0 20", " 180 00 0 20"},
           {"segments 2", "segments 3"},
           {"segments 2", "segments 1"},
           {"consistency 2", "consistency 1"},
           {"consistency 2", "consistency 65"}}) {
    INFO(from << " -> " << to);
    CHECK(absl::IsDataLoss(DecodeArchiveManifest(Edited(from, to)).status()));
  }
}

}  // namespace
}  // namespace vigil::ledger
