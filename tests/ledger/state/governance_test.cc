// How the set of validators changes: proposals, ballots, the sealing block, and what others try.
#include "ledger/state/governance.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ledger/chain/epoch.h"
#include "ledger/crypto/keys.h"
#include "ledger/state/governance_queries.h"
#include "ledger/state/store_codec.h"
#include "ledger/state/store_state.h"
#include "ledger/state/tables.h"
#include "ledger/state/verify_block.h"
#include "ledger/state/verify_ledger.h"
#include "tests/ledger/state/council.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {
namespace {

TEST_CASE("epochs: what a majority of organisations approved begins behind a sealing block",
          "[epochs]") {
  Council test;
  const Hash old_set = test.chain_genesis().validator_set_hash;
  const RecordIndex proposal = test.Propose("acme/root", test.With(test.newcomer));
  CHECK(test.StateOf(proposal) == ProposalState::kOpen);
  CHECK(!Seals(test.chain.Commit({}).block->header()));
  const RecordResult ballot =
      test.chain.CommitOne(test.Ballot("globex/root", proposal, BallotChoice::kApprove));
  REQUIRE(ballot.code == ResultCode::kOk);
  CHECK(ballot.effects ==
        std::vector<Effect>{{EffectType::kProposalClosed, proposal.value(), std::string("\x02")}});
  CHECK(test.StateOf(proposal) == ProposalState::kApproved);
  // Not before a header's E covers the approval.
  CHECK(!Seals(test.chain.Commit({}, 2).block->header()));
  const ExecutedBlock sealing = test.chain.Commit({});
  CHECK(Seals(sealing.block->header()));
  CHECK(test.StateOf(proposal) == ProposalState::kSealed);
  const Genesis& now = test.chain_genesis();
  CHECK(now.epoch == Epoch(2));
  CHECK(now.epoch_base == sealing.block->height());
  CHECK(now.validators.size() == 4);
  CHECK(now.validators[3] == test.newcomer);
  CHECK(now.validator_set_hash == sealing.block->header().next_validator_set_hash);
  CHECK(now.past.at(0).hash == old_set);
  const BlockPtr first = test.chain.Commit({}).block;
  CHECK(first->header().epoch == Epoch(2));
  CHECK(!Seals(first->header()));
  CHECK(CheckBlock(now, *first).ok());
  CHECK(CheckBlock(now, *sealing.block).ok());
  // Genesis alone does not know the second epoch.
  CHECK(absl::StrContains(CheckBlock(test.network.genesis(), *first).message(),
                          "epoch 2, known are 1 to 1"));
}

TEST_CASE("epochs: keys of who leaves count no longer and those of who comes do", "[epochs]") {
  Council test;
  std::vector<GenesisValidator> next = test.Without(1);
  next.push_back(test.newcomer);
  AttestationBody verdict;
  verdict.attestations = {{RecordIndex(0), 1, 100}};
  const Record of_old = test.network.Sign(verdict, "globex/v1");
  const Record of_new = test.network.Sign(verdict, test.newcomer.identity());
  CHECK(test.Admit(of_old).ok());
  CHECK(absl::IsUnauthenticated(test.Admit(of_new)));
  const ExecutedBlock sealing = test.Change(next);
  CHECK(absl::IsUnauthenticated(test.Admit(of_old)));
  CHECK(test.Admit(of_new).ok());
  const auto row =
      ReadRow<KeyRow>(test.chain.reader().state(), KeyKey(KeyIdOf(test.newcomer.record_key)));
  REQUIRE(row.ok());
  REQUIRE(row->has_value());
  CHECK((*row)->enrolled_at.value() + 1 == sealing.tip.tree.size());
  CHECK((*row)->identity == test.newcomer.identity());
  // A leader that puts it into a block all the same makes a block that nobody executes.
  CHECK(absl::IsInvalidArgument(test.chain.Add(test.chain.Next({of_old})).status()));
  CHECK(test.chain.CommitOne(of_new).code != ResultCode::kPermissionDenied);
}

TEST_CASE("epochs: a header that seals when it must not or does not when it must is refused",
          "[epochs]") {
  Council test;
  const auto refused = [&](const BlockHeader& header) {
    Council* const council = &test;
    const absl::Status status = council->chain.Add(council->chain.Make(header, {})).status();
    INFO(status);
    return absl::IsDataLoss(status) && absl::StrContains(status.message(), "next validator set");
  };
  SECTION("without an approval") {
    BlockHeader header = test.chain.NextHeader();
    header.next_validator_set_hash = HashValidatorSet(test.With(test.newcomer));
    CHECK(refused(header));
  }
  SECTION("before the approval is covered") {
    const RecordIndex proposal = test.Propose("acme/root", test.With(test.newcomer));
    REQUIRE(test.Vote("globex/root", proposal) == ResultCode::kOk);
    BlockHeader header = test.chain.NextHeader(2);
    header.next_validator_set_hash = HashValidatorSet(test.With(test.newcomer));
    CHECK(refused(header));
  }
  SECTION("not at all") {
    const RecordIndex proposal = test.Propose("acme/root", test.With(test.newcomer));
    REQUIRE(test.Vote("globex/root", proposal) == ResultCode::kOk);
    BlockHeader header = test.chain.NextHeader();
    header.next_validator_set_hash = header.validator_set_hash;
    CHECK(refused(header));
  }
  SECTION("another set") {
    const RecordIndex proposal = test.Propose("acme/root", test.With(test.newcomer));
    REQUIRE(test.Vote("globex/root", proposal) == ResultCode::kOk);
    BlockHeader header = test.chain.NextHeader();
    header.next_validator_set_hash = TestHash(7);
    CHECK(refused(header));
  }
}

TEST_CASE("epochs: after the sealing block only the next epoch goes on", "[epochs]") {
  Council test;
  const ExecutedBlock sealing = test.Change(test.Without(2));
  BlockHeader header = test.chain.NextHeader();
  REQUIRE(header.epoch == Epoch(2));
  const auto error = [&](BlockHeader bad) {
    return std::string(test.chain.Add(test.chain.Make(bad, {})).status().message());
  };
  BlockHeader old = header;
  old.epoch = Epoch(1);
  old.validator_set_hash = sealing.block->header().validator_set_hash;
  old.next_validator_set_hash = sealing.block->header().next_validator_set_hash;
  CHECK(absl::StrContains(error(old), "epoch 1, must be 2"));
  BlockHeader set = header;
  set.validator_set_hash = sealing.block->header().validator_set_hash;
  CHECK(absl::StrContains(error(set), "validator set hash"));
  BlockHeader proposer = header;
  proposer.proposer = ValidatorIndex(2);
  CHECK(absl::StrContains(error(proposer), "proposer 2 of 2"));
  BlockHeader lag = test.chain.NextHeader(2);
  CHECK(absl::StrContains(error(lag), "its epoch begins above"));
  CHECK(test.chain.Add(test.chain.Make(header, {})).ok());
}

TEST_CASE("epochs: ballots are one per organisation and a majority rejects", "[epochs]") {
  Council test;
  const RecordIndex proposal = test.Propose("acme/root", test.Without(2));
  CHECK(test.Vote("acme/root", proposal) == ResultCode::kConflict);
  CHECK(test.Vote("globex/root", RecordIndex(99)) == ResultCode::kNotFound);
  CHECK(
      absl::IsAlreadyExists(test.Admit(test.Ballot("acme/root", proposal, BallotChoice::kReject))));
  CHECK(test.Vote("globex/root", proposal, BallotChoice::kReject) == ResultCode::kOk);
  CHECK(test.StateOf(proposal) == ProposalState::kRejected);
  CHECK(test.Vote("globex/root", proposal) == ResultCode::kStale);
  CHECK(absl::IsAlreadyExists(
      test.Admit(test.Ballot("globex/root", proposal, BallotChoice::kApprove))));
  CHECK(!Seals(test.chain.Commit({}).block->header()));
  CHECK(!Seals(test.chain.Commit({}).block->header()));
  // The organisation may propose again.
  test.Propose("acme/root", test.Without(2));
}

TEST_CASE("epochs: proposals that cannot take effect are refused and say why", "[epochs]") {
  Council test;
  const auto refuse = [&](const Record& record, ResultCode code, absl::string_view what) {
    INFO(what);
    CHECK(absl::StrContains(test.Admit(record).message(), what));
    CHECK(test.chain.CommitOne(record).code == code);
  };
  const std::vector<GenesisValidator> present = test.chain_genesis().validators;
  refuse(test.Proposal("acme/root", test.Without(2), 2), ResultCode::kStale, "is for epoch 2");
  refuse(test.Proposal("acme/root", present), ResultCode::kInvalid, "is the present one");
  GenesisValidator stranger = test.newcomer;
  stranger.org = "initech";
  refuse(test.Proposal("acme/root", test.With(stranger)), ResultCode::kInvalid,
         "\"initech\" is not in genesis");
  GenesisValidator reused = test.newcomer;
  reused.log_key = test.network.key("acme/fw-1").public_key();
  refuse(test.Proposal("acme/root", test.With(reused)), ResultCode::kInvalid, "make new keys");
  GenesisValidator copied = test.newcomer;
  copied.journal_id = present[1].journal_id;
  std::vector<GenesisValidator> replaced = {present[0], copied, present[2]};
  refuse(test.Proposal("acme/root", replaced), ResultCode::kInvalid, "journal id");
  GenesisValidator namesake = test.newcomer;
  namesake.org = "acme";
  namesake.name = "ann";
  refuse(test.Proposal("acme/root", test.With(namesake)), ResultCode::kInvalid,
         "choose another name");
  refuse(test.Proposal("acme/root", {present[0], test.newcomer}), ResultCode::kInvalid,
         "change fewer at a time");
  refuse(test.Proposal("acme/root", {test.newcomer}), ResultCode::kInvalid,
         "must be a quorum of 1");
  refuse(test.Proposal("acme/root", {present[0], present[0]}), ResultCode::kInvalid, "used twice");
  refuse(test.Proposal("acme/root", test.Without(2), 1, "one:1"), ResultCode::kInvalid,
         "1 addresses of 2");
  refuse(test.Proposal("acme/root", test.Without(2), 1, "one:1,two"), ResultCode::kInvalid,
         "no \"host:port\"");
  CHECK(absl::IsPermissionDenied(test.Admit(test.Proposal("acme/ann", test.Without(2)))));
  test.Propose("acme/root", test.Without(2));
  refuse(test.Proposal("acme/root", test.Without(1)), ResultCode::kConflict, "is open");
}

TEST_CASE("epochs: once a set is approved nothing else is proposed or voted on until it begins",
          "[epochs]") {
  Council test;
  const RecordIndex other = test.Propose("globex/root", test.Without(2));
  const RecordIndex proposal = test.Propose("acme/root", test.With(test.newcomer));
  REQUIRE(test.Vote("globex/root", proposal) == ResultCode::kOk);
  // In a block that does not cover the approval, so that the epoch goes on.
  const auto commit = [&](const Record& record) {
    Council* const council = &test;
    const ExecutedBlock block = council->chain.Commit({record}, 2);
    REQUIRE(!Seals(block.block->header()));
    return block.results.at(0).code;
  };
  const Record again = test.Proposal("acme/root", test.Without(1));
  const Record late = test.Ballot("acme/root", other, BallotChoice::kApprove);
  CHECK(absl::StrContains(test.Admit(again).message(), "about to begin"));
  SECTION("a proposal") { CHECK(commit(again) == ResultCode::kConflict); }
  SECTION("a ballot") { CHECK(commit(late) == ResultCode::kStale); }
}

TEST_CASE("epochs: who has no validator has no ballot", "[epochs]") {
  Council test;
  test.Change(test.Without(1));  // Globex had one.
  const RecordIndex proposal = [&] {
    const RecordResult made = test.chain.CommitOne(test.Proposal("acme/root", test.Without(1), 2));
    REQUIRE(made.code == ResultCode::kOk);
    return made.index;
  }();
  // Acme alone is the majority.
  CHECK(test.StateOf(proposal) == ProposalState::kApproved);
  const Record ballot = test.Ballot("globex/root", proposal, BallotChoice::kReject);
  CHECK(absl::IsPermissionDenied(test.Admit(ballot)));
  CHECK(test.chain.Commit({ballot}, 2).results.at(0).code == ResultCode::kPermissionDenied);
}

TEST_CASE("epochs: state says which set each height of an epoch goes on with", "[epochs]") {
  Council test;
  const Genesis first = test.chain_genesis();
  const Height base = test.Change(test.With(test.newcomer)).block->height();
  const ChainReader reader = test.chain.reader();
  const auto next = [&](uint64_t below) {
    return NextSetHash(first, reader.state(), base - below, base - below - 1).value();
  };
  CHECK(next(0) == test.chain_genesis().validator_set_hash);
  CHECK(next(1) == first.validator_set_hash);
  CHECK(NextSetHash(test.chain_genesis(), reader.state(), base.Next(), base).value() ==
        test.chain_genesis().validator_set_hash);
  // Whoever was told of the same set from another block on does not go on.
  const Genesis late =
      WithNextEpoch(test.network.genesis(), base.Next(), test.chain_genesis().validators, {});
  CHECK(absl::IsDataLoss(AtState(late, reader.state()).status()));
  // Or of the same set as that of another epoch.
  const Genesis third =
      WithNextEpoch(WithNextEpoch(test.network.genesis(), Height(1), test.Without(3), {}), base,
                    test.chain_genesis().validators, {});
  CHECK(absl::IsDataLoss(AtState(third, reader.state()).status()));
  CHECK(AtState(test.chain_genesis(), reader.state())->epoch == Epoch(2));
}

TEST_CASE("epochs: a key that was a validator's once is never one again", "[epochs]") {
  Council test;
  const GenesisValidator gone = test.chain_genesis().validators[1];
  test.Change(test.Without(1));
  std::vector<GenesisValidator> again = test.chain_genesis().validators;
  again.push_back(gone);
  CHECK(absl::StrContains(test.Admit(test.Proposal("acme/root", again, 2)).message(),
                          "is or was in use"));
  // Globex has no validator any more, so no ballot.
  CHECK(absl::IsPermissionDenied(test.Admit(test.Proposal("globex/root", test.Without(1), 2))));
  CHECK(test.chain.CommitOne(test.Proposal("globex/root", test.Without(1), 2)).code ==
        ResultCode::kPermissionDenied);
}

TEST_CASE("epochs: what is open when the epoch ends lapses", "[epochs]") {
  Council test;
  const RecordIndex other = test.Propose("globex/root", test.Without(2));
  test.Change(test.With(test.newcomer));
  CHECK(test.StateOf(other) == ProposalState::kLapsed);
  CHECK(absl::StrContains(
      test.Admit(test.Ballot("acme/root", other, BallotChoice::kApprove)).message(), "is lapsed"));
  CHECK(test.Vote("acme/root", other) == ResultCode::kStale);
  test.Propose("globex/root", test.Without(3), 2);
}

TEST_CASE("epochs: the validators of each epoch are found by its number", "[epochs]") {
  Council test;
  const std::vector<GenesisValidator> first = test.chain_genesis().validators;
  test.Change(test.With(test.newcomer));
  test.Change(test.Without(1));
  const Genesis& genesis = test.chain_genesis();
  CHECK(ValidatorsOf(genesis, Epoch(0)) == nullptr);
  CHECK(*ValidatorsOf(genesis, Epoch(1)) == first);
  CHECK(ValidatorsOf(genesis, Epoch(2))->size() == 4);
  CHECK(*ValidatorsOf(genesis, Epoch(3)) == genesis.validators);
  CHECK(ValidatorsOf(genesis, Epoch(4)) == nullptr);
}

TEST_CASE("epochs: whose a damaged block is is judged by the set of its own epoch", "[epochs]") {
  Council test;
  const BlockHeader good = test.chain.Commit({}).block->header();
  // Place 0 is somebody else's now.
  test.Change({test.chain_genesis().validators[1], test.chain_genesis().validators[2]});
  const auto finding_of = [&](const BlockHeader& header) {
    Council* const council = &test;
    VerifyReport report;
    FindingSink sink(&report, 10, /*stop_at_first=*/false);
    const ChainReader reader = council->chain.reader();
    VerifyFrame(council->chain_genesis(), reader.state(),
                {.type = JournalType::kBlock,
                 .position = {},
                 .next = {},
                 .body = council->chain.Make(header, {})->frame()},
                BlockFindings(&sink, header.height, {}, std::nullopt), &report);
    REQUIRE(report.findings.size() == 1);
    return report.findings[0].type;
  };
  // Signed by its proposer, and wrong in what it says of the next set.
  BlockHeader bad = good;
  bad.next_validator_set_hash = TestHash(7);
  CHECK(finding_of(bad) == FindingType::kBlockInvalid);
  // Of an epoch that is not known: by nobody of the last one that is.
  bad.epoch = Epoch(9);
  CHECK(finding_of(bad) == FindingType::kBlockAltered);
}

TEST_CASE("epochs: state opened again stands in the same epoch", "[epochs]") {
  Council test;
  test.Change(test.With(test.newcomer));
  test.chain.Commit({});
  const auto again = ChainState::Open(test.chain.store(), &test.network.genesis());
  REQUIRE(again.ok());
  CHECK((*again)->genesis().epoch == Epoch(2));
  CHECK((*again)->genesis().validator_set_hash == test.chain_genesis().validator_set_hash);
  const Genesis first = AtHeight((*again)->genesis(), Height(1));
  CHECK(first.epoch == Epoch(1));
  CHECK(first.validators == test.network.genesis().validators);
  CHECK(first.past.empty());
  // Somebody who was told of another second epoch does not go on.
  Genesis lied =
      WithNextEpoch(test.network.genesis(), test.chain_genesis().epoch_base, test.Without(2), {});
  CHECK(absl::IsDataLoss(ChainState::Open(test.chain.store(), &lied).status()));
}

TEST_CASE("epochs: state whose rows are damaged begins no epoch and is said", "[epochs]") {
  Council test;
  const RecordIndex open = test.Propose("globex/root", test.Without(2));
  const RecordIndex approved = test.Propose("acme/root", test.With(test.newcomer));
  REQUIRE(test.Vote("globex/root", approved) == ResultCode::kOk);
  const BlockPtr sealing = test.chain.Next({});
  REQUIRE(Seals(sealing->header()));
  const auto damage = [&](const std::string& key, std::optional<std::string> value) {
    StoreBatch batch;
    if (value.has_value()) {
      batch.Put(StoreStateKey(key), *value);
    } else {
      batch.Delete(StoreStateKey(key));
    }
    REQUIRE(test.chain.store()->Write(batch).ok());
  };
  SECTION("what was approved is malformed") { damage(ApprovedSetKey(), "x"); }
  SECTION("the approved proposal is gone") { damage(ProposalKey(approved), std::nullopt); }
  SECTION("the approved proposal is malformed") { damage(ProposalKey(approved), "x"); }
  SECTION("what is open is malformed") {
    damage(OpenProposalKey("globex", ProposalSubject::kValidators), "x");
  }
  SECTION("the row of the epoch is malformed") {
    REQUIRE(test.chain.Add(sealing).ok());
    damage(EpochKey(Epoch(2)), "x");
    CHECK(absl::IsDataLoss(ChainState::Open(test.chain.store(), &test.network.genesis()).status()));
    std::string row;
    ByteWriter writer(&row);
    EpochRow{.base = sealing->height(), .proposal = approved, .set = "no set", .addresses = ""}
        .Encode(&writer);
    damage(EpochKey(Epoch(2)), row);
    CHECK(absl::IsDataLoss(ChainState::Open(test.chain.store(), &test.network.genesis()).status()));
    return;
  }
  SECTION("an open proposal that is gone is passed over") {
    damage(ProposalKey(open), std::nullopt);
    CHECK(test.chain.Add(sealing).ok());
    return;
  }
  const absl::Status status = test.chain.Add(sealing).status();
  INFO(status);
  CHECK(absl::IsDataLoss(status));
}

// Whether `got` says of its epoch and of those before what `want` does.
void CheckSame(const Genesis& got, const Genesis& want) {
  CHECK(got.epoch == want.epoch);
  CHECK(got.epoch_base == want.epoch_base);
  CHECK(got.validators == want.validators);
  CHECK(got.validator_set_hash == want.validator_set_hash);
  CHECK(got.validator_addresses == want.validator_addresses);
  REQUIRE(got.past.size() == want.past.size());
  for (size_t i = 0; i < want.past.size(); ++i) {
    CHECK(got.past[i].base == want.past[i].base);
    CHECK(got.past[i].validators == want.past[i].validators);
    CHECK(got.past[i].hash == want.past[i].hash);
  }
}

TEST_CASE("epochs: every change of a set comes back whole wherever it is kept", "[epochs]") {
  Council test;
  // What each change says, with every field of a newcomer another than any default.
  GenesisValidator renewed = test.network.MakeNewcomer(8);
  renewed.org = "globex";
  renewed.name = "v1";
  renewed.reveal_length = 123'456;
  const std::vector<GenesisValidator> first = test.chain_genesis().validators;
  const std::vector<std::vector<GenesisValidator>> changes = {
      {first[0], first[1], first[2], test.newcomer},  // One more,
      {first[0], renewed, first[2], test.newcomer},   // other keys for one,
      {first[0], test.newcomer, first[2], renewed},   // another order,
      {first[0], test.newcomer, renewed},             // one less.
  };
  Genesis want = test.chain_genesis();
  for (const std::vector<GenesisValidator>& next : changes) {
    const uint64_t epoch = want.epoch.value();
    INFO("the end of epoch " << epoch);
    std::vector<std::string> addresses(next.size());
    for (size_t i = 1; i < next.size(); ++i) {
      addresses[i] = absl::StrCat("host-", epoch, "-", i, ":", 7000 + i);  // None for the first.
    }
    const std::string text = absl::StrJoin(addresses, ",");
    const RecordResult proposal =
        test.chain.CommitOne(test.Proposal("acme/root", next, epoch, text));
    REQUIRE(proposal.code == ResultCode::kOk);
    const ProposalInfo open = GetProposal(test.chain.reader(), proposal.index).value();
    CHECK(DecodeValidatorSet(AsBytes(open.row.next_set)).value() == next);
    CHECK(open.row.addresses == text);
    REQUIRE(test.Vote("globex/root", proposal.index) == ResultCode::kOk);
    const Height base = test.chain.Commit({}).block->height();
    want = WithNextEpoch(want, base, next, addresses);
    CheckSame(test.chain_genesis(), want);
    CheckSame(AtState(test.network.genesis(), test.chain.reader().state()).value(), want);
    CheckSame(ChainState::Open(test.chain.store(), &test.network.genesis()).value()->genesis(),
              want);
    const EpochInfo begun = ListEpochs(test.chain.reader(), epoch + 1, 1)->at(0);
    CHECK(begun.row.base == base);
    CHECK(begun.row.proposal == proposal.index);
    CHECK(DecodeValidatorSet(AsBytes(begun.row.set)).value() == next);
    CHECK(SplitAddresses(begun.row.addresses, next.size()).value() == addresses);
    for (const GenesisValidator& validator : next) {
      CHECK(ParseValidatorEntry(WriteValidatorEntry(validator)).value() == validator);
      const auto key =
          ReadRow<KeyRow>(test.chain.reader().state(), KeyKey(KeyIdOf(validator.record_key)));
      REQUIRE(key->has_value());
      CHECK((*key)->identity == validator.identity());
      CHECK((*key)->org == validator.org);
      CHECK((*key)->roles == static_cast<uint32_t>(Role::kValidator));
      CHECK((*key)->key == validator.record_key);
    }
  }
  // Blocks of every epoch are judged by the set that made them.
  for (const BlockPtr& block : test.chain.blocks()) CHECK(CheckBlock(want, *block).ok());
}

TEST_CASE("epochs: verify walks over them and passes over closing blocks", "[epochs]") {
  Council test;
  const ExecutedBlock sealing = test.Change(test.With(test.newcomer));
  // A closing block of a later leader, which the next epoch's first block replaces.
  BlockHeader closing = sealing.block->header();
  closing.height = closing.height.Next();
  closing.view = View(9);
  closing.parent_hash = sealing.block->hash();
  closing.executed_height = sealing.block->height();
  const bool with_closing = GENERATE(false, true);
  if (with_closing) {
    test.chain.journal()->Append(JournalType::kBlock, test.chain.Make(closing, {})->frame());
  }
  test.chain.Commit({});
  test.Change(test.Without(1));
  test.chain.Commit({});
  const VerifyReport report =
      VerifyLedger(*test.chain.journal(), test.network.genesis(), test.chain.store(), {}, {});
  for (const VerifyFinding& finding : report.findings) UNSCOPED_INFO(finding.what);
  CHECK(report.finding_count == 0);
  CHECK(report.executed_height == test.chain.tip().height);
}

}  // namespace
}  // namespace vigil::ledger
