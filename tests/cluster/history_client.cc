// history_client CONTEXT FILE SEED [--processes N] [--timeout-millis N] [--linearizable-percent N]:
// concurrent clients of a running network that write down what they ask and what they are answered
// (history.h).
//
// Each process has a stream of its own and one operation under way: it appends the stream's next
// record, or asks a validator, locally or linearizably, for the head of any stream, for a record or
// for the tip. Every other
// process stays with a validator until that one fails, as clients do; the rest asks any of them,
// so that histories have all mixtures. A record without an answer is sent again, the same bytes,
// until it is acknowledged.
//
// Obeys lines of standard input, and answers each with a line:
//   reach N   answered "reached" once N appends are acknowledged
//   stop      ends the load, each process with its present operation
//   settled   after "stop", when every validator has caught up: reads of everything acknowledged
// At the end of standard input it stops and leaves.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/load_generator.h"
#include "client/cli/session.h"
#include "ledger/base/mutex.h"
#include "ledger/base/random.h"
#include "ledger/base/status_macros.h"

namespace vigil::cluster {
namespace {

using Json = nlohmann::json;

constexpr uint32_t kEventBytes = 128;
// Mean pause between two operations of a process, and after one that failed.
constexpr uint64_t kPauseMillis = 8;
constexpr uint64_t kRetryMillis = 50;
// For reads after the faults: a connection may take its time to come back.
constexpr uint32_t kPatientMillis = 60'000;

struct Options {
  uint64_t seed = 1;
  uint32_t processes = 8;
  uint32_t timeout_millis = 1000;
  uint32_t linearizable_percent = 50;  // Of reads.
};

uint64_t NowNanos() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

// The file of lines. Thread-safe.
class Writer {
 public:
  explicit Writer(const std::string& path) : file_(path) {}
  bool good() VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return file_.good();
  }

  // Returns the operation's id. Adds it and the time.
  uint64_t Invoke(Json line) VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    line["type"] = "invoke";
    line["op"] = ++last_op_;
    line["time"] = NowNanos();
    file_ << line.dump() << '\n';
    return last_op_;
  }
  void Return(uint64_t op, const char* type, Json line, uint64_t time_nanos)
      VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    line["type"] = type;
    line["op"] = op;
    line["time"] = time_nanos;
    file_ << line.dump() << '\n';
  }
  void Flush() VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    file_.flush();
  }

 private:
  Mutex mutex_;
  std::ofstream file_ VIGIL_GUARDED_BY(mutex_);
  uint64_t last_op_ VIGIL_GUARDED_BY(mutex_) = 0;
};

// How far all processes are, and whether they are to stop.
class Progress {
 public:
  void Acknowledged() VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    ++acknowledged_;
    changed_.SignalAll();
  }
  void Stop() VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    stopped_ = true;
    changed_.SignalAll();
  }
  uint64_t WaitFor(uint64_t acknowledged) VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    while (acknowledged_ < acknowledged) changed_.Wait(&mutex_);
    return acknowledged_;
  }
  // How a client of its own pace waits; false once it is to stop.
  bool Pause(uint64_t millis) VIGIL_EXCLUDES(mutex_) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(millis);
    MutexLock lock(&mutex_);
    for (auto now = std::chrono::steady_clock::now(); now < until && !stopped_;
         now = std::chrono::steady_clock::now()) {
      changed_.WaitFor(&mutex_, until - now);
    }
    return !stopped_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  uint64_t acknowledged_ VIGIL_GUARDED_BY(mutex_) = 0;
  bool stopped_ VIGIL_GUARDED_BY(mutex_) = false;
};

// Whether the refusal is certain: this call took nothing, whatever becomes of others.
bool IsRefusal(const absl::Status& status) {
  const std::optional<v1::ErrorDetail> detail = client::DetailOf(status);
  if (!detail.has_value()) return false;
  const std::string& code = detail->code();
  return code == "lane.full" || code == "node.refusing" || code == "access.denied" ||
         code.rfind("stream.", 0) == 0 || code.rfind("record.", 0) == 0;
}

