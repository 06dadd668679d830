#include <map>
#include <memory>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/log/merkle.h"
#include "ledger/state/chain_state.h"
#include "ledger/state/store_state.h"
#include "ledger/state/tables.h"
#include "tests/ledger/state/random_traffic.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

constexpr Table kAdmissionTables[] = {Table::kKey,         Table::kStreamHead,
                                      Table::kStreamReset, Table::kAlertOfEvent,
                                      Table::kVerdict,     Table::kModelCommitment};

std::map<std::string, std::string> AdmissionRows(const StateBase& state) {
  std::map<std::string, std::string> rows;
  for (const Table table : kAdmissionTables) {
    const absl::Status status =
        state.Scan(TablePrefix(table), [&](absl::string_view key, absl::string_view value) {
          rows[std::string(key)] = std::string(value);
          return true;
        });
    REQUIRE(status.ok());
  }
  return rows;
}

absl::Status Admit(const TestChain& chain, const StateBase& state, const Record& record) {
  const RecordView view = DecodeRecord(AsBytes(record.leaf)).value();
  return CheckAdmissible(chain.network().genesis(), state, view, LeafHash(AsBytes(record.leaf)));
}

}  // namespace

TEST_CASE("the state at E is what it was when E was the tip", "[state]") {
  VIGIL_TEST_SEED(seed, 9);
  const TestNetwork network;
  TestChain chain(&network);
  RandomTraffic traffic(&network, seed);
  std::vector<std::map<std::string, std::string>> history;
  for (int height = 0; height <= 150; ++height) {
    const ChainReader reader = chain.reader();
    history.push_back(AdmissionRows(reader.state()));
    if (height % 10 == 0) {
      const uint64_t tip = static_cast<uint64_t>(height);
      for (uint64_t back = 0; back <= 64 && back <= tip; back += 1 + back % 7) {
        INFO("height " << tip << ", " << back << " back");
        const auto past = StateAt(reader, Height(tip - back));
        REQUIRE(past.ok());
        REQUIRE(AdmissionRows(**past) == history[tip - back]);
        for (const auto& [key, value] : history[tip - back]) {
          REQUIRE((*past)->Get(key).value() == value);
        }
        for (const auto& [key, value] : history[tip]) {
          REQUIRE((*past)->Get(key).value().has_value() == history[tip - back].contains(key));
        }
      }
    }
    chain.Commit(traffic.ForBlock(chain.tip()));
  }
}

TEST_CASE("a past state is refused beyond the lag and above the tip", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  for (int i = 0; i < 70; ++i) chain.Commit({});
  const ChainReader reader = chain.reader();
  CHECK(StateAt(reader, Height(6)).ok());
  CHECK(absl::IsOutOfRange(StateAt(reader, Height(5)).status()));
  CHECK(StateAt(reader, Height(70)).ok());
  CHECK(absl::IsOutOfRange(StateAt(reader, Height(71)).status()));
}

TEST_CASE("a past state does not answer for tables it does not keep", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  chain.Commit({});
  const ChainReader reader = chain.reader();
  const std::unique_ptr<StateBase> past = StateAt(reader, Height(0)).value();
  CHECK(absl::IsFailedPrecondition(past->Get(AlertKey(RecordIndex(0))).status()));
  CHECK(absl::IsFailedPrecondition(past->Scan(
      TablePrefix(Table::kModel), [](absl::string_view, absl::string_view) { return true; })));
  CHECK(!past->Get("").ok());
}

