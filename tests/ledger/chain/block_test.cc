#include "ledger/chain/block.h"

#include <functional>
#include <string>

#include "ledger/base/limits.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/payload.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/merkle.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

using samples::BatchRecord;
using samples::FirstHeader;
using samples::HashOf;
using samples::HeartbeatRecord;
using samples::KeyNumber;
using samples::SampleBlock;
using samples::SampleGenesis;
using samples::SmallestEvent;

// A later header that CheckBlock() accepts.
BlockHeader LaterHeader(const Genesis& genesis) {
  BlockHeader header = FirstHeader(genesis);
  header.height = Height(100);
  header.executed_height = Height(90);
  header.parent_hash = HashOf(0xEE);
  header.view = View(3);
  header.parent_view = View(2);
  return header;
}

// What CheckBlock() says of an empty block after `change` to a good header.
std::string HeaderError(const std::function<void(BlockHeader*)>& change) {
  const Genesis genesis = SampleGenesis();
  BlockHeader header = LaterHeader(genesis);
  change(&header);
  return std::string(CheckBlock(genesis, *Block::Make(header, {}, KeyNumber(1))).message());
}

std::string RecordsError(const Genesis& genesis, const std::vector<const Record*>& records) {
  const BlockPtr block = Block::Make(FirstHeader(genesis), records, KeyNumber(1));
  return std::string(CheckBlock(genesis, *block).message());
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("header: encoding is fixed and decodes to the same fields", "[header]") {
  const Genesis genesis = SampleGenesis();
  BlockHeader header = LaterHeader(genesis);
  header.snapshot_height = Height(64);
  header.snapshot_digest = HashOf(0x77);
  header.proposer = ValidatorIndex(2);
  const std::string bytes = EncodeHeader(header);
  CHECK(bytes.size() == 350);
  const absl::StatusOr<BlockHeader> decoded = DecodeHeader(AsBytes(bytes));
  REQUIRE(decoded.ok());
  CHECK(*decoded == header);
}

TEST_CASE("header: every byte belongs to some field", "[header]") {
  const std::string bytes = EncodeHeader(LaterHeader(SampleGenesis()));
  const BlockHeader header = *DecodeHeader(AsBytes(bytes));
  for (size_t i = 2; i < bytes.size(); ++i) {
    std::string other = bytes;
    other[i] = static_cast<char>(other[i] ^ 0x10);
    const absl::StatusOr<BlockHeader> decoded = DecodeHeader(AsBytes(other));
    REQUIRE(decoded.ok());
    CHECK_FALSE(*decoded == header);
    CHECK(EncodeHeader(*decoded) == other);
  }
}

TEST_CASE("header: other sizes and formats are refused", "[header]") {
  const std::string bytes = EncodeHeader(BlockHeader());
  for (size_t size : {size_t{0}, size_t{349}}) {
    CHECK_FALSE(DecodeHeader(AsBytes(bytes.substr(0, size))).ok());
  }
  CHECK_FALSE(DecodeHeader(AsBytes(bytes + "x")).ok());
  std::string other = bytes;
  other[1] = 2;
  CHECK(DecodeHeader(AsBytes(other)).status().message() == "header: format 2, must be 1");
}

TEST_CASE("header: hashes are those of tag and bytes", "[header]") {
  const std::string bytes = EncodeHeader(BlockHeader());
  CHECK(HeaderHash(AsBytes(bytes)) ==
        Sha256(AsBytes(std::string("vigil/header/v1\0", 16) + bytes)));
  CHECK(ProposalSigningMessage(HashOf(3)) ==
        std::string("vigil/proposal/v1\0", 18) + std::string(32, '\3'));
  CHECK(RevealParent(HashOf(3)) ==
        Sha256(AsBytes(std::string("vigil/reveal/v1\0", 16) + std::string(32, '\3'))));
}

TEST_CASE("seal: a seal leaf is taken apart into what it was made of", "[header]") {
  const std::string header = EncodeHeader(LaterHeader(SampleGenesis()));
  const std::string leaf = EncodeSealLeaf(AsBytes(header), HashOf(9), RecordIndex(700), 12);
  CHECK(leaf.size() == 6 + 350 + 32 + 8 + 4);
  const absl::StatusOr<Seal> seal = DecodeSealLeaf(AsBytes(leaf));
  REQUIRE(seal.ok());
  CHECK(AsView(seal->header_bytes) == header);
  CHECK(seal->header == *DecodeHeader(AsBytes(header)));
  CHECK(seal->previous_seal == HashOf(9));
  CHECK(seal->first == RecordIndex(700));
  CHECK(seal->record_count == 12);
}

TEST_CASE("seal: other leaves are refused", "[header]") {
  const std::string header = EncodeHeader(BlockHeader());
  const std::string leaf = EncodeSealLeaf(AsBytes(header), HashOf(9), RecordIndex(700), 12);
  for (size_t size = 0; size < leaf.size(); ++size) {
    CHECK_FALSE(DecodeSealLeaf(AsBytes(leaf.substr(0, size))).ok());
  }
  CHECK_FALSE(DecodeSealLeaf(AsBytes(leaf + "x")).ok());
  for (size_t i = 0; i < 8; ++i) {  // Version, kind, length, header format.
    std::string other = leaf;
    other[i] = static_cast<char>(other[i] ^ 1);
    CHECK_FALSE(DecodeSealLeaf(AsBytes(other)).ok());
  }
}

TEST_CASE("block: what was made decodes to the same block", "[block]") {
  const Genesis genesis = SampleGenesis();
  const BlockPtr block = SampleBlock(genesis);
  REQUIRE(CheckBlock(genesis, *block) == absl::OkStatus());
  const absl::StatusOr<BlockPtr> decoded = Block::Decode(block->frame());
  REQUIRE(decoded.ok());
  CHECK((*decoded)->hash() == block->hash());
  CHECK((*decoded)->header() == block->header());
  CHECK((*decoded)->id() == block->id());
  CHECK((*decoded)->height() == Height(1));
  CHECK((*decoded)->signature() == block->signature());
  REQUIRE((*decoded)->records().size() == 2);
  const Block::Entry& batch = (*decoded)->records()[0];
  CHECK(batch.leaf_hash == LeafHash(batch.leaf));
  CHECK(batch.payload.size() > 0);
  CHECK((*decoded)->records()[1].payload.empty());
  CHECK(block->header().body_root == NodeHash(batch.leaf_hash, (*decoded)->records()[1].leaf_hash));
  CHECK(HeaderHash((*decoded)->header_bytes()) == block->hash());
}

TEST_CASE("block: an empty block has the empty root", "[block]") {
  const Genesis genesis = SampleGenesis();
  const BlockPtr block = Block::Make(FirstHeader(genesis), {}, KeyNumber(1));
  CHECK(block->header().body_root == Sha256(ByteSpan()));
  CHECK(CheckBlock(genesis, *block) == absl::OkStatus());
}

TEST_CASE("block: every flipped bit of a frame is noticed", "[block]") {
  const Genesis genesis = SampleGenesis();
  const std::string good = SampleBlock(genesis)->frame();
  for (size_t i = 0; i < 8 * good.size(); ++i) {
    std::string bad = good;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    const absl::StatusOr<BlockPtr> block = Block::Decode(bad);
    if (block.ok() && CheckBlock(genesis, **block).ok())
      FAIL("bit " << i % 8 << " of byte " << i / 8);
  }
}

TEST_CASE("block: truncated and prolonged frames are refused", "[block]") {
  const std::string good = SampleBlock(SampleGenesis())->frame();
  for (size_t size = 0; size < good.size(); ++size) {
    if (Block::Decode(good.substr(0, size)).ok()) FAIL("cut at " << size);
  }
  CHECK(Block::Decode(good + "x").status().message() == "block: 1 bytes left over");
  CHECK(Block::Decode("").status().message() == "block: 0 bytes, at least 420");
  CHECK(Block::Decode(good.substr(0, 415)).status().message() == "block: 415 bytes, at least 420");
}

TEST_CASE("block: hostile counts and sizes are refused before memory is taken", "[block]") {
  const Genesis genesis = SampleGenesis();
  const std::string good = SampleBlock(genesis)->frame();
  const size_t count_at = 2 + kHeaderBytes + 64;
  std::string bad = good;
  bad.replace(count_at, 4, "\xFF\xFF\xFF\xFF");
  CHECK(Block::Decode(bad).status().message() == "block: 4294967295 records, at most 16384");
  bad.replace(count_at, 4, std::string("\x00\x00\x40\x00", 4));
  CHECK(Block::Decode(bad).status().message() ==
        "block: ends inside the size table of 16384 records");
  bad = good;
  bad.replace(count_at + 4, 8, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  CHECK(absl::IsInvalidArgument(Block::Decode(bad).status()));
  CHECK(Block::Decode(std::string(kBlockBytesMax + 1, '\0')).status().message() ==
        "block: 4194305 bytes, at most 4194304");
  bad = good;
  bad[1] = 2;
  CHECK(Block::Decode(bad).status().message() == "block: format 2, must be 1");
}

TEST_CASE("block: records that the header does not commit to are refused as lost data", "[block]") {
  const Genesis genesis = SampleGenesis();
  std::string frame = SampleBlock(genesis)->frame();
  frame[2 + kHeaderBytes + 64 + 4 + 16 + 10] ^= 1;  // Inside the first leaf.
  CHECK(absl::IsDataLoss(Block::Decode(frame).status()));
}

TEST_CASE("block: a good later block passes", "[block]") {
  CHECK(HeaderError([](BlockHeader*) {}) == "");
  CHECK(HeaderError([](BlockHeader* header) { header->executed_height = Height(36); }) == "");
  CHECK(HeaderError([](BlockHeader* header) { header->executed_height = Height(99); }) == "");
}

TEST_CASE("block: execution may not lead agreement nor lag by more than 64", "[block]") {
  for (uint64_t executed :
       {uint64_t{0}, uint64_t{35}, uint64_t{100}, uint64_t{101}, ~uint64_t{0}}) {
    CHECK(HeaderError([&](BlockHeader* header) { header->executed_height = Height(executed); }) ==
          "block: executed height " + std::to_string(executed) +
              " at height 100; must be below it by 1 to 64");
  }
  CHECK(HeaderError([](BlockHeader* header) { header->height = Height(0); }) ==
        "block: height 0; the first block has height 1");
}

TEST_CASE("block: a block of another chain or epoch or set is refused", "[block]") {
  CHECK(Contains(HeaderError([](BlockHeader* header) { header->chain_id = HashOf(1); }),
                 "block: chain id 0101"));
  CHECK(HeaderError([](BlockHeader* header) { header->epoch = Epoch(2); }) ==
        "block 100: epoch 2, known are 1 to 1");
  CHECK(Contains(HeaderError([](BlockHeader* header) { header->validator_set_hash = HashOf(1); }),
                 "validator set hash 0101"));
  // Whether it may seal its epoch, execution says.
  CHECK(HeaderError([](BlockHeader* header) { header->next_validator_set_hash = HashOf(1); }) ==
        "");
}

TEST_CASE("block: a snapshot is named where it must be and nowhere else", "[block]") {
  CHECK(Contains(HeaderError([](BlockHeader* header) { header->snapshot_height = Height(64); }),
                 "names the snapshot of height 64, must be 0"));
  CHECK(Contains(HeaderError([](BlockHeader* header) { header->snapshot_digest = HashOf(1); }),
                 "must be zero exactly when there is none"));
  const auto at_4096 = [](Height snapshot, const Hash& digest) {
    return HeaderError([&](BlockHeader* header) {
      header->height = Height(4096);
      header->executed_height = Height(4095);
      header->snapshot_height = snapshot;
      header->snapshot_digest = digest;
    });
  };
  CHECK(at_4096(Height(2048), HashOf(1)).empty());
  CHECK(Contains(at_4096(Height(2048), Hash()), "must be zero exactly when there is none"));
  CHECK(Contains(at_4096(Height(0), Hash()), "names the snapshot of height 0, must be 2048"));
  CHECK(Contains(at_4096(Height(4096), HashOf(1)),
                 "names the snapshot of height 4096, must be 2048"));
}

TEST_CASE("block: views and time have bounds", "[block]") {
  CHECK(Contains(HeaderError([](BlockHeader* header) { header->view = View(0); }), "view 0"));
  CHECK(Contains(HeaderError([](BlockHeader* header) { header->parent_view = View(4); }),
                 "view 3 after parent's view 4"));
  CHECK(Contains(HeaderError([](BlockHeader* header) { header->time_unix_millis -= 1001; }),
                 "time 1699999999999 ms, from 1700000000000"));
  CHECK(Contains(HeaderError([](BlockHeader* header) { header->time_unix_millis = ~uint64_t{0}; }),
                 "ms, from 1700000000000"));
}

TEST_CASE("block: the first block follows the genesis", "[block]") {
  const Genesis genesis = SampleGenesis();
  BlockHeader header = FirstHeader(genesis);
  header.parent_hash = HashOf(1);
  CHECK(Contains(std::string(CheckBlock(genesis, *Block::Make(header, {}, KeyNumber(1))).message()),
                 "first block: parent 0101"));
  header = FirstHeader(genesis);
  header.parent_view = View(1);
  CHECK_FALSE(CheckBlock(genesis, *Block::Make(header, {}, KeyNumber(1))).ok());
}

TEST_CASE("block: only the proposer of the header may sign it", "[block]") {
  const Genesis genesis = SampleGenesis();
  BlockHeader header = FirstHeader(genesis);
  const auto error = [&](uint8_t key) {
    return std::string(CheckBlock(genesis, *Block::Make(header, {}, KeyNumber(key))).message());
  };
  CHECK(error(1) == "");
  CHECK(error(2) == "block: signature is not that of proposer 0");  // Its log key.
  CHECK(error(5) == "block: signature is not that of proposer 0");  // Validator 1.
  header.proposer = ValidatorIndex(1);
  CHECK(error(5) == "");
  header.proposer = ValidatorIndex(3);
  CHECK(error(5) == "block: proposer 3 of 3 validators");
}

TEST_CASE("block: a record or payload that is wrong is named", "[block]") {
  const Genesis genesis = SampleGenesis();
  const Record heartbeat = HeartbeatRecord(genesis);
  const Record batch = BatchRecord(genesis, {SmallestEvent().SerializeAsString()});
  CHECK(RecordsError(genesis, {&heartbeat, &batch}) == "");

  Record bad = heartbeat;
  bad.payload = "surprise";
  CHECK(RecordsError(genesis, {&batch, &bad}) ==
        "block at 1: record 1: payload of 8 bytes beside a record of kind heartbeat");
  bad = heartbeat;
  bad.leaf[0] = 2;
  CHECK(RecordsError(genesis, {&bad}) == "block at 1: record 0: record version 2, must be 1");
  bad = batch;
  bad.payload.clear();
  CHECK(Contains(RecordsError(genesis, {&heartbeat, &bad}), "record 1: payload: 0 bytes"));
  bad = batch;
  bad.payload.back() ^= 1;
  CHECK(Contains(RecordsError(genesis, {&bad}), "record 0: payload: items root"));
  bad.leaf = EncodeSealLeaf(AsBytes(EncodeHeader(BlockHeader())), Hash(), RecordIndex(0), 0);
  CHECK(Contains(RecordsError(genesis, {&bad}), "block at 1: record 0: "));
}

TEST_CASE("block: a payload given to the wrong record is refused", "[block]") {
  const Genesis genesis = SampleGenesis();
  v1::Event other = SmallestEvent();
  other.set_salt("fedcba9876543210");
  Record first = BatchRecord(genesis, {SmallestEvent().SerializeAsString()});
  Record second = BatchRecord(genesis, {other.SerializeAsString()});
  std::swap(first.payload, second.payload);
  CHECK(Contains(RecordsError(genesis, {&first, &second}), "record 0: payload: items root"));
}

TEST_CASE("block: the governed maximum counts the whole frame", "[block]") {
  Genesis genesis = SampleGenesis();
  const BlockPtr block = SampleBlock(genesis);
  genesis.max_block_bytes = static_cast<uint32_t>(block->frame().size());
  CHECK(CheckBlock(genesis, *block).ok());
  genesis.max_block_bytes -= 1;
  CHECK(Contains(std::string(CheckBlock(genesis, *block).message()), "bytes, at most"));
}

}  // namespace vigil::ledger
