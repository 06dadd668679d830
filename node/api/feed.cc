#include "node/api/feed.h"

#include <pthread.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"
#include "node/api/convert.h"
#include "node/api/error.h"
#include "node/api/query_service.h"
#include "node/api/search.h"

namespace vigil::node {
namespace {

absl::Status AppendEvents(const ledger::ChainReader& reader, const ledger::BlockInfo& info,
                          const ledger::Block& block, const ledger::EventQuery& query,
                          std::deque<v1::FeedItem>* items) {
  ASSIGN_OR_RETURN(const std::vector<ledger::RecordResult> results, reader.GetResults(info.height));
  for (size_t i = 0; i < results.size(); ++i) {
    const ledger::Block::Entry& entry = block.records()[i];
    if (results[i].code != ledger::ResultCode::kOk || entry.payload.empty()) continue;
    ASSIGN_OR_RETURN(const ledger::RecordView record, ledger::DecodeRecord(entry.leaf));
    const auto* batch = std::get_if<ledger::EventBatchBody>(&record.body);
    if (batch == nullptr) continue;
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, ledger::SplitPayload(entry.payload));
    for (uint32_t item = 0; item < events.size(); ++item) {
      EventView view;
      RETURN_IF_ERROR(ledger::ScanEvent(events[item], &view));
      if (!ledger::Matches(query, view)) continue;
      v1::StoredEvent* event = items->emplace_back().mutable_event();
      event->set_record_index(results[i].index.value());
      event->set_item(item);
      event->set_height(info.height.value());
      event->set_event(ToString(events[item]));
      event->set_author(results[i].signer);
      event->set_stream(std::string(batch->stream));
    }
  }
  return absl::OkStatus();
}

bool ConcernsAlert(ledger::EffectType type) {
  return type == ledger::EffectType::kAlertProposed ||
         type == ledger::EffectType::kAlertConfirmed ||
         type == ledger::EffectType::kAlertContested || type == ledger::EffectType::kAlertTriaged;
}

absl::Status AppendAlerts(const NodeServices& services, const ledger::ChainReader& reader,
                          Height height, std::deque<v1::FeedItem>* items) {
  ASSIGN_OR_RETURN(const std::vector<ledger::RecordResult> results, reader.GetResults(height));
  for (const ledger::RecordResult& result : results) {
    for (const ledger::Effect& effect : result.effects) {
      if (!ConcernsAlert(effect.type)) continue;
      RETURN_IF_ERROR(FillAlert(services, reader, RecordIndex(effect.subject),
                                items->emplace_back().mutable_alert()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

// One Subscribe call. Owned by the hub and, until OnDone, by itself.
class Feed final : public grpc::ServerWriteReactor<v1::FeedItem>,
                   public std::enable_shared_from_this<Feed> {
 public:
  Feed(FeedHub* hub, const v1::SubscribeRequest& request, ledger::EventQuery query)
      : hub_(hub),
        services_(hub->services_),
        kind_(request.kind()),
        query_(std::move(query)),
        next_(request.from_height()) {}

  void Begin() {
    self_ = shared_from_this();
    Pump();
  }

  // Writes the next item if there is one and no write is under way.
  void Pump() VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (writing_ || finished_) return;
    const absl::Status status = FillItems();
    if (!status.ok()) {
      finished_ = true;
      Finish(ToGrpcStatus(status));
      return;
    }
    if (items_.empty()) return;
    writing_ = true;
    StartWrite(&items_.front());
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mutex_);
      writing_ = false;
      items_.pop_front();
      if (!ok && !finished_) {
        finished_ = true;
        Finish(grpc::Status::OK);
      }
    }
    Pump();
  }

  void End(const grpc::Status& status) VIGIL_EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  void OnCancel() override { End(grpc::Status(grpc::StatusCode::CANCELLED, "cancelled")); }
  void OnDone() override {
    hub_->Remove(self_);
    self_.reset();
  }

 private:
  // Reads executed blocks until there is something to write or nothing left to read.
  absl::Status FillItems() VIGIL_REQUIRES(mutex_) {
    const std::shared_ptr<const ledger::ChainReader> reader = services_->Snapshot();
    ASSIGN_OR_RETURN(const ledger::Tip tip, reader->GetTip());
    if (next_ == 0) next_ = tip.height.value() + 1;
    while (items_.empty() && next_ <= tip.height.value()) {
      RETURN_IF_ERROR(AppendBlock(*reader, Height(next_)));
      for (v1::FeedItem& item : items_) item.set_cursor_height(next_);
      ++next_;
    }
    return absl::OkStatus();
  }

  absl::Status AppendBlock(const ledger::ChainReader& reader, Height height)
      VIGIL_REQUIRES(mutex_) {
    if (kind_ == v1::FEED_ALERTS) return AppendAlerts(*services_, reader, height, &items_);
    ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader.GetBlock(height));
    ASSIGN_OR_RETURN(const ledger::BlockPtr block, services_->LoadBlock(height));
    if (kind_ == v1::FEED_EVENTS) return AppendEvents(reader, info, *block, query_, &items_);
    ASSIGN_OR_RETURN(*items_.emplace_back().mutable_block(),
                     ToProto(services_->genesis(), reader, info, *block, /*with_records=*/false));
    return absl::OkStatus();
  }

  FeedHub* const hub_;
  NodeServices* const services_;
  const v1::FeedKind kind_;
  const ledger::EventQuery query_;
  std::shared_ptr<Feed> self_;
  Mutex mutex_;
  std::deque<v1::FeedItem> items_ VIGIL_GUARDED_BY(mutex_);
  uint64_t next_ VIGIL_GUARDED_BY(mutex_);
  bool writing_ VIGIL_GUARDED_BY(mutex_) = false;
  bool finished_ VIGIL_GUARDED_BY(mutex_) = false;
};

namespace {

class RefusingFeed final : public grpc::ServerWriteReactor<v1::FeedItem> {
 public:
  explicit RefusingFeed(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

FeedHub::FeedHub(NodeServices* services) : services_(services) {
  listener_ = services_->AddHeightListener([this](Height /*height*/) {
    MutexLock lock(&mutex_);
    grown_ = true;
    woken_.SignalOne();
  });
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "feed");
}

FeedHub::~FeedHub() { Stop(); }

void FeedHub::Stop() {
  services_->RemoveHeightListener(listener_);
  std::set<std::shared_ptr<Feed>> feeds;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    feeds = feeds_;
    woken_.SignalOne();
  }
  for (const std::shared_ptr<Feed>& feed : feeds) {
    feed->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "this validator is shutting down"));
  }
  if (thread_.joinable()) thread_.join();
}

grpc::ServerWriteReactor<v1::FeedItem>* FeedHub::Open(const v1::SubscribeRequest& request) {
  // What is not known here may mean something to a newer validator: it is no other word for blocks.
  if (request.kind() != v1::FEED_BLOCKS && request.kind() != v1::FEED_EVENTS &&
      request.kind() != v1::FEED_ALERTS) {
    return new RefusingFeed(ToGrpcStatus(
        absl::InvalidArgumentError(absl::StrCat("feed of kind ", static_cast<int>(request.kind()),
                                                "; known: 1 (blocks), 2 (events), 3 (alerts)"))));
  }
  absl::StatusOr<ledger::EventQuery> query = QueryFromProto(request.filter());
  if (!query.ok()) return new RefusingFeed(ToGrpcStatus(query.status()));
  const auto feed = std::make_shared<Feed>(this, request, *std::move(query));
  {
    MutexLock lock(&mutex_);
    if (stopping_ || feeds_.size() >= kFeedsMax) {
      return new RefusingFeed(ToGrpcStatus(
          ServiceError{.status = absl::StatusCode::kResourceExhausted,
                       .code = "feed.too_many",
                       .what = absl::StrCat(feeds_.size(), " feeds are open, at most ", kFeedsMax),
                       .remedy = "close one, or subscribe at another validator",
                       .retry_after_millis = 1000,
                       .expected_previous = {}}));
    }
    feeds_.insert(feed);
  }
  feed->Begin();
  return feed.get();
}

void FeedHub::Remove(const std::shared_ptr<Feed>& feed) {
  MutexLock lock(&mutex_);
  feeds_.erase(feed);
}

void FeedHub::Run() {
  for (;;) {
    std::set<std::shared_ptr<Feed>> feeds;
    {
      MutexLock lock(&mutex_);
      while (!grown_ && !stopping_) woken_.Wait(&mutex_);
      if (stopping_) return;
      grown_ = false;
      feeds = feeds_;
    }
    for (const std::shared_ptr<Feed>& feed : feeds) feed->Pump();
  }
}

}  // namespace vigil::node
