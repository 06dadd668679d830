// The replica's part in handing leadership over (docs/protocol.md, R26): whom to, and how it went.
#include "absl/strings/str_cat.h"
#include "node/driver/replica.h"

namespace vigil::node {
namespace {

using consensus::PeerProgress;

}  // namespace

std::string Replica::NameOf(std::optional<ValidatorIndex> validator) const {
  return validator.has_value() ? ports_.genesis->validators[validator->value()].identity()
                               : std::string("nobody that it knows of");
}

// Whoever is heard, may be elected and has most of the chain.
std::optional<ValidatorIndex> Replica::BestSuccessor() const {
  const PeerProgress* best = nullptr;
  for (const PeerProgress& peer : status_.peers) {
    if (!peer.active || !peer.voter || !ports_.transport->IsConnected(peer.validator)) continue;
    if (best == nullptr || peer.match > best->match) best = &peer;
  }
  return best == nullptr ? std::nullopt : std::optional<ValidatorIndex>(best->validator);
}

void Replica::BeginTransfer(const TransferDesk::Question& question) {
  const auto refuse = [this](ServiceError error) {
    ports_.transfers->Answer({.error = std::move(error), .leader = ValidatorIndex()});
  };
  // It leads already, as whoever asks again after a lost answer finds.
  if (question.to.has_value() && question.to == status_.leader) {
    ports_.transfers->Answer({.error = ServiceError(), .leader = *question.to});
    return;
  }
  if (!Leads()) {
    return refuse(
        MakeError(absl::StatusCode::kUnavailable, "transfer.not_leader",
                  absl::StrCat("this validator does not lead; ", NameOf(status_.leader), " does"),
                  "ask the leader"));
  }
  const std::optional<ValidatorIndex> to = question.to.has_value() ? question.to : BestSuccessor();
  if (!to.has_value()) {
    return refuse(MakeError(absl::StatusCode::kFailedPrecondition, "transfer.no_successor",
                            "no other validator is heard that may vote",
                            "start another validator first; vigil status shows them"));
  }
  Feed(consensus::Transfer{*to});
  if (status_.transfer_to != to) {
    return refuse(
        MakeError(absl::StatusCode::kFailedPrecondition, "transfer.target",
                  absl::StrCat(NameOf(to), " cannot take over: it is not heard, or may not vote"),
                  "see vigil status; choose another validator, or start that one"));
  }
  (*ports_.log)(LogLevel::kInfo, "replica", absl::StrCat("hands leadership over to ", NameOf(to)));
  transfer_to_ = to;
  transfer_until_micros_ = ports_.clock->MonotonicMicros() + options_.leaderless_micros_max;
}

bool Replica::FollowTransfer() {
  if (const auto question = ports_.transfers->Take(); question.has_value()) {
    BeginTransfer(*question);
    return true;
  }
  if (!transfer_to_.has_value()) return false;
  const bool over = status_.leader == transfer_to_;
  const bool given_up = status_.leader.has_value() && !status_.transfer_to.has_value();
  const bool late = ports_.clock->MonotonicMicros() >= transfer_until_micros_;
  if (!over && !given_up && !late) return false;
  TransferOutcome outcome;
  outcome.leader = *transfer_to_;
  if (!over) {
    outcome.error = MakeError(absl::StatusCode::kFailedPrecondition, "transfer.given_up",
                              absl::StrCat(NameOf(transfer_to_), " did not take over; ",
                                           NameOf(status_.leader), " leads"),
                              "see vigil status, whether it lags or is cut off; then ask again");
  }
  transfer_to_.reset();
  ports_.transfers->Answer(outcome);
  return true;
}

}  // namespace vigil::node
