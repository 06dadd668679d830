// Rules of the detectors: proposed and decided by organisations, held against events from one block
// on, cited by alerts.
#include "ledger/state/rules.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/chain/scanner.h"
#include "ledger/crypto/sha256.h"
#include "ledger/state/governance_queries.h"
#include "ledger/state/rule_book.h"
#include "tests/ledger/state/council.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

// A file with one rule, number 7; `version` tells files apart.
std::string FileOf(uint32_t version, absl::string_view more = "") {
  return absl::StrCat("vigil-rules 1\nversion ", version,
                      "\nrule 7 flood\n  title Many events\n  technique T1110\n  score 10\n"
                      "  entity source\n  at-least events 3 in 60s\n  quiet 1h\n",
                      more);
}

// Three validators of acme and globex, which both have to agree; rules of version 1.
struct RulesChain {
  explicit RulesChain(const std::string& rules = FileOf(1))
      : network(3, 2048, rules), chain(&network), stream(&network, "acme/fw-1", "conn") {}

  Record Proposal(const std::string& who, const std::string& file, const Hash& replaced,
                  uint64_t epoch = 1, absl::string_view reason = "too noisy") {
    files.push_back(file);
    ProposalBody body;
    body.epoch = epoch;
    body.reason = reason;
    body.rules = files.back();
    body.replaced_rules = replaced;
    return network.Sign(body, who);
  }
  Record Proposal(const std::string& who, const std::string& file) {
    return Proposal(who, file, Newest());
  }
  Record Ballot(const std::string& who, RecordIndex proposal,
                BallotChoice choice = BallotChoice::kApprove) const {
    return network.Sign(
        BallotBody{.proposal_index = proposal, .choice = static_cast<uint32_t>(choice)}, who);
  }
  RecordIndex Propose(const std::string& who, const std::string& file) {
    const RecordResult result = chain.CommitOne(Proposal(who, file));
    REQUIRE(result.code == ResultCode::kOk);
    return result.index;
  }
  // Proposed by acme and approved by globex, in two blocks.
  RecordResult Change(const std::string& file) {
    const RecordIndex proposal = Propose("acme/root", file);
    const RecordResult decided = chain.CommitOne(Ballot("globex/root", proposal));
    REQUIRE(decided.code == ResultCode::kOk);
    return decided;
  }
  // A batch of two events in a block of its own.
  RecordIndex Events() { return chain.CommitOne(stream.Batch(2)).index; }
  // An alert of rule 7 about event `item` of `batch` under the rules with `digest`.
  AlertBody Alert(RecordIndex batch, const Hash& digest, uint32_t item = 0) const {
    AlertBody body;
    body.event = {batch, ItemIndex(item)};
    body.event_type = 1;
    body.model_digest = RuleDigestOf(digest, 7);
    body.score_q8 = body.threshold_q8 = 2560;
    body.component = kRuleComponent;
    body.event_leaf = TestHash(0x55);
    body.rule = 7;
    body.rules_digest = digest;
    body.entity_kind = 1;
    body.observed = 3;
    return body;
  }
  ResultCode Raise(const AlertBody& body) {
    return chain.CommitOne(network.Sign(body, network.validator(0))).code;
  }
  Hash Newest() const {
    const ChainReader reader = chain.reader();
    return NewestRules(chain.genesis(), StateView(&reader.state()));
  }
  ProposalRow RowOf(RecordIndex proposal) const {
    return ReadRow<ProposalRow>(chain.reader().state(), ProposalKey(proposal))->value();
  }
  absl::Status Admit(const Record& record) const {
    const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(record.leaf));
    REQUIRE(view.ok());
    const ChainReader reader = chain.reader();
    return CheckAdmissible(chain.genesis(), reader.state(), *view, LeafHash(AsBytes(record.leaf)));
  }
  uint64_t NumberAt(Height height) const {
    const ChainReader reader = chain.reader();
    return RulesNumberAt(reader.state(), height).value();
  }

  TestNetwork network;
  TestChain chain;
  TestStream stream;
  std::vector<std::string> files;
};

}  // namespace