enum class Mode { kLinearizable, kLocal, kSettled };

const char* NameOf(Mode mode) {
  constexpr const char* kNames[] = {"linearizable", "local", "settled"};
  return kNames[static_cast<size_t>(mode)];
}

v1::Consistency ConsistencyOf(Mode mode) {
  return mode == Mode::kLinearizable ? v1::CONSISTENCY_LINEARIZABLE : v1::CONSISTENCY_LOCAL;
}

class Process {
 public:
  struct Shared {
    client::Client* client;
    Writer* writer;
    Progress* progress;
    std::vector<std::string> streams;  // Of all processes.
    std::string identity;
    uint32_t timeout_millis;
    uint32_t linearizable_percent;
  };
  struct Acknowledged {
    uint64_t sequence;
    Hash leaf_hash;
  };

  Process(const Shared* shared, uint64_t number, client::LoadStream stream, uint64_t seed)
      : shared_(*shared),
        number_(number),
        stream_(std::move(stream)),
        random_(seed),
        favourite_(number / 2 % shared->client->endpoint_count()) {}

  void Run() {
    bool well = true;
    while (shared_.progress->Pause(random_.Below(2 * (well ? kPauseMillis : kRetryMillis)) + 1)) {
      const size_t count = shared_.client->endpoint_count();
      if (!well) favourite_ = (favourite_ + 1) % count;
      const size_t endpoint = number_ % 2 == 0 ? favourite_ : random_.Below(count);
      const uint64_t dice = random_.Below(100);
      const Mode mode =
          random_.Below(100) < shared_.linearizable_percent ? Mode::kLinearizable : Mode::kLocal;
      if (dice < 55) {
        well = Append(endpoint);
      } else if (dice < 80) {
        well = ReadHead(endpoint, shared_.streams[random_.Below(shared_.streams.size())], mode);
      } else if (dice < 90 && !acknowledged_.empty()) {
        well = ReadRecord(endpoint, acknowledged_[random_.Below(acknowledged_.size())], mode);
      } else {
        well = ReadTip(endpoint, mode);
      }
    }
  }

  // Every validator has what was acknowledged here; false when one cannot be asked.
  bool ReadSettled() {
    patient_ = true;
    for (size_t endpoint = 0; endpoint < shared_.client->endpoint_count(); ++endpoint) {
      if (!ReadHead(endpoint, stream_.name(), Mode::kSettled)) return false;
    }
    for (size_t i = 0; i < acknowledged_.size(); ++i) {
      const size_t endpoint = (i + number_) % shared_.client->endpoint_count();
      if (!ReadRecord(endpoint, acknowledged_[i], Mode::kSettled)) return false;
    }
    return true;
  }

 private:
  Json Line(const char* function, size_t endpoint) const {
    return {{"f", function}, {"process", number_}, {"endpoint", endpoint + 1}};
  }

