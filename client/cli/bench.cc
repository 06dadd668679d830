#include "client/cli/bench.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/load_generator.h"
#include "client/cli/render.h"
#include "ledger/base/limits.h"
#include "ledger/base/mutex.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             SteadyClock::now().time_since_epoch())
      .count();
}

struct Outcome {
  std::vector<int64_t> latencies_micros;  // Accepted, from when they were due.
  std::vector<int64_t> answers_micros;    // Accepted, from when they were sent.
  std::vector<int64_t> refusals_micros;   // For want of room, from when they were sent.
  uint64_t accepted_events = 0;
  uint64_t refused = 0;      // For another reason than want of room.
  uint64_t not_offered = 0;  // Submissions beyond those that waited for a caller.
  absl::Status first_error;
};

// Keeps callers busy until the end, then waits for their last answers.
class Bench {
 public:
  Bench(Client* client, const BenchOptions& options, v1::AckLevel ack, std::vector<size_t> targets,
        std::vector<LoadStream> streams)
      : client_(client),
        options_(options),
        targets_(std::move(targets)),
        ack_(ack),
        streams_(std::move(streams)) {}

  Outcome Run() {
    start_micros_ = NowMicros();
    end_micros_ = start_micros_ + int64_t{options_.seconds} * 1'000'000;
    if (options_.rate == 0) {
      for (size_t i = 0; i < streams_.size(); ++i) Begin(i, NowMicros());
    } else {
      {
        MutexLock lock(&mutex_);
        for (size_t i = 0; i < streams_.size(); ++i) idle_.push_back(i);
      }
      OfferOnSchedule();
    }
    MutexLock lock(&mutex_);
    while (under_way_ > 0) changed_.Wait(&mutex_);
    return std::move(outcome_);
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::SubmitRequest request;
    v1::SubmitResponse response;
    size_t caller = 0;
    int64_t due_micros = 0;
    int64_t sent_micros = 0;
  };

  // One submission of `caller`, which was due at `due_micros`.
  void Begin(size_t caller, int64_t due_micros) {
    // Owned by the callback until it has run.
    const auto call = std::make_shared<Call>();
    call->caller = caller;
    call->due_micros = due_micros;
    call->context.set_deadline(std::chrono::system_clock::now() +
                               std::chrono::milliseconds(client_timeout_millis_));
    streams_[caller].NextBatch(&call->request);
    call->request.set_ack(ack_);
    {
      MutexLock lock(&mutex_);
      ++under_way_;
    }
    call->sent_micros = NowMicros();
    v1::Ingest::Stub* stub = client_->ingest(targets_[caller % targets_.size()]);
    stub->async()->Submit(&call->context, &call->request, &call->response,
                          [this, call](const grpc::Status& status) { OnDone(*call, status); });
  }

  void OnDone(const Call& call, const grpc::Status& status) {
    const int64_t now = NowMicros();
    int64_t due = now;
    bool go_on = false;
    {
      MutexLock lock(&mutex_);
      if (status.ok()) {
        outcome_.latencies_micros.push_back(now - call.due_micros);
        outcome_.answers_micros.push_back(now - call.sent_micros);
        outcome_.accepted_events += options_.batch;
        streams_[call.caller].Accepted();
      } else if (options_.rate != 0 &&
                 status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
        // What an overloaded network should do. A schedule does not wait to try again.
        outcome_.refusals_micros.push_back(now - call.sent_micros);
      } else {
        ++outcome_.refused;
        if (outcome_.first_error.ok()) outcome_.first_error = FromGrpc(status, "");
      }
      go_on = now < end_micros_ && outcome_.refused < kRefusedMax;
      if (options_.rate != 0 && go_on) {
        go_on = !waiting_.empty();
        if (go_on) {
          due = waiting_.front();
          waiting_.pop_front();
        } else {
          idle_.push_back(call.caller);
        }
      }
    }
    if (go_on) Begin(call.caller, due);
    MutexLock lock(&mutex_);
    --under_way_;
    changed_.SignalAll();
  }

  // Submissions start `interval` apart, whether or not earlier ones were answered.
  void OfferOnSchedule() {
    const double interval_micros = 1e6 * options_.batch / static_cast<double>(options_.rate);
    for (uint64_t i = 0;; ++i) {
      const int64_t due =
          start_micros_ + static_cast<int64_t>(static_cast<double>(i) * interval_micros);
      if (due >= end_micros_) return;
      size_t caller = 0;
      {
        MutexLock lock(&mutex_);
        while (NowMicros() < due)
          changed_.WaitFor(&mutex_, std::chrono::microseconds(due - NowMicros()));
        if (NowMicros() >= end_micros_) return;  // Behind its schedule.
        if (idle_.empty()) {
          if (waiting_.size() < kWaitingMax) {
            waiting_.push_back(due);
          } else {
            ++outcome_.not_offered;
          }
          continue;
        }
        caller = idle_.back();
        idle_.pop_back();
      }
      Begin(caller, due);
    }
  }

  static constexpr uint64_t kRefusedMax = 1000;
  static constexpr size_t kWaitingMax = 1 << 20;