TEST_CASE("rules: a majority of organisations replaces them from the next block on", "[state]") {
  RulesChain test;
  const Hash before = test.network.genesis().rules_digest;
  CHECK(test.Newest() == before);
  const RecordIndex proposal = test.Propose("acme/root", FileOf(2));
  CHECK(test.Newest() == before);
  CHECK(test.RowOf(proposal).state == ProposalState::kOpen);
  const RecordResult decided = test.chain.CommitOne(test.Ballot("globex/root", proposal));
  REQUIRE(decided.code == ResultCode::kOk);
  const Hash after = RulesDigestOf(FileOf(2));
  CHECK(test.Newest() == after);
  const Height height = test.chain.tip().height;
  CHECK(
      decided.effects ==
      std::vector<Effect>{{EffectType::kProposalClosed, proposal.value(),
                           std::string(1, static_cast<char>(ProposalState::kActivated))},
                          {EffectType::kRulesActivated, proposal.value(), ToString(after.span())}});
  CHECK(test.RowOf(proposal).state == ProposalState::kActivated);
  CHECK(test.NumberAt(height) == 0);
  CHECK(test.NumberAt(height.Next()) == 1);

  const ChainReader reader = test.chain.reader();
  const RulesInfo info = RulesNumbered(test.chain.genesis(), reader.state(), 1).value();
  CHECK(info.file == FileOf(2));
  CHECK(info.row.active_from == height.Next());
  CHECK(info.row.first_index == decided.index + 2);  // Behind the block's seal.
  CHECK(info.row.proposal == proposal);
  const RulesInfo genesis = RulesNumbered(test.chain.genesis(), reader.state(), 0).value();
  CHECK(genesis.file == FileOf(1));
  CHECK(genesis.row.digest == before);
  CHECK(RulesNumberOf(test.chain.genesis(), reader.state(), before).value() == 0);
  CHECK(RulesNumberOf(test.chain.genesis(), reader.state(), after).value() == 1);
  CHECK(
      absl::IsNotFound(RulesNumberOf(test.chain.genesis(), reader.state(), TestHash(3)).status()));
}

TEST_CASE("rules: an event is held against those of its own block whenever its alert comes",
          "[state]") {
  RulesChain test;
  const Hash first = test.Newest();
  const RecordIndex early = test.Events();
  // The deciding ballot stands before events of its block.
  const RecordIndex proposal = test.Propose("acme/root", FileOf(2));
  const ExecutedBlock deciding =
      test.chain.Commit({test.Ballot("globex/root", proposal), test.stream.Batch(2)});
  REQUIRE(deciding.results[0].code == ResultCode::kOk);
  const RecordIndex beside = deciding.results[1].index;
  const RecordIndex late = test.Events();
  const Hash second = test.Newest();
  REQUIRE(first != second);
  for (const RecordIndex batch : {early, beside}) {
    CAPTURE(batch.value());
    CHECK(test.Raise(test.Alert(batch, second)) == ResultCode::kNotFound);
    CHECK(test.Raise(test.Alert(batch, first)) == ResultCode::kOk);
  }
  CHECK(test.Raise(test.Alert(late, first)) == ResultCode::kNotFound);
  CHECK(test.Raise(test.Alert(late, second)) == ResultCode::kOk);
  // And so it stays after further changes, back to the first rules at last.
  test.Change(FileOf(3));
  const RecordIndex later = test.Events();
  test.Change(FileOf(1));
  const RecordIndex last = test.Events();
  CHECK(test.Newest() == first);
  CHECK(test.Raise(test.Alert(late, first, 1)) == ResultCode::kNotFound);
  CHECK(test.Raise(test.Alert(late, second, 1)) == ResultCode::kOk);
  CHECK(test.Raise(test.Alert(later, first)) == ResultCode::kNotFound);
  CHECK(test.Raise(test.Alert(later, RulesDigestOf(FileOf(3)))) == ResultCode::kOk);
  CHECK(test.Raise(test.Alert(last, second)) == ResultCode::kNotFound);
  CHECK(test.Raise(test.Alert(last, first)) == ResultCode::kOk);
  const ChainReader reader = test.chain.reader();
  CHECK(RulesNumberOf(test.chain.genesis(), reader.state(), first).value() == 3);
}

TEST_CASE("rules: a file that is none is neither admitted nor executed", "[state]") {
  RulesChain test;
  const auto refused = [&](const std::string& file, const std::string& why) {
    INFO(file);
    const Record record = test.Proposal("acme/root", file);
    const absl::Status admitted = test.Admit(record);
    CHECK(absl::IsInvalidArgument(admitted));
    INFO(admitted);
    CHECK(absl::StrContains(admitted.message(), why));
    CHECK(test.chain.CommitOne(record).code == ResultCode::kInvalid);
    CHECK(test.chain.reader()
              .state()
              .Get(OpenProposalKey("acme", ProposalSubject::kRules))
              ->has_value() == false);
  };
  refused("no rules at all\n", "line 1: begin with \"vigil-rules 1\"");
  refused("vigil-rules 2\nversion 1\n", "line 1: begin with");
  refused(FileOf(2, "  quiet 2h\n"), "line 10: rule 7: \"quiet\" is given twice");
  refused(FileOf(2, "rule 8 x\n  title X\n  score 99\n"), "line 12: rule 8: a score is 1 to 64");
  refused(FileOf(2, "rule 7 again\n"), "rule 7 after rule 7");
  refused(FileOf(2, "rule 9 half\n  title Half\n"), "rule 9: \"technique\" is missing");
  CHECK(test.Newest() == test.network.genesis().rules_digest);
  // What is active already is no change.
  refused(FileOf(1), "the file is that of the rules that it replaces");
}

