// Which voices count for alerts and models that are open when the set of validators changes.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "ledger/state/quorum.h"
#include "ledger/state/snapshot_builder.h"
#include "ledger/state/snapshot_loader.h"
#include "ledger/state/verify_ledger.h"
#include "tests/ledger/state/council.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

constexpr uint32_t kConfirm = 1;
constexpr uint32_t kDispute = 2;
constexpr char kV0[] = "acme/v0", kV1[] = "globex/v1", kV2[] = "acme/v2", kV3[] = "globex/v3";

ModelCommitmentBody Statement(uint64_t period, uint8_t digest) {
  ModelCommitmentBody body;
  body.event_type = 1;
  body.period = period;
  body.window_end = Height(1);
  body.model_digest = TestHash(digest);
  body.row_count = 512;
  body.threshold_q8 = 2048;
  return body;
}

// Four validators, of which three confirm and two dispute; a batch of many events at record 0 and
// an active model of period 1.
struct Watch : Council {
  explicit Watch(uint32_t interval = 2048) : Council(4, interval) {
    TestStream stream(&network, "acme/fw-1", "conn");
    chain.Commit({stream.Batch(500)});
    for (const char* who : {kV0, kV1, kV2}) Commit(who, 1, 1);
  }
  ResultCode Commit(const std::string& who, uint64_t period, uint8_t digest) {
    return chain.CommitOne(network.Sign(Statement(period, digest), who)).code;
  }
  uint64_t ActivePeriod() const { return chain.reader().ActiveModel(1).value()->period; }
  Record Alert(const std::string& who, uint32_t item) const {
    AlertBody body;
    body.event = {RecordIndex(0), ItemIndex(item)};
    body.event_type = 1;
    body.period = 1;
    body.model_digest = TestHash(1);
    body.score_q8 = 3000;
    body.threshold_q8 = 2048;
    body.component = 2;
    body.reasons = {{4, 700}};
    body.event_leaf = TestHash(0x55);
    return network.Sign(body, who);
  }
  RecordIndex Propose(const std::string& who, uint32_t item = 0) {
    const RecordResult result = chain.CommitOne(Alert(who, item));
    REQUIRE(result.code == ResultCode::kOk);
    return result.index;
  }
  // `epoch`: in which it is said again; 0: for the first time.
  Record Verdict(const std::string& who, RecordIndex alert, uint32_t verdict,
                 uint64_t epoch = 0) const {
    AttestationBody body;
    body.attestations = {{alert, verdict, verdict == kConfirm ? 3000u : 0u}};
    body.epoch = epoch;
    return network.Sign(body, who);
  }
  // What `who` said already, in the present epoch; whether it may enter a block is as it ends.
  RecordResult SayAgain(const std::string& who, RecordIndex alert, uint32_t verdict = kConfirm) {
    const Record record = Verdict(who, alert, verdict, chain_genesis().epoch.value());
    const bool admitted = Admit(record).ok();
    RecordResult result = chain.CommitOne(record);
    CHECK(admitted == (result.code == ResultCode::kOk));
    return result;
  }
  ResultCode Say(const std::string& who, RecordIndex alert, uint32_t verdict = kConfirm) {
    return chain.CommitOne(Verdict(who, alert, verdict)).code;
  }
  // Voices that confirm and dispute, as they were counted last.
  std::pair<uint32_t, uint32_t> CountsOf(RecordIndex alert) const {
    const AlertRow row = ReadRow<AlertRow>(chain.reader().state(), AlertKey(alert))->value();
    return {row.confirm_count, row.dispute_count};
  }
  AlertState StateOfAlert(RecordIndex alert) const {
    return chain.reader().GetAlert(alert).value().state;
  }
  // The present set with `index` out and, if given, another in its place.
  std::vector<GenesisValidator> Instead(size_t index, std::optional<GenesisValidator> other) const {
    std::vector<GenesisValidator> next = chain_genesis().validators;
    if (other.has_value()) {
      next[index] = *other;
    } else {
      next.erase(next.begin() + static_cast<std::ptrdiff_t>(index));
    }
    return next;
  }
  // globex/v1 with new keys, whose record key signs as globex/v9.
  GenesisValidator Rekeyed() {
    GenesisValidator again = network.MakeNewcomer(9);
    again.name = "v1";
    return again;
  }
};

