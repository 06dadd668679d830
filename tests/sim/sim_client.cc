#include "tests/sim/sim_client.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace vigil::sim {

SimClient::SimClient(SimCluster* cluster, uint32_t sensor, std::string stream,
                     const ClientOptions& options, uint64_t seed)
    : cluster_(cluster),
      options_(options),
      identity_(absl::StrCat("acme/s", sensor)),
      name_(stream),
      random_(seed),
      stream_(&cluster->test_network().genesis(), &cluster->test_network().sensor_key(sensor),
              std::move(stream), seed + 1),
      favourite_(static_cast<uint32_t>(random_.Below(cluster->size()))),
      batches_(options.batches),
      mailbox_(std::make_shared<Mailbox>()) {}

void SimClient::Poll() {
  TakeAnswers();
  const int64_t now = cluster_->clock().MonotonicMicros();
  if (!paused_ && made_ < batches_ && waiting_.size() < options_.window &&
      now >= next_batch_micros_) {
    const uint64_t spread = options_.events_max - options_.events_min + 1;
    const auto drawn = static_cast<uint32_t>(options_.events_min + random_.Below(spread));
    const uint32_t count = large_ ? 1 : drawn;
    Waiting waiting;
    waiting.record = random_.Chance(50) ? stream_.NextHeartbeat()
                                        : stream_.NextBatch(count, options_.odd_permille);
    ++made_;
    waiting_.emplace(stream_.sequence(), std::move(waiting));
    next_batch_micros_ =
        now +
        static_cast<int64_t>(random_.Below(static_cast<uint64_t>(options_.pause_micros_max) + 1));
  }
  for (auto& [sequence, waiting] : waiting_) {
    if (now < waiting.next_try_micros) continue;
    if (waiting.under_way) {
      favourite_ = static_cast<uint32_t>(random_.Below(cluster_->size()));  // It lets us down.
      ++retries_;
    }
    Send(sequence, &waiting);
  }
}

void SimClient::Send(uint64_t sequence, Waiting* waiting) {
  const int64_t now = cluster_->clock().MonotonicMicros();
  node::Node* node = cluster_->node(favourite_);
  if (node == nullptr) {
    favourite_ = static_cast<uint32_t>(random_.Below(cluster_->size()));
    waiting->next_try_micros = now + 50'000;
    return;
  }
  waiting->under_way = true;
  waiting->next_try_micros = now + options_.patience_micros;
  const uint64_t attempt = ++waiting->attempt;
  node->Submit(
      waiting->record, [mailbox = mailbox_, sequence, attempt](const node::SubmitOutcome& outcome) {
        mailbox->answers.push_back({.sequence = sequence, .attempt = attempt, .outcome = outcome});
      });
}

void SimClient::TakeAnswers() {
  std::vector<Answer> answers;
  answers.swap(mailbox_->answers);
  for (const Answer& answer : answers) TakeAnswer(answer);
}

void SimClient::TakeAnswer(const Answer& answer) {
  const auto found = waiting_.find(answer.sequence);
  const node::ServiceError& error = answer.outcome.error;
  if (found == waiting_.end()) {
    // A late answer to an earlier attempt: it must say the same as the first one.
    const auto known = acknowledged_.find(answer.sequence);
    if (error.ok() && known != acknowledged_.end() &&
        answer.outcome.receipt.record_index != known->second.receipt.record_index) {
      failure_ = absl::StrCat("sequence ", answer.sequence, " was acknowledged at two places");
    }
    return;
  }
  Waiting& waiting = found->second;
  if (error.ok()) {
    const ledger::ResultCode result = answer.outcome.receipt.result;
    if (result == ledger::ResultCode::kOk || result == ledger::ResultCode::kDuplicate) {
      acknowledged_[answer.sequence] = {.record = std::move(waiting.record),
                                        .receipt = answer.outcome.receipt};
      last_acknowledged_ = answer.sequence;
      waiting_.erase(found);
    } else {
      failure_ = absl::StrCat("sequence ", answer.sequence, " got the result ",
                              ledger::ResultCodeName(result));
    }
    return;
  }
  // A gap is nothing but a batch of ours that comes later; anything else final is a bug.
  const bool may_repeat = error.retry_after_millis > 0 || error.code == "stream.gap";
  if (!may_repeat) {
    failure_ = absl::StrCat("sequence ", answer.sequence, ": ", error.code, ": ", error.what);
    return;
  }
  if (answer.attempt != waiting.attempt) return;
  // A machine whose name went to another stays behind in its epoch, where nobody leads, and says
  // for ever that it may be asked again.
  const bool has_former = cluster_->size() > cluster_->test_network().genesis().validators.size();
  if (error.code == "node.refusing" || (has_former && random_.Chance(200))) {
    favourite_ = static_cast<uint32_t>(random_.Below(cluster_->size()));
  }
  ++retries_;
  waiting.under_way = false;
  waiting.next_try_micros = cluster_->clock().MonotonicMicros() +
                            int64_t{std::max<uint32_t>(error.retry_after_millis, 50)} * 1000;
}

}  // namespace vigil::sim