TEST_CASE("rules: a file without a rule withdraws all of them", "[state]") {
  RulesChain test;
  const std::string none = "vigil-rules 1\nversion 9\n";
  test.Change(none);
  CHECK(test.Newest() == RulesDigestOf(none));
  RuleBook book(&test.chain.genesis());
  const ChainReader reader = test.chain.reader();
  const RuleSetPtr rules = book.At(reader.state(), test.chain.tip().height.Next()).value();
  CHECK(rules->rules.empty());
  CHECK(rules->version == 9);
  CHECK(book.At(reader.state(), test.chain.tip().height).value()->rules.size() == 1);
}

TEST_CASE("rules: a network that began without any gets them by a proposal", "[state]") {
  RulesChain test("");
  CHECK(test.Newest().IsZero());
  const RecordIndex early = test.Events();
  test.Change(FileOf(1));
  const RecordIndex late = test.Events();
  const Hash digest = RulesDigestOf(FileOf(1));
  CHECK(test.Raise(test.Alert(early, digest)) == ResultCode::kNotFound);
  CHECK(test.Raise(test.Alert(late, digest)) == ResultCode::kOk);
}

TEST_CASE("rules: an approval counts once and for one proposal", "[state]") {
  RulesChain test;
  const RecordIndex proposal = test.Propose("acme/root", FileOf(2));
  const Record again = test.Ballot("acme/root", proposal);
  CHECK(absl::IsAlreadyExists(test.Admit(again)));
  CHECK(test.chain.CommitOne(again).code == ResultCode::kConflict);
  CHECK(test.RowOf(proposal).approve_count == 1);
  CHECK(test.Newest() == test.network.genesis().rules_digest);
  const Record approval = test.Ballot("globex/root", proposal);
  REQUIRE(test.chain.CommitOne(approval).code == ResultCode::kOk);
  // The same bytes, and the same said anew, when the rules were replaced once more.
  test.Change(FileOf(3));
  const Hash newest = test.Newest();
  CHECK(absl::IsAlreadyExists(test.Admit(approval)));
  CHECK(test.chain.CommitOne(approval).code == ResultCode::kStale);
  CHECK(test.chain.CommitOne(test.Ballot("acme/root", proposal)).code == ResultCode::kStale);
  CHECK(test.Newest() == newest);
  CHECK(test.chain.CommitOne(test.Ballot("acme/root", RecordIndex(99))).code ==
        ResultCode::kNotFound);
}

TEST_CASE("rules: half of the organisations are too few and a rejection ends it", "[state]") {
  RulesChain test;
  const RecordIndex proposal = test.Propose("acme/root", FileOf(2));
  CHECK(test.chain.CommitOne(test.Ballot("globex/root", proposal, BallotChoice::kReject)).code ==
        ResultCode::kOk);
  CHECK(test.RowOf(proposal).state == ProposalState::kRejected);
  CHECK(test.Newest() == test.network.genesis().rules_digest);
  // An organisation alone decides where it alone has validators.
  TestNetwork alone(1, 2048, FileOf(1));
  TestChain chain(&alone);
  const std::string file = FileOf(2);
  ProposalBody body;
  body.epoch = 1;
  body.reason = "mine";
  body.rules = file;
  body.replaced_rules = alone.genesis().rules_digest;
  CHECK(chain.CommitOne(alone.Sign(body, "globex/root")).code == ResultCode::kPermissionDenied);
  const RecordResult made = chain.CommitOne(alone.Sign(body, "acme/root"));
  CHECK(made.code == ResultCode::kOk);
  REQUIRE(made.effects.size() == 3);
  CHECK(made.effects.back().type == EffectType::kRulesActivated);
}

