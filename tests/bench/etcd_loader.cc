// Closed-loop load on etcd: callers that put again as soon as they were answered.
//
// etcd_loader ENDPOINT CALLERS OPERATIONS_PER_TRANSACTION SECONDS
// One operation: a plain put; more: a transaction of so many puts. Values have 256 bytes. Prints
// one line of JSON with the names of `vigil bench`.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "etcd_kv.grpc.pb.h"
#include "ledger/base/mutex.h"

namespace {

constexpr size_t kValueBytes = 256;

int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class Loader {
 public:
  Loader(const std::string& endpoint, int operations, int seconds)
      : stub_(etcdserverpb::KV::NewStub(
            grpc::CreateChannel(endpoint, grpc::InsecureChannelCredentials()))),
        operations_(operations),
        end_micros_(NowMicros() + int64_t{seconds} * 1'000'000) {}

  void Begin(int caller, uint64_t number) {
    {
      vigil::MutexLock lock(&mutex_);
      ++under_way_;
    }
    // Owned by the callback until it has run.
    const auto call = std::make_shared<Call>();
    call->caller = caller;
    call->number = number;
    call->start_micros = NowMicros();
    const auto done = [this, call](const grpc::Status& status) { OnDone(*call, status); };
    if (operations_ == 1) {
      Fill(*call, 0, &call->put);
      stub_->async()->Put(&call->context, &call->put, &call->put_response, done);
    } else {
      for (int i = 0; i < operations_; ++i) {
        Fill(*call, i, call->txn.add_success()->mutable_request_put());
      }
      stub_->async()->Txn(&call->context, &call->txn, &call->txn_response, done);
    }
  }

  // Waits for the last answers. The latencies in microseconds, sorted; `*errors` counts failures.
  std::vector<int64_t> Finish(uint64_t* errors) {
    vigil::MutexLock lock(&mutex_);
    while (under_way_ > 0) changed_.Wait(&mutex_);
    std::sort(latencies_.begin(), latencies_.end());
    *errors = errors_;
    return latencies_;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    etcdserverpb::PutRequest put;
    etcdserverpb::PutResponse put_response;
    etcdserverpb::TxnRequest txn;
    etcdserverpb::TxnResponse txn_response;
    int caller = 0;
    uint64_t number = 0;
    int64_t start_micros = 0;
  };

  static void Fill(const Call& call, int i, etcdserverpb::PutRequest* put) {
    put->set_key(absl::StrCat("bench/", call.caller, "/", call.number, "/", i));
    put->set_value(std::string(kValueBytes, 'v'));
  }

  void OnDone(const Call& call, const grpc::Status& status) {
    const int64_t now = NowMicros();
    {
      vigil::MutexLock lock(&mutex_);
      if (status.ok()) {
        latencies_.push_back(now - call.start_micros);
      } else {
        ++errors_;
      }
    }
    if (status.ok() && now < end_micros_) Begin(call.caller, call.number + 1);
    vigil::MutexLock lock(&mutex_);
    --under_way_;
    changed_.SignalAll();
  }

  const std::unique_ptr<etcdserverpb::KV::Stub> stub_;
  const int operations_;
  const int64_t end_micros_;
  vigil::Mutex mutex_;
  vigil::CondVar changed_;
  std::vector<int64_t> latencies_ VIGIL_GUARDED_BY(mutex_);
  uint64_t errors_ VIGIL_GUARDED_BY(mutex_) = 0;
  int under_way_ VIGIL_GUARDED_BY(mutex_) = 0;
};

double Millis(const std::vector<int64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return static_cast<double>(sorted[std::min(sorted.size() - 1, at)]) / 1000;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr,
                 "usage: etcd_loader ENDPOINT CALLERS OPERATIONS_PER_TRANSACTION SECONDS\n");
    return 2;
  }
  const int callers = std::atoi(argv[2]);
  const int operations = std::atoi(argv[3]);
  const int64_t start = NowMicros();
  Loader loader(argv[1], operations, std::atoi(argv[4]));
  for (int i = 0; i < callers; ++i) loader.Begin(i, 0);
  uint64_t errors = 0;
  const std::vector<int64_t> latencies = loader.Finish(&errors);
  const double seconds = static_cast<double>(NowMicros() - start) / 1e6;
  std::printf(
      "{\"callers\":%d,\"batch\":%d,\"events_per_second\":\"%.0f\",\"p50_millis\":\"%.2f\","
      "\"p99_millis\":\"%.2f\",\"errors\":%llu}\n",
      callers, operations, static_cast<double>(latencies.size()) * operations / seconds,
      Millis(latencies, 0.5), Millis(latencies, 0.99), static_cast<unsigned long long>(errors));
  return errors == 0 ? 0 : 1;
}
