// A chain with what a validator keeps beside its journal: the log's files, a checkpoint that a
// quorum cosigned, snapshots.
#ifndef VIGIL_TESTS_LEDGER_STATE_CHAIN_FOLDER_H_
#define VIGIL_TESTS_LEDGER_STATE_CHAIN_FOLDER_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/chain/header.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"
#include "ledger/log/tiles.h"
#include "ledger/state/base_frame.h"
#include "ledger/state/log_keys.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/state/snapshot_file.h"
#include "ledger/state/verify_report.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/ledger/state/random_traffic.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {

inline constexpr char kLog[] = "/d/log";
inline constexpr char kSnapshots[] = "/d/snapshots";
inline constexpr uint64_t kInterval = 65;

inline void WriteFile(FileSystem* files, const std::string& path, absl::string_view bytes) {
  REQUIRE(files->MakeDirs(path.substr(0, path.rfind('/'))).ok());
  REQUIRE(files->WriteAtomically(path, AsBytes(bytes)).ok());
}

inline std::string Describe(const VerifyReport& report) {
  std::string text;
  for (const VerifyFinding& finding : report.findings) text += DescribeFinding(finding) + "\n";
  return text;
}

struct ChainFolder {
  // The block at `late_height` speaks of the state `lag` heights below itself.
  explicit ChainFolder(int blocks, uint64_t late_height = 0, uint64_t lag = 1)
      : network(3, kInterval), chain(&network) {
    RandomTraffic traffic(&network, 5);
    TestStream stream(&network, "acme/fw-1", "main");
    for (int i = 1; i <= blocks; ++i) {
      std::vector<Record> records = traffic.ForBlock(chain.tip());
      records.insert(records.begin(), stream.Batch(2));
      AddLeaves(chain.Next(records, static_cast<uint64_t>(i) == late_height ? lag : 1));
      bases.push_back(BaseOf(chain.tip(), i % kInterval == 0 ? chain.snapshot().digest : Hash()));
      if (i % kInterval == 0) WriteSnapshot();
    }
    WriteLog();
    WriteCheckpoint(leaves.size(), chain.tip().tree.Root());
  }

  void AddLeaves(const BlockPtr& block) {
    const Tip before = chain.tip();
    REQUIRE(chain.Add(block).ok());
    for (const Block::Entry& entry : block->records()) leaves.push_back(ToString(entry.leaf));
    leaves.push_back(EncodeSealLeaf(block->header_bytes(), before.seal_leaf,
                                    RecordIndex(before.tree.size()),
                                    static_cast<uint32_t>(block->records().size())));
    roots.push_back(chain.tip().tree);
  }

  void WriteSnapshot() {
    if (!files.Exists(kSnapshots)) REQUIRE(files.MakeDirs(kSnapshots).ok());
    const auto builder = SnapshotBuilder::Begin(chain.store()->Snapshot(), network.genesis());
    REQUIRE(builder.ok());
    std::unique_ptr<SnapshotFileWriter> file =
        SnapshotFileWriter::Create(&files, SnapshotPath(kSnapshots, chain.tip().height)).value();
    while ((*builder)->Step([&](ByteSpan chunk) { return file->Append(chunk); }).value()) {
    }
    REQUIRE(file->Finish((*builder)->manifest()).ok());
  }

  void WriteLog() {
    std::vector<Hash> hashes;
    std::vector<ByteSpan> spans;
    for (const std::string& leaf : leaves) {
      hashes.push_back(LeafHash(AsBytes(leaf)));
      spans.push_back(AsBytes(leaf));
    }
    for (const TileId& id : NewTiles(0, leaves.size())) {
      std::vector<Hash> tile;
      uint64_t per_hash = 1;
      for (uint32_t level = 0; level < id.level; ++level) per_hash *= kTileWidth;
      for (uint64_t i = 0; i < id.width; ++i) {
        const uint64_t first = (id.index * kTileWidth + i) * per_hash;
        tile.push_back(MerkleRoot(std::span<const Hash>(hashes).subspan(first, per_hash)));
      }
      WriteFile(&files, absl::StrCat(kLog, "/", TilePath(id)), EncodeTile(tile));
      if (id.level > 0) continue;
      const auto bundle = std::span<const ByteSpan>(spans).subspan(id.index * kTileWidth, id.width);
      WriteFile(&files, absl::StrCat(kLog, "/", BundlePath({.index = id.index, .width = id.width})),
                EncodeBundle(bundle));
    }
  }

  std::string SignedCheckpointOf(uint64_t size, const Hash& root, uint32_t cosigners = 2) const {
    const LogKeys keys = LogKeysOf(network.genesis());
    const std::string text = EncodeCheckpoint({.origin = keys.origin, .size = size, .root = root});
    SignedNote note{.text = text, .signatures = {}};
    note.signatures.push_back(SignNote(network.key("log/0"), keys.origin, text));
    for (uint32_t i = 0; i < cosigners; ++i) {
      note.signatures.push_back(CosignNote(network.key(absl::StrCat("cosigner/", i)),
                                           keys.cosigners[i].name, text, 1'700'000'000));
    }
    return EncodeNote(note);
  }
  void WriteCheckpoint(uint64_t size, const Hash& root, uint32_t cosigners = 2) {
    WriteFile(&files, absl::StrCat(kLog, "/checkpoint"), SignedCheckpointOf(size, root, cosigners));
  }

  void RemoveSnapshot(uint64_t height) {
    REQUIRE(files.Remove(SnapshotPath(kSnapshots, Height(height))).ok());
  }

  FaultyFileSystem files{1};
  TestNetwork network;
  TestChain chain;
  std::vector<std::string> leaves;
  std::vector<MerkleFrontier> roots;  // Behind each block.
  std::vector<BaseFrame> bases;       // Of each block.
};

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_STATE_CHAIN_FOLDER_H_