  absl::Status Call(size_t endpoint,
                    const std::function<grpc::Status(grpc::ClientContext*)>& call) const {
    grpc::ClientContext context;
    context.set_wait_for_ready(patient_);
    context.set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::milliseconds(patient_ ? kPatientMillis : shared_.timeout_millis));
    return client::FromGrpc(call(&context), shared_.client->endpoint(endpoint));
  }

  bool Append(size_t endpoint) {
    if (!pending_) stream_.NextBatch(&request_);
    pending_ = true;
    Json line = Line("append", endpoint);
    line["stream"] = stream_.name();
    line["sequence"] = stream_.sequence();
    line["leaf"] = stream_.leaf_hash().ToHex();
    const uint64_t op = shared_.writer->Invoke(std::move(line));
    v1::SubmitResponse response;
    const absl::Status status = Call(endpoint, [&](grpc::ClientContext* context) {
      return shared_.client->ingest(endpoint)->Submit(context, request_, &response);
    });
    const uint64_t now = NowNanos();
    const v1::Receipt& receipt = response.receipt();
    const bool there =
        receipt.result() == v1::RESULT_OK || receipt.result() == v1::RESULT_DUPLICATE;
    if (!status.ok() || !there) {
      // A record that is on the chain without effect is no refusal that a client may get.
      const std::string why =
          status.ok() ? v1::ResultCode_Name(receipt.result()) : std::string(status.message());
      shared_.writer->Return(op, IsRefusal(status) ? "fail" : "info",
                             {{"why", why}, {"odd", status.ok()}}, now);
      return false;
    }
    shared_.writer->Return(op, "ok",
                           {{"position", receipt.record_index()},
                            {"height", receipt.height()},
                            {"duplicate", receipt.result() == v1::RESULT_DUPLICATE}},
                           now);
    acknowledged_.push_back({stream_.sequence(), stream_.leaf_hash()});
    stream_.Accepted();
    pending_ = false;
    shared_.progress->Acknowledged();
    return true;
  }

  // Reads may fail without consequence: what was not answered tells nothing.
  bool Finish(uint64_t op, const absl::Status& status, Json answer) {
    const uint64_t now = NowNanos();
    if (!status.ok()) answer = {{"why", std::string(status.message())}};
    shared_.writer->Return(op, status.ok() ? "ok" : "fail", std::move(answer), now);
    return status.ok();
  }

  bool ReadHead(size_t endpoint, const std::string& stream, Mode mode) {
    Json line = Line("read-head", endpoint);
    line["stream"] = stream;
    line["mode"] = NameOf(mode);
    const uint64_t op = shared_.writer->Invoke(std::move(line));
    v1::GetStreamHeadRequest request;
    request.set_identity(shared_.identity);
    request.set_stream(stream);
    request.set_consistency(ConsistencyOf(mode));
    v1::StreamHead head;
    const absl::Status status = Call(endpoint, [&](grpc::ClientContext* context) {
      return shared_.client->ingest(endpoint)->GetStreamHead(context, request, &head);
    });
    return Finish(op, status,
                  {{"sequence", head.sequence()},
                   {"leaf", HexEncode(AsBytes(head.leaf_hash()))},
                   {"position", head.record_index()}});
  }

  bool ReadRecord(size_t endpoint, const Acknowledged& record, Mode mode) {
    Json line = Line("read-record", endpoint);
    line["stream"] = stream_.name();
    line["sequence"] = record.sequence;
    line["leaf"] = record.leaf_hash.ToHex();
    line["mode"] = NameOf(mode);
    const uint64_t op = shared_.writer->Invoke(std::move(line));
    v1::GetReceiptRequest request;
    request.set_leaf_hash(std::string(record.leaf_hash.view()));
    request.set_consistency(ConsistencyOf(mode));
    v1::Receipt receipt;
    absl::Status status = Call(endpoint, [&](grpc::ClientContext* context) {
      return shared_.client->ingest(endpoint)->GetReceipt(context, request, &receipt);
    });
    if (absl::IsNotFound(status)) status = absl::OkStatus();  // Position 0: it is not there.
    return Finish(op, status, {{"position", receipt.record_index()}, {"height", receipt.height()}});
  }

  bool ReadTip(size_t endpoint, Mode mode) {
    Json line = Line("read-tip", endpoint);
    line["mode"] = NameOf(mode);
    const uint64_t op = shared_.writer->Invoke(std::move(line));
    v1::ListBlocksRequest request;
    request.set_limit(1);
    request.set_consistency(ConsistencyOf(mode));
    v1::ListBlocksResponse answer;
    const absl::Status status = Call(endpoint, [&](grpc::ClientContext* context) {
      return shared_.client->query(endpoint)->ListBlocks(context, request, &answer);
    });
    const uint64_t height = answer.blocks().empty() ? 0 : answer.blocks(0).height();
    return Finish(op, status, {{"height", height}});
  }

  const Shared& shared_;
  const uint64_t number_;
  client::LoadStream stream_;
  SplitMix64 random_;
  size_t favourite_;           // Of a process that stays with one.
  v1::SubmitRequest request_;  // The stream's next record, while `pending_`.
  bool pending_ = false;
  bool patient_ = false;
  std::vector<Acknowledged> acknowledged_;
};

