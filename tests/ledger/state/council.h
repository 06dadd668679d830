// A chain whose validators and organisations can change its set.
#ifndef VIGIL_TESTS_LEDGER_STATE_COUNCIL_H_
#define VIGIL_TESTS_LEDGER_STATE_COUNCIL_H_

#include <string>
#include <vector>

#include "ledger/chain/epoch.h"
#include "ledger/log/merkle.h"
#include "ledger/state/chain_state.h"
#include "ledger/state/governance.h"
#include "ledger/state/tables.h"
#include "tests/support/catch.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {

// Validators acme/v0, globex/v1, acme/v2 ...; acme/root and globex/root have a ballot each.
struct Council {
  explicit Council(uint32_t validators = 3, uint32_t snapshot_interval_blocks = 2048)
      : network(validators, snapshot_interval_blocks),
        newcomer(network.MakeNewcomer(validators)),
        chain(&network) {}

  std::vector<GenesisValidator> With(const GenesisValidator& added) const {
    std::vector<GenesisValidator> next = chain_genesis().validators;
    next.push_back(added);
    return next;
  }
  std::vector<GenesisValidator> Without(size_t index) const {
    std::vector<GenesisValidator> next = chain_genesis().validators;
    next.erase(next.begin() + static_cast<std::ptrdiff_t>(index));
    return next;
  }
  const Genesis& chain_genesis() const { return chain.genesis(); }
  Record Proposal(const std::string& who, const std::vector<GenesisValidator>& next,
                  uint64_t epoch = 1, absl::string_view addresses = "") {
    sets.push_back(EncodeValidatorSet(next));
    ProposalBody body;
    body.epoch = epoch;
    body.next_set = AsBytes(sets.back());
    body.addresses = addresses;
    body.reason = "v1 was broken into";
    return network.Sign(body, who);
  }
  Record Ballot(const std::string& who, RecordIndex proposal, BallotChoice choice) const {
    return network.Sign(
        BallotBody{.proposal_index = proposal, .choice = static_cast<uint32_t>(choice)}, who);
  }
  RecordIndex Propose(const std::string& who, const std::vector<GenesisValidator>& next,
                      uint64_t epoch = 1) {
    const RecordResult result = chain.CommitOne(Proposal(who, next, epoch));
    REQUIRE(result.code == ResultCode::kOk);
    return result.index;
  }
  ResultCode Vote(const std::string& who, RecordIndex proposal,
                  BallotChoice choice = BallotChoice::kApprove) {
    return chain.CommitOne(Ballot(who, proposal, choice)).code;
  }
  // Proposed by acme, approved by globex, and sealed.
  ExecutedBlock Change(const std::vector<GenesisValidator>& next) {
    const uint64_t epoch = chain_genesis().epoch.value();
    const RecordIndex proposal = Propose("acme/root", next, epoch);
    REQUIRE(Vote("globex/root", proposal) == ResultCode::kOk);
    ExecutedBlock sealing = chain.Commit({});
    REQUIRE(Seals(sealing.block->header()));
    return sealing;
  }
  ProposalState StateOf(RecordIndex proposal) const {
    return ReadRow<ProposalRow>(chain.reader().state(), ProposalKey(proposal))->value().state;
  }
  absl::Status Admit(const Record& record) const {
    const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(record.leaf));
    REQUIRE(view.ok());
    const ChainReader reader = chain.reader();
    return CheckAdmissible(chain_genesis(), reader.state(), *view, LeafHash(AsBytes(record.leaf)));
  }

  TestNetwork network;
  GenesisValidator newcomer;
  TestChain chain;
  std::vector<std::string> sets;
};

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_STATE_COUNCIL_H_
