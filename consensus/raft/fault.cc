// Evidence of what crashes cannot explain: docs/protocol.md, R19.
#include <utility>

#include "absl/strings/str_cat.h"
#include "consensus/raft/raft_core.h"
#include "ledger/chain/header.h"

namespace vigil::consensus {
namespace {

// Newest blocks whose signed headers are kept, to prove that another one excludes them.
constexpr size_t kRecentHeadersMax = 64;

void WriteBlock(ByteWriter* out, const ledger::BlockId& block) {
  out->U64(block.height.value()).U64(block.view.value()).Fixed(block.hash);
}

SignedHeader SignedHeaderOf(const ledger::Block& block) {
  return SignedHeader{ToString(block.header_bytes()), block.signature()};
}

}  // namespace

void RaftCore::RememberHeader(const BlockPtr& block) {
  recent_headers_[block->height()] = SignedHeaderOf(*block);
  if (recent_headers_.size() > kRecentHeadersMax) recent_headers_.erase(recent_headers_.begin());
}

void RaftCore::ReportTwoLeaders(View term, std::optional<ValidatorIndex> first,
                                ValidatorIndex other) {
  std::string evidence;
  ByteWriter(&evidence)
      .U64(config_.epoch.value())
      .U64(term.value())
      .U32(first.has_value() ? first->value() + 1 : 0)
      .U32(other.value());
  const std::string first_name =
      first.has_value() ? absl::StrCat("validator ", first->value()) : "another validator";
  Report(RaftFault::kTwoLeaders, term, other, evidence,
         absl::StrCat("validator ", other.value(), " leads term ", term.value(), ", which ",
                      first_name, " led already"));
}

void RaftCore::ReportTwoBlocks(const BlockPtr& other) {
  const BlockId& id = other->id();
  const ValidatorIndex proposer = other->header().proposer;
  const auto found = recent_headers_.find(id.height);
  if (found == recent_headers_.end()) {
    ReportTwoLeaders(id.view, std::nullopt, proposer);
    return;
  }
  const auto first = ledger::DecodeHeader(AsBytes(found->second.header_bytes));
  if (!first.ok() || first->proposer != proposer) {
    const auto first_proposer =
        first.ok() ? std::optional<ValidatorIndex>(first->proposer) : std::nullopt;
    ReportTwoLeaders(id.view, first_proposer, proposer);
    return;
  }
  Report(RaftFault::kTwoBlocks, id.view, proposer,
         EncodeTwoHeaders(found->second, SignedHeaderOf(*other)),
         absl::StrCat("validator ", proposer.value(), " signed two blocks of height ",
                      id.height.value(), " in term ", id.view.value()));
}

void RaftCore::ReportCommittedConflict(ValidatorIndex leader, const BlockId& theirs) {
  const BlockId& mine = log_.At(theirs.height);
  std::string evidence;
  ByteWriter out(&evidence);
  out.U64(config_.epoch.value()).U64(term_.value()).U32(leader.value());
  WriteBlock(&out, mine);
  WriteBlock(&out, theirs);
  Report(RaftFault::kCommittedConflict, term_, leader, evidence,
         absl::StrCat("validator ", leader.value(), ", leader of term ", term_.value(),
                      ", contradicts the committed block of height ", theirs.height.value()));
}

// Once per validator and term, so that a stubborn one does not flood.
void RaftCore::Report(RaftFault fault, View term, ValidatorIndex culprit,
                      absl::string_view evidence, std::string what) {
  const auto reported = reported_.find(culprit);
  if (reported != reported_.end() && reported->second == term) return;
  reported_[culprit] = term;
  FaultProof proof;
  proof.culprit = culprit;
  ByteWriter(&proof.evidence).U8(static_cast<uint8_t>(fault)).Raw(evidence);
  proof.what = std::move(what);
  output_.fault_proofs.push_back(std::move(proof));
}

}  // namespace vigil::consensus
