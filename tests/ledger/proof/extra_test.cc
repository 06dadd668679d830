#include "ledger/proof/extra.h"

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

Hash H(uint8_t byte) { return TestHash(byte); }
std::string Text(const Hash& hash) { return std::string(hash.view()); }

ProofExtra Sketch() {
  ProofExtra extra;
  extra.subject = ProofSubject::kEvent;
  extra.leaf = "leaf";
  extra.author_key.bytes.fill(1);
  extra.block = {.index = RecordIndex(3), .leaf = std::string(400, 's'), .path = {H(2)}};
  extra.result.bytes = "result";
  extra.result.position = 4;
  extra.result.count = 5;
  extra.result.path = {H(6), H(7)};
  extra.result.seal = {.index = RecordIndex(8), .leaf = std::string(400, 't'), .path = {}};
  extra.event = {.item = ItemIndex(9), .leaf_hash = H(10), .path = {H(11)}, .bytes = "event"};
  return extra;
}

}  // namespace

TEST_CASE("the extra is laid out as documented and decodes to itself", "[proof]") {
  const auto u32 = [](char low) { return std::string("\0\0\0", 3) + low; };
  const auto u64 = [](char low) { return std::string("\0\0\0\0\0\0\0", 7) + low; };
  const std::string seal_size("\0\0\x01\x90", 4);
  const std::string block =
      absl::StrCat(absl::string_view("vigil/proof/v1\0", 15), "\x03", u32(4), "leaf");
  std::string record = block;
  record[15] = 2;
  record += std::string(32, '\1');
  record += u64(3) + seal_size + std::string(400, 's') + "\x01" + Text(H(2));
  record += u32(6) + "result" + u32(4) + u32(5) + "\x02" + Text(H(6)) + Text(H(7));
  record += u64(8) + seal_size + std::string(400, 't') + std::string(1, '\0');
  std::string event = record;
  event[15] = 1;
  event += u32(9) + Text(H(10)) + "\x01" + Text(H(11)) + u32(5) + "event";

  ProofExtra extra = Sketch();
  CHECK(EncodeProofExtra(extra) == event);
  CHECK(DecodeProofExtra(AsBytes(event)).value() == extra);
  extra.subject = ProofSubject::kRecord;
  extra.event = {};
  CHECK(EncodeProofExtra(extra) == record);
  CHECK(DecodeProofExtra(AsBytes(record)).value() == extra);
  const ProofExtra bare = DecodeProofExtra(AsBytes(block)).value();
  CHECK(bare.subject == ProofSubject::kBlock);
  CHECK(bare.leaf == "leaf");
  CHECK(EncodeProofExtra(bare) == block);
}

TEST_CASE("an extra that is cut or followed by anything is refused", "[proof]") {
  const std::string good = EncodeProofExtra(Sketch());
  for (size_t size = 0; size < good.size(); ++size) {
    CHECK(!DecodeProofExtra(AsBytes(good.substr(0, size))).ok());
  }
  CHECK(!DecodeProofExtra(AsBytes(good + '\0')).ok());
}

TEST_CASE("an extra over a limit or with an unknown number is refused", "[proof]") {
  ProofExtra extra = Sketch();
  SECTION("an unknown subject") {
    for (const char subject : {'\0', '\4', '\xff'}) {
      std::string bytes = EncodeProofExtra(extra);
      bytes[15] = subject;
      CHECK(!DecodeProofExtra(AsBytes(bytes)).ok());
    }
  }
  SECTION("a leaf that claims more than there is") {
    std::string bytes = EncodeProofExtra(extra);
    bytes[16] = '\x7f';
    CHECK(!DecodeProofExtra(AsBytes(bytes)).ok());
  }
  SECTION("a seal of another size") {
    extra.block.leaf.pop_back();
    CHECK(!DecodeProofExtra(AsBytes(EncodeProofExtra(extra))).ok());
  }
  SECTION("a path of 64 hashes") {
    extra.event.path.assign(63, H(1));
    std::string bytes = EncodeProofExtra(extra);
    CHECK(DecodeProofExtra(AsBytes(bytes)).ok());
    const size_t at = bytes.size() - 5 - 4 - 63 * 32 - 1;
    REQUIRE(bytes[at] == 63);
    bytes[at] = 64;
    bytes.insert(at + 1, std::string(32, '\1'));
    CHECK(!DecodeProofExtra(AsBytes(bytes)).ok());
  }
  SECTION("a result outside its tree") {
    extra.result.position = 5;
    CHECK(!DecodeProofExtra(AsBytes(EncodeProofExtra(extra))).ok());
  }
  SECTION("more results than heights can have") {
    extra.result.count = 64 * 16384;
    CHECK(DecodeProofExtra(AsBytes(EncodeProofExtra(extra))).ok());
    extra.result.count += 1;
    CHECK(!DecodeProofExtra(AsBytes(EncodeProofExtra(extra))).ok());
  }
  SECTION("the largest parts") {
    extra.leaf.assign(kRecordLeafBytesMax, 'l');
    extra.event.bytes.assign(kEventBytesMax, 'e');
    extra.result.bytes.assign(kProofResultBytesMax, 'r');
    const std::string bytes = EncodeProofExtra(extra);
    CHECK(DecodeProofExtra(AsBytes(bytes)).value() == extra);
    CHECK(bytes.size() < kTlogExtraBytesMax);
  }
}

}  // namespace vigil::ledger
