// The whole client on a disk that crashes at every operation: whatever happens, each line of the
// log is on the chain exactly once in the end.
#include <algorithm>

#include "client/ingest/ingest.h"
#include "ledger/storage/faulty_file_system.h"
#include "tests/client/ingest/ingest_test_support.h"
#include "tests/client/ingest/temp_folder.h"
#include "tests/client/lib/fake_validator.h"
#include "tests/client/lib/lib_test_support.h"

namespace vigil::client {
namespace {

constexpr int kLines = 23;

std::string Lines() {
  std::string lines;
  for (int i = 1; i <= kLines; ++i) {
    if (i % 7 == 0) lines += "not json\n";
    lines += R"({"ts":1.5,"conn_state":"SF","uid":")" + std::to_string(i) + "\"}\n";
  }
  return lines;
}

// One run of the command; errors are what a crash leaves behind.
absl::Status RunOnce(const std::string& log, FakeValidator* validator, ledger::FileSystem* disk) {
  const std::unique_ptr<Client> client = ConnectTo({validator->endpoint()}, 2000);
  auto store = CheckpointStore::Open(disk, "/state/checkpoints");
  if (!store.ok()) return store.status();
  SubmitterOptions submit;
  submit.identity = "acme/sensor";
  submit.stream = "s";
  submit.chain_id = TestChainId();
  submit.receipts = ReceiptCheck::kTrust;
  submit.spool_folder = "/state/spool";
  submit.window = 3;
  submit.give_up_millis = 5000;
  submit.backoff_millis_min = 1;
  auto submitter = Submitter::Open(
      submit, &TestKey(), client.get(), disk, SystemClock(),
      [&](const std::vector<std::string>& marks) { return KeepMarks(store->get(), marks); });
  if (!submitter.ok()) return submitter.status();
  AssumeMarks(store->get(), (*submitter)->PendingMarks());
  IngestOptions options;
  options.inputs = {log};
  options.state_folder = "/state";
  options.read.batch.items_max = 4;
  SilentProgress progress;
  auto report =
      RunIngestInto(options, store->get(), submitter->get(), SystemClock(), disk, &progress);
  if (!report.ok()) return report.status();
  if (report->status.ok()) {
    CHECK(report->total.accepted + report->total.already_covered + report->total.quarantined ==
          report->total.lines);
  }
  return report->status;
}

TEST_CASE("ingest: after a crash at any disk operation every line is on the chain once",
          "[ingest]") {
  TempFolder folder;
  const std::string log = folder.Write("conn.log", Lines());
  std::vector<std::string> expected;
  for (int i = 1; i <= kLines; ++i) expected.push_back(std::to_string(i));
  bool crashed = true;
  for (uint64_t operation = 0; crashed; ++operation) {
    FakeChain chain(TestChainId(), TestKey().public_key());
    FakeValidator validator(&chain);
    // Lost answers make the crash fall between taking and knowing.
    if (operation % 2 == 1) validator.Inject({Fault::kNone, Fault::kLoseAck});
    ledger::FaultyFileSystem disk(/*seed=*/operation);
    REQUIRE(disk.MakeDirs("/state").ok());
    disk.CrashAt(disk.operation_count() + operation);
    const absl::Status first = RunOnce(log, &validator, &disk);
    crashed = disk.is_off();
    INFO("operation " << operation << ": " << first);
    if (!crashed) CHECK(first.ok());
    disk.Crash(ledger::CrashMode::kAnyLoss);
    REQUIRE(disk.MakeDirs("/state").ok());
    const absl::Status second = RunOnce(log, &validator, &disk);
    INFO(second);
    REQUIRE(second.ok());
    std::vector<std::string> uids;
    for (const std::string& bytes : chain.events()) {
      v1::Event event;
      REQUIRE(event.ParseFromString(bytes));
      uids.push_back(event.source_uid());
    }
    CHECK(uids == expected);
    CHECK(chain.conflicts() == 0);
    REQUIRE(RunOnce(log, &validator, &disk).ok());
    CHECK(chain.events().size() == expected.size());
  }
}

TEST_CASE("ingest: key and identity must be those of one another in the genesis file", "[ingest]") {
  const PublicKey mine = TestKey().public_key();
  const PublicKey other = ledger::SigningKey::FromSeed({4}).public_key();
  ledger::Genesis genesis;
  genesis.identities = {{.name = "sensor-1", .org = "org-2", .roles = 2, .key = mine},
                        {.name = "sensor-1", .org = "org-1", .roles = 2, .key = other}};
  CHECK(IdentityOfKey(genesis, mine, "").value() == "org-2/sensor-1");
  CHECK(IdentityOfKey(genesis, mine, "org-2/sensor-1").value() == "org-2/sensor-1");
  const auto why = [&](const PublicKey& key, const std::string& claimed) {
    const absl::Status status = IdentityOfKey(genesis, key, claimed).status();
    CHECK(absl::IsInvalidArgument(status));
    return std::string(status.message());
  };
  CHECK(why(mine, "org-1/sensor-1").find("is org-2/sensor-1, --identity says org-1/sensor-1") !=
        std::string::npos);
  CHECK(why(mine, "org-9/x").find("is org-2/sensor-1, --identity says org-9/x") !=
        std::string::npos);
  const PublicKey stranger = ledger::SigningKey::FromSeed({5}).public_key();
  CHECK(why(stranger, "org-1/sensor-1").find("--signing-key has") != std::string::npos);
  CHECK(why(stranger, "").find("no identity with the key") != std::string::npos);
  CHECK(why(stranger, "org-9/x").find("no identity with the key") != std::string::npos);
}

TEST_CASE("ingest: the command needs key genesis and state folder", "[ingest]") {
  SilentProgress progress;
  IngestOptions options;
  CHECK(absl::IsInvalidArgument(RunIngest(options, &progress).status()));
  options.inputs = {"x"};
  CHECK(absl::IsInvalidArgument(RunIngest(options, &progress).status()));
  TempFolder folder;
  options.state_folder = folder.path("state");
  options.key_path = folder.path("none.key");
  CHECK(absl::IsNotFound(RunIngest(options, &progress).status()));
}

}  // namespace
}  // namespace vigil::client
