// What a node says of itself.
#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "node/driver/node.h"

namespace vigil::node {

// What an operator is told of the failure that the latch keeps; empty while there is none.
std::string Node::FatalReason() const {
  const absl::Status dead = fatal_.status();
  if (dead.ok()) return "";
  absl::string_view remedy = "start again: vigild start";
  if (ledger::IsStoreDamage(dead)) {
    remedy = "the next start builds the store anew from the journal: vigild start";
  } else if (absl::IsResourceExhausted(dead)) {
    remedy = "free space on the disk, then: vigild start";
  } else if (absl::IsUnavailable(dead)) {
    remedy =
        "what is on disk is unknown until it is read again: see to the disk, then: vigild start";
  }
  return absl::StrCat(dead.message(), "; it takes no part and signs nothing any more; ", remedy);
}

NodeStatus::CosignerKey Node::CosignerKeyStatus() const {
  const ledger::GenesisValidator& self = genesis_.validators[config_.self.value()];
  NodeStatus::CosignerKey key{.since = ledger::CosignerKeySince(genesis_, self)};
  // Without an actor nobody changes what the keyring found.
  if (cosigner_keys_ != nullptr) {
    key.has_old = cosigner_keys_->has_old();
  } else if (config_.keyring != nullptr) {
    key.has_old = config_.keyring->has_old();
  }
  return key;
}

NodeStatus::Archive Node::ArchiveStatus() const {
  if (archiver_ == nullptr) return {};
  const Archiver::State archive = archiver_->state();
  return {.limit_bytes = config_.journal_bytes_max,
          .journal_bytes = archive.journal_bytes,
          .archived_bytes = archive.archived_bytes,
          .base = archive.base,
          .held_back = archive.held_back};
}

namespace {

std::string DescribeJoin(const JoinActor::State& state) {
  if (state.height == Height(0)) return "asks for snapshots";
  return absl::StrCat("snapshot of height ", state.height.value(), ", phase ", state.phase, ", ",
                      state.chunks_kept, " of ", state.chunk_count, " chunks, ",
                      state.bytes_fetched, " bytes fetched");
}

void AddDetector(const DetectorActor* detector, NodeStatus* status) {
  status->warmth.phase = "does not run";
  if (detector == nullptr) return;
  status->detector = detector->height();
  status->models = detector->models();
  status->detection = detector->detection();
  const DetectorActor::Warmth warmth = detector->warmth();
  status->warmth = {.warm = warmth.warm,
                    .phase = warmth.phase,
                    .bytes_fetched = warmth.bytes,
                    .bad_answers = warmth.bad_answers};
}

}  // namespace

NodeStatus Node::Status() const {
  NodeStatus status;
  status.final = FinalHeight();
  if (log_actor_ != nullptr) {
    const LogActor::State state = log_actor_->state();
    status.log = {.size = state.tree_size,
                  .final_size = state.final_size,
                  .cosigned_size = state.cosigned_size,
                  .fork_count = state.fork_count,
                  .refusing_reason = state.refusing};
  }
  if (snapshots_ != nullptr) {
    const SnapshotActor::State state = snapshots_->state();
    status.snapshot = {
        .height = state.height, .bytes = state.bytes, .failure_count = state.failure_count};
  }
  status.validator = genesis_.validators[config_.self.value()].identity();
  status.cosigner_key = CosignerKeyStatus();
  status.executed = chain_->tip();
  status.indexed = index_->complete_height();
  AddDetector(detector_.get(), &status);
  status.uptime_seconds =
      static_cast<uint64_t>((seams_.clock->MonotonicMicros() - started_micros_) / 1'000'000);
  if (replica_ != nullptr) {
    status.core = replica_->Status();
    for (const auto& [validator, lacking] : replica_->LackingPeers()) {
      status.lacking.push_back(
          {.validator = validator, .height = lacking.height, .why = lacking.why});
    }
  }
  status.frames_invalid = counters_.frames_invalid;
  status.frames_dropped = counters_.frames_dropped;
  status.pruned_bytes = counters_.pruned_bytes;
  status.archive = ArchiveStatus();
  status.reads_answered = counters_.reads_answered;
  status.reads_failed = counters_.reads_failed;
  status.fetch = {.answered = counters_.fetches_answered,
                  .refused = counters_.fetches_refused,
                  .bytes = counters_.fetch_bytes};
  if (scrubber_ != nullptr) {
    const Scrubber::State scrub = scrubber_->state();
    status.scrub = {.passes = scrub.passes,
                    .bytes = scrub.bytes,
                    .damaged = scrub.damaged,
                    .repaired = scrub.repaired,
                    .bad_answers = scrub.bad_answers,
                    .unrepaired = scrub.unrepaired,
                    .problem = scrub.problem};
  }
  status.refusing = !refusing_.ok() || fatal_.failed();
  status.refusing_reason =
      refusing_.ok() || fatal_.failed() ? FatalReason() : std::string(refusing_.message());
  if (join_ != nullptr && !fatal_.failed()) {
    const JoinActor::State state = join_->state();
    status.join = {.active = true,
                   .height = state.height,
                   .chunk_count = state.chunk_count,
                   .chunks_kept = state.chunks_kept,
                   .bytes_fetched = state.bytes_fetched,
                   .bad_answers = state.bad_answers};
    absl::StrAppend(&status.refusing_reason, ": ", DescribeJoin(state));
  }
  for (uint32_t i = 0; i < genesis_.validators.size(); ++i) {
    const ValidatorIndex peer(i);
    status.connected.push_back(peer == config_.self || seams_.transport->IsConnected(peer));
  }
  return status;
}

}  // namespace vigil::node