TEST_CASE("epoch quorums: who left counts no more for an open alert and who is there does",
          "[epochs]") {
  Watch test;
  const RecordIndex alert = test.Propose(kV0);
  REQUIRE(test.Say(kV1, alert) == ResultCode::kOk);
  test.Change(test.Instead(1, test.newcomer));
  // With globex/v1 it would be three of four.
  CHECK(test.Say(kV2, alert) == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kProposed);
  SECTION("one who came with the epoch completes the quorum") {
    const RecordResult last =
        test.chain.CommitOne(test.Verdict(test.newcomer.identity(), alert, kConfirm));
    CHECK(last.effects == std::vector<Effect>{{EffectType::kAlertConfirmed, alert.value(), ""}});
    CHECK(test.StateOfAlert(alert) == AlertState::kConfirmed);
  }
  SECTION("one who stayed completes the quorum") {
    CHECK(test.Say(kV3, alert) == ResultCode::kOk);
    CHECK(test.StateOfAlert(alert) == AlertState::kConfirmed);
  }
  SECTION("who spoke before the epoch does not speak twice") {
    CHECK(test.Say(kV0, alert) == ResultCode::kAlreadyExists);
    CHECK(test.Say(kV2, alert) == ResultCode::kAlreadyExists);
    CHECK(test.StateOfAlert(alert) == AlertState::kProposed);
  }
}

TEST_CASE("epoch quorums: an alert outlives its author without their voice", "[epochs]") {
  Watch test;
  const RecordIndex alert = test.Propose(kV1);
  test.Change(test.Instead(1, test.newcomer));
  CHECK(test.Say(kV0, alert) == ResultCode::kOk);
  CHECK(test.Say(kV2, alert) == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kProposed);
  CHECK(test.Say(kV3, alert) == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kConfirmed);
}

TEST_CASE("epoch quorums: a voice counts while its author is a validator with those keys",
          "[epochs]") {
  Watch test;
  const Genesis first = test.chain_genesis();
  const auto counts = [&](const Genesis& genesis, const std::string& who, uint64_t said) {
    const ChainReader reader = test.chain.reader();
    const StateView view(&reader.state());
    return Counts(genesis, view, who, RecordIndex(said));
  };
  CHECK(counts(first, kV1, 0));
  CHECK_FALSE(counts(first, "acme/fw-1", 0));
  CHECK_FALSE(counts(first, "acme/nobody", 0));
  const uint64_t seal = test.Change(test.Instead(1, test.newcomer)).tip.tree.size() - 1;
  const Genesis& second = test.chain_genesis();
  CHECK_FALSE(counts(second, kV1, 0));
  CHECK_FALSE(counts(second, test.newcomer.identity(), seal - 1));
  CHECK(counts(second, test.newcomer.identity(), seal));
  CHECK(counts(second, kV0, 0));
  // Of a set that is over, who is enrolled no more counts no more.
  CHECK_FALSE(counts(first, kV1, 0));
}

TEST_CASE("epoch quorums: who was contested does not raise the same alert again", "[epochs]") {
  Watch test;
  const RecordIndex alert = test.Propose(kV0);
  const Record again = test.Alert(kV0, 0);
  CHECK(absl::StrContains(test.Admit(again).message(), "stands for event"));
  REQUIRE(test.Say(kV1, alert, kDispute) == ResultCode::kOk);
  REQUIRE(test.Say(kV2, alert, kDispute) == ResultCode::kOk);
  REQUIRE(test.StateOfAlert(alert) == AlertState::kContested);
  CHECK(absl::StrContains(test.Admit(again).message(), "was contested"));
  CHECK(test.chain.CommitOne(again).code == ResultCode::kAlreadyExists);
  CHECK(test.Admit(test.Alert(kV3, 0)).ok());
  CHECK(test.Propose(kV3, 0) > alert);
}

