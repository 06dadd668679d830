// Compares every format of docs/formats.md with the files in golden/.
//
// The files are hex, 32 bytes a line, made from keys of fixed seeds; genesis.json is the file
// itself and hashes.txt has "name hex" lines. check_golden.py judges the same files by
// docs/formats.md alone, without this code. With VIGIL_REGENERATE_GOLDEN=1 in the environment the
// test writes the files instead: a change of a format is a commit of its own.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/payload.h"
#include "ledger/log/merkle.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

using samples::HashOf;
using samples::KeyNumber;

using Files = std::vector<std::pair<std::string, std::string>>;

bool Regenerating() {
  const char* const value = std::getenv("VIGIL_REGENERATE_GOLDEN");
  return value != nullptr && std::string(value) == "1";
}

std::string PathOf(const std::string& name) {
  return std::string(VIGIL_SOURCE_DIR) + "/tests/ledger/chain/golden/" + name;
}

std::string ReadFile(const std::string& name) {
  std::ifstream file(PathOf(name), std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string HexLines(const std::string& bytes) {
  std::string lines;
  for (size_t i = 0; i < bytes.size(); i += 32) {
    lines += HexEncode(AsBytes(bytes.substr(i, 32))) + "\n";
  }
  return lines;
}

// The genesis of the golden network. Its file is read, not written again: the JSON of another
// protobuf version may be spaced differently.
Genesis GoldenGenesis() {
  if (Regenerating())
    std::ofstream(PathOf("genesis.json")) << WriteGenesis(samples::SampleGenesis());
  absl::StatusOr<Genesis> genesis = ParseGenesis(ReadFile("genesis.json"));
  REQUIRE(genesis.ok());
  return *std::move(genesis);
}

// Every field differs from every other.
BlockHeader GoldenHeader(const Genesis& genesis) {
  BlockHeader header;
  header.chain_id = genesis.chain_id;
  header.epoch = Epoch(1);
  header.view = View(0x0102030405060708);
  header.height = Height(0x1112131415161718);
  header.parent_hash = HashOf(0x21);
  header.parent_view = View(0x0101010101010101);
  header.body_root = HashOf(0x22);
  header.executed_height = Height(0x1112131415161710);
  header.state_digest = HashOf(0x23);
  header.results_root = HashOf(0x24);
  header.snapshot_height = Height(0x1112131415161000);
  header.snapshot_digest = HashOf(0x25);
  header.validator_set_hash = genesis.validator_set_hash;
  header.next_validator_set_hash = HashOf(0x26);
  header.reveal = HashOf(0x27);
  header.time_unix_millis = 0x0000018BCFE56800;
  header.proposer = ValidatorIndex(2);
  return header;
}

SigningKey SignerOf(RecordKind kind) {
  switch (KindOf(kind).signer) {
    case Role::kSensor:
      return KeyNumber(100);
    case Role::kAdmin:
      return KeyNumber(101);
    default:
      return KeyNumber(4);  // Record key of validator 0.
  }
}

Files GoldenFiles(const Genesis& genesis) {
  Files files;
  for (const RecordBody& body : samples::SampleBodies()) {
    const RecordKind kind = KindOfBody(body);
    const std::string leaf = SignRecord(body, genesis.chain_id, SignerOf(kind));
    files.emplace_back(absl::StrCat("record_", KindOf(kind).name, ".hex"), HexLines(leaf));
  }
  const std::vector<std::string> events = {samples::ConnectionEvent().SerializeAsString(),
                                           samples::FullEvent().SerializeAsString(),
                                           samples::SmallestEvent().SerializeAsString()};
  files.emplace_back("event_connection.hex", HexLines(events[0]));
  files.emplace_back("event_full.hex", HexLines(events[1]));
  files.emplace_back("event_smallest.hex", HexLines(events[2]));
  files.emplace_back("payload.hex", HexLines(EncodePayload(events)));

  const std::string header = EncodeHeader(GoldenHeader(genesis));
  files.emplace_back("header.hex", HexLines(header));
  files.emplace_back("seal.hex", HexLines(EncodeSealLeaf(AsBytes(header), HashOf(0x31),
                                                         RecordIndex(0x4142434445464748),
                                                         /*record_count=*/0x51525354)));
  files.emplace_back("block.hex", HexLines(samples::SampleBlock(genesis)->frame()));
  return files;
}

std::string GoldenHashes(const Genesis& genesis) {
  const std::vector<std::string> events = {samples::ConnectionEvent().SerializeAsString(),
                                           samples::FullEvent().SerializeAsString(),
                                           samples::SmallestEvent().SerializeAsString()};
  const BlockPtr block = samples::SampleBlock(genesis);
  const std::string header = EncodeHeader(GoldenHeader(genesis));
  std::string text;
  const auto add = [&text](const char* name, const std::string& hex) {
    absl::StrAppend(&text, name, " ", hex, "\n");
  };
  add("genesis_hash", genesis.genesis_hash.ToHex());
  add("chain_id", genesis.chain_id.ToHex());
  add("validator_set_hash", genesis.validator_set_hash.ToHex());
  add("sensor_key_id", KeyNumber(100).id().ToHex());
  add("event_leaf", LeafHash(AsBytes(events[0])).ToHex());
  add("items_root",
      ItemsRoot({AsBytes(events[0]), AsBytes(events[1]), AsBytes(events[2])}).ToHex());
  add("header_hash", HeaderHash(AsBytes(header)).ToHex());
  add("block_hash", block->hash().ToHex());
  add("body_root", block->header().body_root.ToHex());
  add("reveal_parent", RevealParent(HashOf(0x27)).ToHex());
  return text;
}

}  // namespace

TEST_CASE("golden: every format is the one on file", "[golden]") {
  const Genesis genesis = GoldenGenesis();
  Files files = GoldenFiles(genesis);
  files.emplace_back("hashes.txt", GoldenHashes(genesis));
  for (const auto& [name, content] : files) {
    if (Regenerating()) std::ofstream(PathOf(name), std::ios::binary) << content;
    INFO(name);
    CHECK(ReadFile(name) == content);
  }
}

TEST_CASE("golden: the genesis on file is the sample network", "[golden]") {
  const Genesis genesis = GoldenGenesis();
  const Genesis sample = samples::SampleGenesis();
  CHECK(genesis.validator_set_hash == sample.validator_set_hash);
  CHECK(genesis.detector == sample.detector);
  CHECK(genesis.identities.size() == sample.identities.size());
}

TEST_CASE("golden: the block on file passes every check", "[golden]") {
  const Genesis genesis = GoldenGenesis();
  std::string hex = ReadFile("block.hex");
  std::erase(hex, '\n');
  const absl::StatusOr<std::string> frame = HexDecode(hex);
  REQUIRE(frame.ok());
  const absl::StatusOr<BlockPtr> block = Block::Decode(*frame);
  REQUIRE(block.ok());
  CHECK(CheckBlock(genesis, **block) == absl::OkStatus());
}

}  // namespace vigil::ledger
