// Archives of validators in tests, and their verification together with what is left.
#ifndef VIGIL_TESTS_NODE_KEEP_ARCHIVE_SUPPORT_H_
#define VIGIL_TESTS_NODE_KEEP_ARCHIVE_SUPPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "ledger/state/ledger_places.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/storage/leveldb_store.h"
#include "ledger/storage/overlay_file_system.h"
#include "tests/node/keep/keep_support.h"
#include "tests/support/catch.h"

namespace vigil::node {

inline constexpr char kArchive[] = "/archive";

inline std::string Describe(const ledger::VerifyReport& report) {
  std::string text;
  for (const ledger::VerifyFinding& finding : report.findings) {
    text += ledger::DescribeFinding(finding) + "\n";
  }
  return text;
}

// Of the validator's folder, unless `data` is false, and of archives.
inline ledger::VerifyReport Verify(KeptCluster* kept, bool data,
                                   std::vector<std::string> archives) {
  ledger::VerifyOptions options;
  if (data) {
    options.files = kept->disk();
    options.log_directory.assign(kData).append("/log");
    options.snapshot_directory.assign(kData).append("/snapshots");
  }
  const auto opened = ledger::OpenLedger(
      kept->disk(), kept->genesis(),
      {.data_directory = data ? kData : "", .archives = std::move(archives)}, &options);
  INFO(opened.status());
  REQUIRE(opened.ok());
  ledger::OverlayFileSystem overlay(kept->disk());
  const auto store = ledger::OpenLevelDbStore(&overlay, std::string(kData) + "/state", {});
  REQUIRE(store.ok());
  return ledger::VerifyLedger(*opened->journal, kept->genesis(), data ? store->get() : nullptr,
                              options, nullptr);
}

}  // namespace vigil::node

#endif  // VIGIL_TESTS_NODE_KEEP_ARCHIVE_SUPPORT_H_