TEST_CASE("epoch quorums: disputes of who left contest nothing", "[epochs]") {
  Watch test;
  const RecordIndex alert = test.Propose(kV0);
  REQUIRE(test.Say(kV1, alert, kDispute) == ResultCode::kOk);
  test.Change(test.Instead(1, test.newcomer));
  CHECK(test.Say(kV2, alert, kDispute) == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kProposed);
  CHECK(test.Say(kV3, alert, kDispute) == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kContested);
}

TEST_CASE("epoch quorums: under new keys a validator says again what counts", "[epochs]") {
  Watch test;
  const RecordIndex alert = test.Propose(kV0);
  REQUIRE(test.Say(kV1, alert) == ResultCode::kOk);
  test.Change(test.Instead(1, test.Rekeyed()));
  CHECK(test.Say(kV2, alert) == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kProposed);
  const Record again = test.Verdict("globex/v9", alert, kConfirm);
  CHECK(test.Admit(again).ok());
  CHECK(test.chain.CommitOne(again).code == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kConfirmed);
  CHECK(absl::IsAlreadyExists(test.Admit(again)));
  CHECK(test.Say("globex/v9", alert) == ResultCode::kAlreadyExists);
  CHECK(test.chain.reader().GetAlert(alert).value().verdicts.size() == 3);
}

TEST_CASE("epoch quorums: a quorum of the smaller set is enough in its epoch", "[epochs]") {
  Watch test;
  const RecordIndex alert = test.Propose(kV0);
  REQUIRE(test.Say(kV1, alert) == ResultCode::kOk);
  test.Change(test.Instead(1, std::nullopt));
  CHECK(test.StateOfAlert(alert) == AlertState::kProposed);
  CHECK(test.Say(kV2, alert) == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kConfirmed);
}

TEST_CASE("epoch quorums: a smaller set that has nothing left to say decides by what it said",
          "[epochs]") {
  Watch test;
  const RecordIndex alert = test.Propose(kV0);
  // Two of four confirm and one disputes: open, as three confirm or two dispute.
  REQUIRE(test.Say(kV2, alert) == ResultCode::kOk);
  REQUIRE(test.Say(kV3, alert, kDispute) == ResultCode::kOk);
  SECTION("once in the new epoch and by one of those who said it") {
    test.Change(test.Instead(1, std::nullopt));
    REQUIRE(test.StateOfAlert(alert) == AlertState::kProposed);
    CHECK(test.Say(kV0, alert) == ResultCode::kAlreadyExists);
    const Record early = test.Verdict(kV0, alert, kConfirm, 3);
    CHECK(absl::IsAlreadyExists(test.Admit(early)));
    CHECK(test.chain.CommitOne(early).code == ResultCode::kStale);
    // Whoever said another thing before does not change sides so.
    const Record turned = test.Verdict(kV0, alert, kDispute, 2);
    CHECK(test.chain.CommitOne(turned).code == ResultCode::kAlreadyExists);
    REQUIRE(test.StateOfAlert(alert) == AlertState::kProposed);
    const RecordResult decided = test.SayAgain(kV2, alert);
    CHECK(decided.code == ResultCode::kOk);
    // Evidence is found by the verdicts' records, so that one of them has to be this one.
    CHECK(decided.effects == std::vector<Effect>{{EffectType::kAlertConfirmed, alert.value(), ""}});
    CHECK(test.StateOfAlert(alert) == AlertState::kConfirmed);
    CHECK(test.CountsOf(alert) == std::pair{2u, 1u});
    const AlertInfo info = test.chain.reader().GetAlert(alert).value();
    REQUIRE(info.verdicts.size() == 3);
    for (const AlertVerdict& verdict : info.verdicts) {
      CHECK((verdict.record_index == decided.index) == (verdict.validator == kV2));
    }
    // Nobody says it a third time.
    const Record late = test.Verdict(kV0, alert, kConfirm, 2);
    CHECK(test.chain.CommitOne(late).code == ResultCode::kAlreadyExists);
    CHECK(test.CountsOf(alert) == std::pair{2u, 1u});
  }
  SECTION("disputes likewise") {
    test.Change(test.Instead(2, std::nullopt));
    REQUIRE(test.StateOfAlert(alert) == AlertState::kProposed);
    // It takes two of three, so that it is not enough to say it again; of two validators one.
    CHECK(test.SayAgain(kV3, alert, kDispute).code == ResultCode::kAlreadyExists);
    test.Change(test.Instead(1, std::nullopt));
    const RecordResult decided = test.SayAgain(kV3, alert, kDispute);
    CHECK(decided.code == ResultCode::kOk);
    CHECK(test.StateOfAlert(alert) == AlertState::kContested);
  }
  SECTION("not where the set is as large as it was") {
    test.Change(test.Instead(1, test.newcomer));
    CHECK(test.SayAgain(kV0, alert).code == ResultCode::kAlreadyExists);
    CHECK(test.SayAgain(kV3, alert, kDispute).code == ResultCode::kAlreadyExists);
    CHECK(test.StateOfAlert(alert) == AlertState::kProposed);
    CHECK(test.CountsOf(alert) == std::pair{2u, 1u});
  }
}

