// What the archive command moved verifies together with what it left, and alone.
#include <string>
#include <vector>

#include "ledger/state/archive_manifest.h"
#include "node/keep/archive.h"
#include "tests/node/keep/archive_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

using ledger::VerifyReport;
using ledger::VerifyVerdict;

}  // namespace

TEST_CASE("archive verify: with what was left it is the whole ledger and alone its part",
          "[keep]") {
  sim::NetworkOptions network{.validators = 1, .snapshot_interval_blocks = 65};
  network.detector.window_rows_max = 512;
  network.detector.window_rows_min = 64;
  network.detector.period_events = 100'000;
  KeptCluster kept(network, 81, 32 * 1024);
  for (int i = 0; i < 290; ++i) {
    REQUIRE(SubmitAndWait(&kept.cluster, 0, kept.stream.NextBatch(60)).error.ok());
  }
  kept.cluster.RunFor(3 * kSecond);
  const ledger::Tip tip = kept.cluster.node(0)->Snapshot()->GetTip().value();
  kept.cluster.node(0)->Stop();
  kept.cluster.Crash(0, ledger::CrashMode::kProcessOnly);
  for (const char* store : {"state", "index", "detect"}) {
    const auto opened = StoresIn(kept.disk(), kData)(store, /*wipe=*/false);
    REQUIRE(opened.ok());
    REQUIRE((*opened)->Sync().ok());
  }
  const auto archived =
      ArchiveData(kept.disk(), {.data_dir = kData,
                                .guard_path = kGuard,
                                .archive = kArchive,
                                .genesis = &kept.genesis(),
                                .genesis_file = ledger::WriteGenesis(kept.genesis()),
                                .journal_bytes_max = 0,
                                .journal = {.segment_bytes = 32 * 1024}});
  INFO(archived.status());
  REQUIRE(archived.ok());
  const VerifyReport whole = Verify(&kept, true, {kArchive});
  INFO(Describe(whole));
  CHECK(whole.verdict() == VerifyVerdict::kVerified);
  CHECK(whole.executed_height == whole.committed_height);
  CHECK(whole.executed_height >= tip.height);
  CHECK(whole.store_compared);
  const VerifyReport left = Verify(&kept, true, {});
  INFO(Describe(left));
  CHECK(left.verdict() == VerifyVerdict::kVerifiedFromBase);
  CHECK(left.base->in_log);
  const Height base = left.base->frame.block.height;
  CHECK(left.missing.back().last == base);
  const VerifyReport alone = Verify(&kept, false, {kArchive});
  INFO(Describe(alone));
  CHECK(alone.verdict() == VerifyVerdict::kVerified);
  CHECK(alone.committed_height == base);
  CHECK(alone.checkpoint.has_value());
  CHECK(alone.block_count + left.block_count == whole.block_count);
}

}  // namespace vigil::node
