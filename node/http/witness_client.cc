#include "node/http/witness_client.h"

#include <httplib.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "ledger/base/mutex.h"

namespace vigil::node {
namespace {

constexpr time_t kConnectSecondsMax = 2;
constexpr time_t kIoSecondsMax = 5;
constexpr int64_t kReplyMicrosMax = 15'000'000;        // Of a whole answer, however it trickles.
constexpr auto kLook = std::chrono::milliseconds(50);  // For a new final checkpoint.

// Names are not looked up: 127.example.org is somewhere else.
bool IsLoopbackHost(absl::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return absl::StartsWith(host, "127.") &&
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

bool IsUrlText(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '?' && c != '#' && c != '@';
  });
}

// Splits "host:port" or "[v6]:port"; without a port the second is empty.
std::pair<absl::string_view, absl::string_view> SplitPort(absl::string_view host_port) {
  const size_t colon = host_port.rfind(':');
  if (colon == absl::string_view::npos || absl::EndsWith(host_port, "]")) return {host_port, ""};
  return {host_port.substr(0, colon), host_port.substr(colon + 1)};
}

const char* OutcomeText(WitnessOutcome outcome) {
  switch (outcome) {
    case WitnessOutcome::kCosigned:
      return "cosigned";
    case WitnessOutcome::kOtherSize:
      return "told another size";
    case WitnessOutcome::kRefused:
      return "refuses";
    case WitnessOutcome::kContradicts:
      return "CONTRADICTS this validator; compare the log's checkpoints with the witness's "
             "operator";
    case WitnessOutcome::kFailed:
      return "failed";
  }
  return "";
}

}  // namespace

absl::StatusOr<WitnessUrl> ParseWitnessUrl(absl::string_view url, bool allow_http) {
  const auto bad = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", url, "': ", why, "; write https://host[:port][/prefix]"));
  };
  absl::string_view rest = url;
  const bool https = absl::ConsumePrefix(&rest, "https://");
  if (!https && !absl::ConsumePrefix(&rest, "http://")) return bad("neither https:// nor http://");
  if (!IsUrlText(rest)) return bad("a character that does not belong there");
  const size_t slash = std::min(rest.find('/'), rest.size());
  const absl::string_view host_port = rest.substr(0, slash);
  const auto [host, port] = SplitPort(host_port);
  uint32_t number = 0;
  if (host.empty() || host_port.back() == ':' ||
      (!port.empty() && (!absl::SimpleAtoi(port, &number) || number == 0 || number > 65535))) {
    return bad("no host, or a port that is none");
  }
  if (!https && !IsLoopbackHost(host) && !allow_http) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", url, "': plain http beyond loopback; use https, or set insecure_witness_http = true"));
  }
  return WitnessUrl{
      .server = absl::StrCat(https ? "https://" : "http://", host_port),
      .path = absl::StrCat(absl::StripSuffix(rest.substr(slash), "/"), "/add-checkpoint")};
}

struct WitnessClient::Impl {
  Impl(Options options_in, Ports ports_in)
      : options(std::move(options_in)),
        ports(std::move(ports_in)),
        feed(options.key, options.own, options.seed),
        client(options.url.server) {
    client.set_connection_timeout(kConnectSecondsMax);
    client.set_read_timeout(kIoSecondsMax);
    client.set_write_timeout(kIoSecondsMax);
    client.set_keep_alive(true);
    client.set_decompress(false);
  }

  int64_t Now() const { return ports.clock->MonotonicMicros(); }
  void Run();
  void AskOnce();
  WitnessOutcome Ask(const WitnessRequest& request);
  std::optional<WitnessReply> Post(const std::string& body, std::string* error);
  void Report(WitnessOutcome outcome);
  bool Stopping() {
    MutexLock lock(&mutex);
    return stopping;
  }