// Obeys standard input until its end. Returns the exit code.
int Obey(Progress* progress, Writer* writer, std::vector<Process>* processes) {
  std::vector<std::thread> threads;
  for (Process& process : *processes) threads.emplace_back([&process] { process.Run(); });
  const auto stop = [&] {
    progress->Stop();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    writer->Flush();
  };
  int exit_code = 0;
  std::string line;
  while (exit_code == 0 && std::getline(std::cin, line)) {
    uint64_t count = 0;
    if (line.rfind("reach ", 0) == 0 && absl::SimpleAtoi(line.substr(6), &count)) {
      std::cout << "reached " << progress->WaitFor(count) << std::endl;
    } else if (line == "stop") {
      stop();
      std::cout << "stopped" << std::endl;
    } else if (line == "settled" && threads.empty()) {
      const bool all = std::all_of(processes->begin(), processes->end(),
                                   [](Process& process) { return process.ReadSettled(); });
      writer->Flush();
      std::cout << (all ? "settled" : "unsettled: a validator did not answer") << std::endl;
    } else {
      std::cerr << "history_client: not understood: " << line << '\n';
      exit_code = 2;
    }
  }
  stop();
  return exit_code;
}

absl::StatusOr<int> Run(const std::string& context, const std::string& path,
                        const Options& options) {
  client::SessionOptions session_options;
  session_options.context = context;
  ASSIGN_OR_RETURN(const client::Session session, client::OpenSession(session_options));
  ASSIGN_OR_RETURN(const std::unique_ptr<client::Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Status status, client->GetStatus());
  ASSIGN_OR_RETURN(const std::shared_ptr<const client::LoadAuthor> author,
                   client::LoadAuthor::Open(session.signing_key, status.chain_id()));
  Writer writer(path);
  if (!writer.good()) return absl::PermissionDeniedError(absl::StrCat(path, " cannot be written"));
  Progress progress;
  Process::Shared shared{.client = client.get(),
                         .writer = &writer,
                         .progress = &progress,
                         .streams = {},
                         .identity = session.identity,
                         .timeout_millis = options.timeout_millis,
                         .linearizable_percent = options.linearizable_percent};
  SplitMix64 seeds(options.seed);
  std::vector<Process> processes;
  for (uint32_t i = 0; i < options.processes; ++i) {
    client::LoadStream stream(author, i, /*batch=*/1, kEventBytes);
    shared.streams.push_back(stream.name());
    processes.emplace_back(&shared, i, std::move(stream), seeds.Next());
  }
  return Obey(&progress, &writer, &processes);
}

int Main(int count, char** arguments) {
  Options options;
  bool good = count >= 4 && absl::SimpleAtoi(arguments[3], &options.seed) && count % 2 == 0;
  for (int i = 4; good && i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    uint32_t* value = nullptr;
    if (name == "--processes") value = &options.processes;
    if (name == "--timeout-millis") value = &options.timeout_millis;
    if (name == "--linearizable-percent") value = &options.linearizable_percent;
    good = value != nullptr && absl::SimpleAtoi(arguments[i + 1], value);
  }
  if (!good) {
    std::cerr << "usage: history_client CONTEXT FILE SEED [--processes N] [--timeout-millis N] "
                 "[--linearizable-percent N]\n";
    return 2;
  }
  const absl::StatusOr<int> exit_code = Run(arguments[1], arguments[2], options);
  if (exit_code.ok()) return *exit_code;
  std::cerr << "history_client: " << exit_code.status() << '\n';
  return 1;
}

}  // namespace
}  // namespace vigil::cluster

int main(int argc, char** argv) { return vigil::cluster::Main(argc, argv); }