TEST_CASE("rules: a proposal is for the rules that it names and for this epoch", "[state]") {
  RulesChain test;
  const Hash first = test.Newest();
  CHECK(test.chain.CommitOne(test.Proposal("acme/root", FileOf(2), TestHash(4))).code ==
        ResultCode::kStale);
  CHECK(test.chain.CommitOne(test.Proposal("acme/root", FileOf(2), Hash())).code ==
        ResultCode::kStale);
  CHECK(test.chain.CommitOne(test.Proposal("acme/root", FileOf(2), first, 2)).code ==
        ResultCode::kStale);
  CHECK(absl::IsAlreadyExists(test.Admit(test.Proposal("acme/root", FileOf(2), first, 2))));
  // Two are open; the one that comes first takes the ground from under the other.
  const RecordIndex acme = test.Propose("acme/root", FileOf(2));
  CHECK(absl::IsAlreadyExists(test.Admit(test.Proposal("acme/root", FileOf(5)))));
  CHECK(test.chain.CommitOne(test.Proposal("acme/root", FileOf(5))).code == ResultCode::kConflict);
  const RecordIndex globex = test.Propose("globex/root", FileOf(3));
  REQUIRE(test.chain.CommitOne(test.Ballot("acme/root", globex)).code == ResultCode::kOk);
  CHECK(test.Newest() == RulesDigestOf(FileOf(3)));
  CHECK(test.RowOf(acme).state == ProposalState::kLapsed);
  CHECK(test.chain.CommitOne(test.Ballot("globex/root", acme)).code == ResultCode::kStale);
  CHECK(test.Newest() == RulesDigestOf(FileOf(3)));
  // What was written against the first rules comes too late.
  CHECK(test.chain.CommitOne(test.Proposal("acme/root", FileOf(2), first, 1, "again")).code ==
        ResultCode::kStale);
  test.Change(FileOf(2));
  CHECK(test.Newest() == RulesDigestOf(FileOf(2)));
}

TEST_CASE("rules: a second approval in the block that decides changes nothing", "[state]") {
  RulesChain test;
  const RecordIndex acme = test.Propose("acme/root", FileOf(2));
  const RecordIndex globex = test.Propose("globex/root", FileOf(3));
  const ExecutedBlock block =
      test.chain.Commit({test.Ballot("globex/root", acme), test.Ballot("acme/root", globex)});
  CHECK(block.results[0].code == ResultCode::kOk);
  CHECK(block.results[1].code == ResultCode::kStale);
  CHECK(test.Newest() == RulesDigestOf(FileOf(2)));
}

TEST_CASE("rules: proposals for them and for sets stand beside each other", "[state]") {
  Council council;
  const RecordIndex set = council.Propose("acme/root", council.With(council.newcomer));
  const std::string file = FileOf(2);
  ProposalBody body;
  body.epoch = 1;
  body.reason = "rules, too";
  body.rules = file;
  const RecordResult rules = council.chain.CommitOne(council.network.Sign(body, "acme/root"));
  REQUIRE(rules.code == ResultCode::kOk);
  const ChainReader reader = council.chain.reader();
  const RecordIndex newest(UINT64_MAX);
  CHECK(ListProposals(reader, newest, 10, true)->size() == 2);
  const auto of = [&](ProposalSubject subject) {
    return ListProposals(reader, newest, 10, true, subject).value().at(0).index;
  };
  CHECK(of(ProposalSubject::kRules) == rules.index);
  CHECK(of(ProposalSubject::kValidators) == set);
  // Rules do not end an epoch, and its end lapses what is open for rules.
  CHECK_FALSE(reader.state().Get(ApprovedSetKey())->has_value());
  REQUIRE(council.Vote("globex/root", set) == ResultCode::kOk);
  // Beside the seal itself.
  const ExecutedBlock sealing =
      council.chain.Commit({council.Ballot("globex/root", rules.index, BallotChoice::kApprove)});
  REQUIRE(Seals(sealing.block->header()));
  CHECK(sealing.results.at(0).code == ResultCode::kStale);
  CHECK(council.StateOf(rules.index) == ProposalState::kLapsed);
}

TEST_CASE("rules: approved ones seal no epoch", "[state]") {
  RulesChain test;
  test.Change(FileOf(2));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(Seals(test.chain.Commit({}).block->header()));
  CHECK(test.chain.genesis().epoch == Epoch(1));
}

TEST_CASE("rules: a book gives the rules of a height as often as it is asked", "[state]") {
  RulesChain test;
  std::vector<Height> from = {Height(1)};
  for (uint32_t version = 2; version <= 14; ++version) {
    test.Change(FileOf(version));
    from.push_back(test.chain.tip().height.Next());
  }
  RuleBook book(&test.chain.genesis());
  const ChainReader reader = test.chain.reader();
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < from.size(); ++i) {
      CHECK(book.At(reader.state(), from[i]).value()->version == i + 1);
      if (i == 0) continue;
      const Height before(from[i].value() - 1);
      CHECK(book.At(reader.state(), before).value()->version == i);
    }
  }
  CHECK(book.WithDigest(reader.state(), RulesDigestOf(FileOf(5))).value()->version == 5);
  CHECK(absl::IsNotFound(book.WithDigest(reader.state(), TestHash(8)).status()));
}

}  // namespace vigil::ledger