  const Options options;
  const Ports ports;
  WitnessFeed feed;        // Of the thread.
  httplib::Client client;  // Of the thread; stop() is for any.
  std::string reported;    // Of the thread: the problem that was logged last.
  Mutex mutex;
  CondVar changed;
  bool stopping VIGIL_GUARDED_BY(mutex) = false;
  bool ended VIGIL_GUARDED_BY(mutex) = false;
  std::thread thread;
};

WitnessClient::WitnessClient(Options options, Ports ports, uint32_t number)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(ports))) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
  pthread_setname_np(impl_->thread.native_handle(), absl::StrCat("witness-", number).c_str());
}

WitnessClient::~WitnessClient() {
  {
    // A request that began just now is broken off by a later stop().
    MutexLock lock(&impl_->mutex);
    impl_->stopping = true;
    impl_->changed.SignalAll();
    while (!impl_->ended) {
      impl_->client.stop();
      impl_->changed.WaitFor(&impl_->mutex, kLook);
    }
  }
  impl_->thread.join();
}

void WitnessClient::Impl::Run() {
  while (!Stopping()) {
    AskOnce();
    MutexLock lock(&mutex);
    if (!stopping) changed.WaitFor(&mutex, kLook);
  }
  MutexLock lock(&mutex);
  ended = true;
  changed.SignalAll();
}

// Asks as long as the feed wants to; a size that the witness told is answered at once.
void WitnessClient::Impl::AskOnce() {
  const absl::StatusOr<std::string> note = ports.checkpoint();
  if (!note.ok()) return;
  const absl::Status offered = feed.Offer(*note);
  if (!offered.ok()) return;
  while (!Stopping()) {
    const std::optional<WitnessRequest> request = feed.Next(Now());
    if (!request.has_value()) return;
    Report(Ask(*request));
  }
}

WitnessOutcome WitnessClient::Impl::Ask(const WitnessRequest& request) {
  const ledger::TileSource* const tiles = ports.tiles();
  if (tiles == nullptr) return feed.OnFailure("the log's tiles cannot be read now", Now());
  const absl::StatusOr<std::string> body = WitnessRequestBody(request, *tiles);
  if (!body.ok()) return feed.OnFailure(body.status().message(), Now());
  std::string error;
  const std::optional<WitnessReply> reply = Post(*body, &error);
  return reply.has_value() ? feed.OnReply(*reply, Now()) : feed.OnFailure(error, Now());
}

std::optional<WitnessReply> WitnessClient::Impl::Post(const std::string& body, std::string* error) {
  const int64_t give_up_micros = Now() + kReplyMicrosMax;
  WitnessReply reply;
  httplib::Request request;
  request.method = "POST";
  request.path = options.url.path;
  request.body = body;
  request.set_header("Content-Type", "text/plain; charset=utf-8");
  request.content_receiver = [&](const char* bytes, size_t size, uint64_t, uint64_t) {
    if (size > kWitnessAnswerBytesMax - reply.body.size() || Now() > give_up_micros) return false;
    reply.body.append(bytes, size);
    return true;
  };
  const httplib::Result result = client.send(request);
  if (!result) {
    *error = absl::StrCat(options.url.server, ": ", httplib::to_string(result.error()));
    return std::nullopt;
  }
  reply.http_status = result->status;
  reply.content_type = result->get_header_value("Content-Type");
  return reply;
}

// A problem is logged when it comes, when it changes and when it has gone; not each time.
void WitnessClient::Impl::Report(WitnessOutcome outcome) {
  if (outcome == WitnessOutcome::kCosigned) {
    if (!reported.empty())
      ports.log(LogLevel::kInfo, "witness", absl::StrCat(options.key.name, " cosigns again"));
    reported.clear();
    ports.cosigned(*feed.newest());
    return;
  }
  if (outcome == WitnessOutcome::kOtherSize || feed.problem() == reported) return;
  reported = feed.problem();
  ports.log(outcome == WitnessOutcome::kContradicts ? LogLevel::kError : LogLevel::kWarning,
            "witness", absl::StrCat(options.key.name, " ", OutcomeText(outcome), ": ", reported));
}

}  // namespace vigil::node