TEST_CASE("epoch quorums: what was confirmed or contested stays so", "[epochs]") {
  Watch test;
  const RecordIndex confirmed = test.Propose(kV0, 0);
  const RecordIndex contested = test.Propose(kV0, 1);
  for (const char* who : {kV1, kV2}) {
    REQUIRE(test.Say(who, confirmed) == ResultCode::kOk);
    REQUIRE(test.Say(who, contested, kDispute) == ResultCode::kOk);
  }
  const AlertInfo before = test.chain.reader().GetAlert(confirmed).value();
  test.Change(test.Instead(1, test.Rekeyed()));
  // Not even by whose voice it became so.
  CHECK(test.Say("globex/v9", confirmed, kDispute) == ResultCode::kAlreadyExists);
  CHECK(test.Say("globex/v9", contested) == ResultCode::kAlreadyExists);
  CHECK(test.Say(kV3, confirmed, kDispute) == ResultCode::kOk);
  const AlertInfo after = test.chain.reader().GetAlert(confirmed).value();
  CHECK(after.state == AlertState::kConfirmed);
  CHECK(after.confirmed_height == before.confirmed_height);
  CHECK(after.verdicts.size() == 4);
  CHECK(test.StateOfAlert(contested) == AlertState::kContested);
}

TEST_CASE("epoch quorums: models are made active by present validators alone", "[epochs]") {
  Watch test;
  REQUIRE(test.Commit(kV0, 2, 2) == ResultCode::kOk);
  REQUIRE(test.Commit(kV1, 2, 2) == ResultCode::kOk);
  SECTION("who left") {
    test.Change(test.Instead(1, test.newcomer));
    CHECK(test.Commit(kV2, 2, 2) == ResultCode::kOk);
    CHECK(test.ActivePeriod() == 1);
    CHECK(test.Commit(test.newcomer.identity(), 2, 2) == ResultCode::kOk);
    CHECK(test.ActivePeriod() == 2);
  }
  SECTION("who has new keys") {
    test.Change(test.Instead(1, test.Rekeyed()));
    CHECK(test.Commit(kV2, 2, 2) == ResultCode::kOk);
    CHECK(test.ActivePeriod() == 1);
    const Record again = test.network.Sign(Statement(2, 2), "globex/v9");
    CHECK(test.Admit(again).ok());
    CHECK(test.chain.CommitOne(again).code == ResultCode::kOk);
    CHECK(test.ActivePeriod() == 2);
    CHECK(absl::IsAlreadyExists(test.Admit(again)));
    CHECK(test.Commit("globex/v9", 2, 3) == ResultCode::kAlreadyExists);
    // What an active model rests on does not change: globex/v1 committed to period 1 before.
    CHECK(test.Commit("globex/v9", 1, 9) == ResultCode::kAlreadyExists);
  }
}