TEST_CASE("a record is admissible by key and role and signature and sequence", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  const Record first = stream.Batch(1);
  const Record second = stream.MakeBatch(1);
  const ChainReader reader = chain.reader();
  CHECK(Admit(chain, reader.state(), first).ok());
  CHECK(Admit(chain, reader.state(), second).ok());  // Beyond the head: order is the builder's.

  SECTION("a key that is not enrolled") {
    std::array<uint8_t, 32> seed;
    seed.fill(0xEE);
    HeartbeatBody body;
    body.stream = "conn";
    body.sequence = 1;
    const Record record = {SignRecord(body, network.genesis().chain_id, SigningKey::FromSeed(seed)),
                           ""};
    CHECK(absl::IsUnauthenticated(Admit(chain, reader.state(), record)));
  }
  SECTION("a role that does not allow the kind") {
    TestStream other(&network, "acme/eve", "conn");
    const absl::Status status = Admit(chain, reader.state(), other.Batch(1));
    CHECK(absl::IsPermissionDenied(status));
    CHECK(status.message().find("auditor") != absl::string_view::npos);
    CHECK(status.message().find("sensor") != absl::string_view::npos);
  }
  SECTION("a signature that is not the key's") {
    Record forged = first;
    forged.leaf.back() = static_cast<char>(forged.leaf.back() ^ 1);
    CHECK(absl::IsUnauthenticated(Admit(chain, reader.state(), forged)));
  }
  SECTION("a record for another chain") {
    HeartbeatBody body;
    body.stream = "conn";
    body.sequence = 1;
    const Record record = {SignRecord(body, TestHash(1), network.key("acme/fw-1")), ""};
    CHECK(absl::IsUnauthenticated(Admit(chain, reader.state(), record)));
  }
  SECTION("a sequence at or below the head") {
    chain.Commit({first});
    const absl::Status status = Admit(chain, reader.state(), first);
    CHECK(absl::IsAlreadyExists(status));
    CHECK(status.message().find("next is sequence 2") != absl::string_view::npos);
    CHECK(status.message().find(stream.previous().ToHex()) != absl::string_view::npos);
    CHECK(Admit(chain, reader.state(), second).ok());
    // Judged by the state before, the repeat is admissible: execution calls it a duplicate.
    const std::unique_ptr<StateBase> before = StateAt(reader, Height(0)).value();
    CHECK(Admit(chain, *before, first).ok());
  }
}

TEST_CASE("a known replay of any kind is not admissible", "[state]") {
  const TestNetwork network;
  TestChain chain(&network);
  TestStream stream(&network, "acme/fw-1", "conn");
  chain.Commit({stream.Batch(1)});
  ModelCommitmentBody model;
  model.event_type = 1;
  model.period = 1;
  model.window_end = Height(1);
  model.model_digest = TestHash(1);
  model.threshold_q8 = 10;
  AlertBody alert;
  alert.event_type = 1;
  alert.period = 1;
  alert.model_digest = TestHash(1);
  alert.score_q8 = 20;
  alert.threshold_q8 = 10;
  alert.component = 1;
  alert.event_leaf = TestHash(2);
  StreamResetBody reset;
  reset.identity = "acme/fw-1";
  reset.stream = "conn";
  reset.head_sequence = 1;
  reset.reason = "disk lost";
  std::vector<Record> records = {network.Sign(model, "acme/v0"), network.Sign(model, "globex/v1"),
                                 network.Sign(alert, "acme/v0"), network.Sign(reset, "acme/root")};
  AttestationBody attestation;
  attestation.attestations = {{RecordIndex(chain.tip().tree.size() + 2), 1, 20}};
  records.push_back(network.Sign(attestation, "globex/v1"));
  for (const Record& record : records) CHECK(Admit(chain, chain.reader().state(), record).ok());
  const ExecutedBlock executed = chain.Commit(records);
  for (const RecordResult& result : executed.results) CHECK(result.code == ResultCode::kOk);
  for (const Record& record : records) {
    CHECK(absl::IsAlreadyExists(Admit(chain, chain.reader().state(), record)));
  }
  // One new verdict makes an attestation worth a leaf.
  attestation.attestations.push_back({RecordIndex(999), 1, 20});
  CHECK(Admit(chain, chain.reader().state(), network.Sign(attestation, "globex/v1")).ok());
  reset.identity = "globex/ids-1";
  CHECK(absl::IsPermissionDenied(
      Admit(chain, chain.reader().state(), network.Sign(reset, "acme/root"))));
}

}  // namespace vigil::ledger