  Client* const client_;
  const BenchOptions options_;
  const std::vector<size_t> targets_;
  const int64_t client_timeout_millis_ = 30'000;
  const v1::AckLevel ack_;
  std::vector<LoadStream> streams_;  // Each belongs to whoever runs its caller's one submission.
  int64_t start_micros_ = 0;
  int64_t end_micros_ = 0;
  Mutex mutex_;
  CondVar changed_;
  Outcome outcome_ VIGIL_GUARDED_BY(mutex_);
  std::deque<int64_t> waiting_ VIGIL_GUARDED_BY(mutex_);
  std::vector<size_t> idle_ VIGIL_GUARDED_BY(mutex_);
  size_t under_way_ VIGIL_GUARDED_BY(mutex_) = 0;
};

int64_t Percentile(const std::vector<int64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1,
                         static_cast<size_t>(share * static_cast<double>(sorted.size())))];
}

absl::StatusOr<std::vector<v1::Status>> StatusOfAll(Client* client) {
  std::vector<v1::Status> all;
  for (size_t i = 0; i < client->endpoint_count(); ++i) {
    ASSIGN_OR_RETURN(v1::Status status, client->GetStatusOf(i));
    all.push_back(std::move(status));
  }
  return all;
}

std::vector<size_t> Targets(const std::vector<v1::Status>& statuses, bool spread) {
  std::vector<size_t> targets;
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (spread || statuses[i].role() == "leader") targets.push_back(i);
  }
  if (targets.empty()) targets.push_back(0);
  return targets;
}

void Print(const Session& session, const BenchOptions& options, Outcome outcome, double seconds,
           const std::vector<v1::Status>& before, const std::vector<v1::Status>& after) {
  for (std::vector<int64_t>* micros :
       {&outcome.latencies_micros, &outcome.answers_micros, &outcome.refusals_micros})
    std::sort(micros->begin(), micros->end());
  double cpu_micros = 0;
  for (size_t i = 0; i < before.size(); ++i)
    cpu_micros += static_cast<double>(after[i].cpu_micros() - before[i].cpu_micros());
  const double events = static_cast<double>(outcome.accepted_events);
  const auto millis = [](const std::vector<int64_t>& sorted, double share) {
    return absl::StrFormat("%.2f", static_cast<double>(Percentile(sorted, share)) / 1000);
  };
  Json json;
  json["validators"] = before.size();
  json["callers"] = options.callers;
  json["batch"] = options.batch;
  json["event_bytes"] = options.event_bytes;
  json["ack"] = options.ack;
  json["offered_per_second"] = Number(options.rate);
  json["seconds"] = absl::StrFormat("%.2f", seconds);
  json["events"] = Number(outcome.accepted_events);
  json["submissions_accepted"] = Number(outcome.latencies_micros.size());
  json["submissions_no_room"] = Number(outcome.refusals_micros.size());
  json["submissions_refused"] = Number(outcome.refused);
  json["submissions_not_offered"] = Number(outcome.not_offered);
  json["events_per_second"] = absl::StrFormat("%.0f", events / seconds);
  json["p50_millis"] = millis(outcome.latencies_micros, 0.50);
  json["p99_millis"] = millis(outcome.latencies_micros, 0.99);
  json["p999_millis"] = millis(outcome.latencies_micros, 0.999);
  if (options.rate != 0) {
    json["answer_p50_millis"] = millis(outcome.answers_micros, 0.50);
    json["answer_p99_millis"] = millis(outcome.answers_micros, 0.99);
    json["no_room_p99_millis"] = millis(outcome.refusals_micros, 0.99);
  }
  json["cpu_seconds_per_million_events_per_validator"] =
      events == 0
          ? "-"
          : absl::StrFormat("%.2f", cpu_micros / events / static_cast<double>(before.size()));
  if (session.format != OutputFormat::kTable) {
    session.PrintJson(json);
    return;
  }
  Facts facts;
  for (const auto& [name, value] : json.items())
    facts.Add(name, value.is_string() ? value.get<std::string>() : value.dump());
  facts.Print(*session.out);
}

}  // namespace

absl::Status RunBench(const Session& session, const BenchOptions& options) {
  ASSIGN_OR_RETURN(const v1::AckLevel ack, ParseAckLevel(options.ack));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const std::vector<v1::Status> before, StatusOfAll(client.get()));
  ASSIGN_OR_RETURN(std::shared_ptr<const LoadAuthor> author,
                   LoadAuthor::Open(session.signing_key, before.front().chain_id()));
  std::vector<LoadStream> streams;
  for (uint32_t i = 0; i < options.callers; ++i)
    streams.emplace_back(author, i, options.batch, options.event_bytes);
  if (const size_t fit = (ledger::kPayloadBytesMax - 4) / streams.front().event_bytes();
      options.batch > fit) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", options.batch, " events of ", options.event_bytes,
                     " bytes is larger than a submission may be (", ledger::kPayloadBytesMax,
                     " bytes): name a smaller --event-bytes, or a --batch of at most ", fit));
  }
  Bench bench(client.get(), options, ack, Targets(before, options.spread), std::move(streams));
  const int64_t start = NowMicros();
  Outcome outcome = bench.Run();
  const double seconds = static_cast<double>(NowMicros() - start) / 1e6;
  ASSIGN_OR_RETURN(const std::vector<v1::Status> after, StatusOfAll(client.get()));
  const absl::Status first_error = outcome.first_error;
  Print(session, options, std::move(outcome), seconds, before, after);
  return first_error;
}

}  // namespace vigil::client