// Loads a snapshot of `chain`, at whose tip there is one, into `store`.
void Copy(const TestChain& chain, Store* store) {
  const std::shared_ptr<SnapshotBuilder> builder =
      SnapshotBuilder::Begin(std::shared_ptr<const StoreReader>(
                                 const_cast<TestChain&>(chain).store(), [](const StoreReader*) {}),
                             chain.network().genesis())
          .value();
  std::vector<std::string> chunks;
  while (builder
             ->Step([&](ByteSpan chunk) {
               chunks.push_back(ToString(chunk));
               return absl::OkStatus();
             })
             .value()) {
  }
  const auto loader =
      SnapshotLoader::Begin(store, &chain.network().genesis(), builder->manifest(),
                            [&](const BlockInfo& info) -> absl::StatusOr<BlockPlace> {
                              const uint64_t height = info.height.value();
                              const std::string& frame = chain.blocks()[height - 1]->frame();
                              return BlockPlace{.position = chain.position(height),
                                                .frame_bytes = static_cast<uint32_t>(frame.size())};
                            })
          .value();
  for (const std::string& chunk : chunks) REQUIRE(loader->Add(AsBytes(chunk)).ok());
  REQUIRE(loader->Finish().ok());
}

TEST_CASE("epoch quorums: replay and a snapshot come to the same state", "[epochs]") {
  constexpr uint32_t kInterval = 65;
  Watch test(kInterval);
  const RecordIndex alert = test.Propose(kV0);
  REQUIRE(test.Say(kV1, alert) == ResultCode::kOk);
  REQUIRE(test.Commit(kV0, 2, 2) == ResultCode::kOk);
  REQUIRE(test.Commit(kV1, 2, 2) == ResultCode::kOk);
  test.Change(test.Instead(1, test.Rekeyed()));
  REQUIRE(test.Say(kV2, alert) == ResultCode::kOk);
  while (test.chain.tip().height < Height(kInterval)) test.chain.Commit({});
  MemoryStore store;
  Copy(test.chain, &store);
  const size_t copied = test.chain.blocks().size();
  REQUIRE(test.Commit(kV2, 2, 2) == ResultCode::kOk);
  REQUIRE(test.Say("globex/v9", alert) == ResultCode::kOk);
  REQUIRE(test.Commit("globex/v9", 2, 2) == ResultCode::kOk);
  CHECK(test.StateOfAlert(alert) == AlertState::kConfirmed);
  CHECK(test.ActivePeriod() == 2);

  const auto from_snapshot = ChainState::Open(&store, &test.network.genesis());
  REQUIRE(from_snapshot.ok());
  for (size_t i = copied; i < test.chain.blocks().size(); ++i) {
    REQUIRE((*from_snapshot)->Execute(test.chain.blocks()[i], test.chain.position(i + 1)).ok());
  }
  CHECK((*from_snapshot)->tip().state_digest == test.chain.tip().state_digest);

  MemoryStore empty;
  const auto replayed = ChainState::Open(&empty, &test.network.genesis());
  REQUIRE(replayed.ok());
  for (size_t i = 0; i < test.chain.blocks().size(); ++i) {
    REQUIRE((*replayed)->Execute(test.chain.blocks()[i], test.chain.position(i + 1)).ok());
  }
  CHECK((*replayed)->tip().state_digest == test.chain.tip().state_digest);
  const VerifyReport report =
      VerifyLedger(*test.chain.journal(), test.network.genesis(), test.chain.store(), {}, {});
  CHECK(report.finding_count == 0);
  CHECK(report.executed_height == test.chain.tip().height);
}

// What was said of one alert, from which its state follows by the rule alone.
struct SlowAlert {
  struct Voice {
    std::string identity;
    PublicKey key;
    uint32_t verdict = 0;
  };
  RecordIndex index;
  AlertState state = AlertState::kProposed;
  std::vector<Voice> voices;

