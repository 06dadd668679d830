#include "node/driver/learner_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/header.h"
#include "ledger/crypto/keys.h"
#include "node/driver/peer_frame.h"

namespace vigil::node {

LearnerDesk::LearnerDesk(const Ports& ports, const Options& options)
    : ports_(ports), answers_(this) {
  FetchServer::Ports fetch = ports.fetch;
  fetch.transport = &answers_;
  server_ = std::make_unique<FetchServer>(
      fetch, FetchServer::Options{.validator_count = kLearnersMax,
                                  .bytes_per_second = options.bytes_per_second,
                                  .snapshots = options.snapshots,
                                  .snapshot_interval_blocks = options.snapshot_interval_blocks});
}

bool LearnerDesk::Answers::Send(ValidatorIndex to, OutFrame frame) {
  std::shared_ptr<LearnerStream> stream;
  {
    MutexLock lock(&desk_->mutex_);
    Learner& learner = desk_->learners_[to.value()];
    if (learner.under_way > 0) --learner.under_way;
    stream = learner.stream;
  }
  return stream != nullptr && stream->Send(EncodeLearnerAnswer(frame.head));
}

absl::StatusOr<std::vector<Newcomer>> LearnerDesk::Named() const {
  const Height height = ports_.chain->tip();
  {
    MutexLock lock(&mutex_);
    if (known_.has_value() && known_height_ == height) return *known_;
  }
  const ChainAccess::View view = ports_.chain->CurrentView();
  ASSIGN_OR_RETURN(std::vector<Newcomer> named, NewcomersOf(*ports_.genesis, *view.reader));
  MutexLock lock(&mutex_);
  if (!known_.has_value() || known_height_ < height) {
    known_ = named;
    known_height_ = height;
  }
  return named;
}

absl::Status LearnerDesk::CheckNamed(const std::vector<Newcomer>& newcomers,
                                     const Learner& learner) {
  for (const Newcomer& one : newcomers) {
    if (one.counts && one.entry.identity() == learner.identity &&
        one.entry.journal_id == learner.journal_id &&
        one.entry.consensus_key == learner.consensus_key) {
      return absl::OkStatus();
    }
  }
  return WhyNotLetIn(newcomers, learner.identity, learner.journal_id);
}

absl::Status LearnerDesk::Refused(absl::Status why) {
  MutexLock lock(&mutex_);
  ++counts_.refused;
  return why;
}

absl::Status LearnerDesk::OnLearnerFrame(const std::shared_ptr<LearnerStream>& stream,
                                         absl::string_view frame) {
  const absl::StatusOr<LearnerFrameType> type = LearnerFrameTypeOf(frame);
  if (!type.ok()) return Refused(type.status());
  if (*type == LearnerFrameType::kHello) return OnHello(stream, frame);
  if (*type == LearnerFrameType::kRequest) return OnRequest(stream.get(), frame);
  return Refused(absl::InvalidArgumentError(absl::StrCat(
      "a learner frame of type ", static_cast<int>(*type), ", which validators send")));
}

// Anchors prove themselves, and any client is told them: they are no secret.
void LearnerDesk::Welcome(LearnerStream* stream, Epoch from) const {
  LearnerWelcome welcome;
  welcome.epoch = ports_.genesis->epoch;
  welcome.final = ports_.final_height();
  for (ledger::EpochAnchor& anchor : ports_.anchors()) {
    const absl::StatusOr<ledger::Seal> seal = ledger::DecodeSealLeaf(AsBytes(anchor.seal_leaf));
    if (!seal.ok() || seal->header.epoch < from) continue;
    if (welcome.anchors.size() < kHelloAnchorsMax) welcome.anchors.push_back(std::move(anchor));
  }
  (void)stream->Send(EncodeLearnerWelcome(welcome));  // A stream that takes nothing ends soon.
}

absl::Status LearnerDesk::OnHello(const std::shared_ptr<LearnerStream>& stream,
                                  absl::string_view frame) {
  const absl::StatusOr<LearnerHello> hello = DecodeLearnerHello(frame);
  if (!hello.ok()) return Refused(hello.status());
  if (hello->chain_id != ports_.genesis->chain_id) {
    return Refused(absl::InvalidArgumentError(
        absl::StrCat("hello of chain ", hello->chain_id.ToHex(), ", this is ",
                     ports_.genesis->chain_id.ToHex(), "; both must have the same genesis file")));
  }
  Welcome(stream.get(), hello->epoch);
  if (hello->epoch != ports_.genesis->epoch) {
    return Refused(absl::FailedPreconditionError(
        absl::StrCat("hello of epoch ", hello->epoch.value(), ", this validator is in epoch ",
                     ports_.genesis->epoch.value())));
  }
  ASSIGN_OR_RETURN(const std::vector<Newcomer> named, Named());
  Learner learner{.stream = stream,
                  .identity = stream->identity(),
                  .journal_id = hello->journal_id,
                  .consensus_key = {},
                  .height = hello->height,
                  .seen_micros = ports_.clock->MonotonicMicros(),
                  .under_way = 0};
  const std::string message =
      LearnerHelloMessage(*hello, learner.identity, ports_.self, stream->certificate_hash());
  absl::Status why = WhyNotLetIn(named, learner.identity, learner.journal_id);
  for (const Newcomer& one : named) {
    if (!one.counts || one.entry.identity() != learner.identity ||
        one.entry.journal_id != learner.journal_id) {
      continue;
    }
    learner.consensus_key = one.entry.consensus_key;
    if (ledger::VerifySignature(one.entry.consensus_key, AsBytes(message), hello->signature)) {
      why = absl::OkStatus();
      break;
    }
    why = absl::UnauthenticatedError(
        absl::StrCat("hello that the consensus key which proposal ", one.proposal.value(),
                     " names for ", learner.identity, " did not sign for this connection"));
  }
  if (!why.ok()) return Refused(std::move(why));
  RETURN_IF_ERROR(Place(std::move(learner)));
  (*ports_.log)(LogLevel::kInfo, "learners",
                absl::StrCat("lets ", stream->identity(), " learn, which a proposal names; it is ",
                             "at height ", hello->height.value()));
  return absl::OkStatus();
}

// One place for the same keys, whatever streams they open: what is under way of an earlier one
// counts still.
absl::Status LearnerDesk::Place(Learner learner) {
  std::shared_ptr<LearnerStream> before;
  const LearnerStream* const stream = learner.stream.get();
  {
    MutexLock lock(&mutex_);
    auto place = std::ranges::find_if(learners_, [&](const Learner& one) {
      return one.identity == learner.identity && one.consensus_key == learner.consensus_key;
    });
    if (place == learners_.end()) {
      // Requests of whoever had the place may still wait to be answered, to nobody.
      place = std::ranges::find_if(learners_, [](const Learner& one) {
        return one.stream == nullptr && one.under_way == 0;
      });
    }
    if (place == learners_.end()) {
      ++counts_.refused;
      return absl::ResourceExhaustedError(
          absl::StrCat(kLearnersMax, " machines learn here already"));
    }
    before = std::move(place->stream);
    learner.under_way = place->under_way;
    *place = std::move(learner);
    ++counts_.let_in;
  }
  if (before != nullptr && before.get() != stream) {
    before->End(absl::AbortedError("a newer stream of this newcomer began"));
  }
  return absl::OkStatus();
}

absl::Status LearnerDesk::OnRequest(const LearnerStream* stream, absl::string_view frame) {
  absl::StatusOr<LearnerRequest> request = DecodeLearnerRequest(frame);
  if (!request.ok()) return Refused(request.status());
  ASSIGN_OR_RETURN(const std::vector<Newcomer> named, Named());
  size_t place = 0;
  absl::Status why;
  {
    MutexLock lock(&mutex_);
    const auto found = std::ranges::find_if(
        learners_, [&](const Learner& one) { return one.stream.get() == stream; });
    if (found == learners_.end()) {
      ++counts_.refused;
      return absl::FailedPreconditionError("frame before a good hello");
    }
    why = CheckNamed(named, *found);
    if (why.ok() && request->fetch.has_value() && found->under_way >= kFetchWaitingMax) {
      why = absl::ResourceExhaustedError(
          absl::StrCat(kFetchWaitingMax, " requests of this newcomer wait here"));
    }
    if (!why.ok()) {
      found->stream.reset();
      ++counts_.refused;
      return why;
    }
    found->height = request->height;
    found->seen_micros = ports_.clock->MonotonicMicros();
    if (!request->fetch.has_value()) return absl::OkStatus();
    ++found->under_way;
    place = static_cast<size_t>(found - learners_.begin());
  }
  server_->OnRequest(ValidatorIndex(static_cast<uint32_t>(place)), *std::move(request->fetch));
  signal()->Set();
  return absl::OkStatus();
}

void LearnerDesk::OnLearnerEnd(const LearnerStream* stream) {
  std::shared_ptr<LearnerStream> ended;  // Let go of outside the lock.
  MutexLock lock(&mutex_);
  for (Learner& learner : learners_) {
    if (learner.stream.get() == stream) ended = std::move(learner.stream);
  }
}

// A decision of the chain reaches whoever it is about.
void LearnerDesk::SendAway() {
  const Height height = ports_.chain->tip();
  if (height == checked_height_) return;
  checked_height_ = height;
  const absl::StatusOr<std::vector<Newcomer>> named = Named();
  if (!named.ok()) return;
  std::vector<std::pair<std::shared_ptr<LearnerStream>, absl::Status>> gone;
  {
    MutexLock lock(&mutex_);
    for (Learner& learner : learners_) {
      if (learner.stream == nullptr) continue;
      absl::Status why = CheckNamed(*named, learner);
      if (why.ok()) continue;
      gone.emplace_back(std::move(learner.stream), std::move(why));
      learner.stream = nullptr;
    }
  }
  for (const auto& [stream, why] : gone) {
    (*ports_.log)(LogLevel::kInfo, "learners",
                  absl::StrCat(stream->identity(), " learns no more: ", why.message()));
    stream->End(why);
  }
}

bool LearnerDesk::Step() {
  SendAway();
  return server_->Step();
}

absl::StatusOr<std::vector<NewcomerStanding>> LearnerDesk::Standings() const {
  ASSIGN_OR_RETURN(std::vector<Newcomer> named, Named());
  const uint64_t final = ports_.final_height().value();
  const int64_t now = ports_.clock->MonotonicMicros();
  std::vector<NewcomerStanding> standings;
  MutexLock lock(&mutex_);
  for (Newcomer& one : named) {
    if (!one.counts) continue;
    NewcomerStanding standing;
    for (const Learner& learner : learners_) {
      if (learner.stream == nullptr || learner.identity != one.entry.identity() ||
          learner.consensus_key != one.entry.consensus_key) {
        continue;
      }
      standing.learns = true;
      standing.height = learner.height;
      standing.silent_micros = now - learner.seen_micros;
    }
    const uint64_t at = std::min(standing.height.value(), final);
    standing.behind = final - at;
    standing.caught_up = standing.learns && standing.behind <= kLearnerBehindMax &&
                         standing.silent_micros <= kLearnerSilentMicrosMax;
    standing.newcomer = std::move(one);
    standings.push_back(std::move(standing));
  }
  return standings;
}

LearnerDesk::Counts LearnerDesk::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

}  // namespace vigil::node