  // One more voice, of a present validator, or the same `again`.
  void Hear(const Genesis& genesis, const Voice& voice, bool again) {
    const auto is_same = [&](const Voice& other) {
      return other.identity == voice.identity &&
             (state != AlertState::kProposed || other.key == voice.key);
    };
    const auto said = std::find_if(voices.begin(), voices.end(), is_same);
    if (said == voices.end()) {
      voices.push_back(voice);
    } else if (!again || said->verdict != voice.verdict) {
      return;
    }
    if (state != AlertState::kProposed) return;
    uint32_t counts[3] = {0, 0, 0};
    for (const Voice& said : voices) {
      for (const GenesisValidator& present : genesis.validators) {
        if (present.identity() == said.identity && present.record_key == said.key) {
          ++counts[said.verdict];
        }
      }
    }
    if (counts[kConfirm] >= ConfirmQuorum(genesis)) {
      state = AlertState::kConfirmed;
    } else if (counts[kDispute] >= DisputeQuorum(genesis)) {
      state = AlertState::kContested;
    }
  }
};

TEST_CASE("epoch quorums: any order of voices and changes is as the rule says", "[epochs]") {
  VIGIL_TEST_SEED(seed, 20'261'128);
  SplitMix64 random(seed);
  Watch test;
  std::map<std::string, std::string> signer;  // Whose key signs for an identity.
  for (const char* who : {kV0, kV1, kV2, kV3}) signer[who] = who;
  std::vector<SlowAlert> alerts;
  uint32_t next_item = 0;
  uint32_t next_newcomer = 10;
  const auto present = [&] {
    const auto& set = test.chain_genesis().validators;
    return set[random.Below(set.size())];
  };
  for (int step = 0; step < 400; ++step) {
    const uint64_t what = random.Below(100);
    const GenesisValidator who = present();
    const std::string identity = who.identity();
    if (what < 15 && next_item < 500) {
      SlowAlert alert;
      alert.index = test.Propose(signer[identity], next_item++);
      alert.Hear(test.chain_genesis(), {identity, who.record_key, kConfirm}, /*again=*/false);
      alerts.push_back(alert);
    } else if (what < 90 && !alerts.empty()) {
      SlowAlert& alert = alerts[random.Below(alerts.size())];
      const uint32_t verdict = random.Chance(600) ? kConfirm : kDispute;
      const uint64_t epoch = test.chain_genesis().epoch.value();
      const bool again = epoch > 1 && random.Chance(300);
      test.chain.CommitOne(test.Verdict(signer[identity], alert.index, verdict, again ? epoch : 0));
      alert.Hear(test.chain_genesis(), {identity, who.record_key, verdict}, again);
    } else if (what >= 90) {
      const size_t size = test.chain_genesis().validators.size();
      GenesisValidator coming = test.network.MakeNewcomer(next_newcomer++);
      const std::string key_name = coming.identity();
      // Somebody new, or one that is or was there under new keys.
      if (random.Chance(500)) coming.name = absl::StrCat("v", 1 + random.Below(3));
      std::vector<GenesisValidator> next = test.chain_genesis().validators;  // v0 signs blocks.
      std::erase_if(
          next, [&](const GenesisValidator& old) { return old.identity() == coming.identity(); });
      if (next.size() == size && (size >= 5 || (size > 3 && random.Chance(400)))) {
        next.erase(next.begin() + 1 + static_cast<std::ptrdiff_t>(random.Below(next.size() - 1)));
      }
      const bool grows = next.size() < 3 || random.Chance(700);
      if (grows) {
        next.push_back(coming);
        signer[coming.identity()] = key_name;
      }
      std::set<std::string> organisations;
      for (const GenesisValidator& one : next) organisations.insert(one.org);
      if (organisations.size() < 2 || next == test.chain_genesis().validators) continue;
      test.Change(next);
    }
    for (const SlowAlert& alert : alerts) {
      INFO("step " << step << ", alert " << alert.index.value());
      REQUIRE(test.StateOfAlert(alert.index) == alert.state);
    }
  }
  CHECK(test.chain_genesis().epoch > Epoch(10));
  const VerifyReport report =
      VerifyLedger(*test.chain.journal(), test.network.genesis(), test.chain.store(), {}, {});
  CHECK(report.finding_count == 0);
}

}  // namespace
}  // namespace vigil::ledger
