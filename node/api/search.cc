#include "node/api/search.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"
#include "ledger/index/cursor.h"
#include "node/api/convert.h"
#include "node/api/query_service.h"

namespace vigil::node {
namespace {

// Loads candidates from blocks, keeping the block it used last: candidates come in log order.
class ChainEventLoader final : public ledger::EventLoader {
 public:
  ChainEventLoader(const NodeServices& services, const ledger::ChainReader& reader)
      : services_(services), reader_(reader) {}

  absl::StatusOr<bool> Load(const ledger::EventPosition& position, EventView* view) override {
    chain_status_ = Open(position.record);
    RETURN_IF_ERROR(chain_status_);
    if (block_->pruned()) return false;
    if (events_.empty()) {
      return absl::DataLossError(absl::StrCat("the search index names record ",
                                              position.record.value(), ", which is no batch"));
    }
    if (position.item.value() >= events_.size()) return false;
    RETURN_IF_ERROR(ledger::ScanEvent(events_[position.item.value()], view));
    return true;
  }

  // Of the chain behind the candidates; while it is OK, a failed search is the index's fault.
  const absl::Status& chain_status() const { return chain_status_; }

 private:
  // Leaves events_ empty when the record holds none.
  absl::Status Open(RecordIndex record) {
    if (record_ == record) return absl::OkStatus();
    if (block_ == nullptr || record < info_.first_index ||
        record - info_.first_index >= info_.record_count) {
      ASSIGN_OR_RETURN(info_, reader_.BlockOfRecord(record));
      ASSIGN_OR_RETURN(block_, services_.LoadBlock(info_.height));
    }
    const uint64_t position = record - info_.first_index;
    events_.clear();
    record_ = record;
    if (position >= block_->records().size()) return absl::OkStatus();  // A seal.
    const ByteSpan payload = block_->records()[position].payload;
    if (payload.empty()) return absl::OkStatus();  // A record without events.
    ASSIGN_OR_RETURN(events_, ledger::SplitPayload(payload));
    return absl::OkStatus();
  }

  const NodeServices& services_;
  const ledger::ChainReader& reader_;
  ledger::BlockInfo info_;
  ledger::BlockPtr block_;
  std::optional<RecordIndex> record_;
  std::vector<ByteSpan> events_;
  absl::Status chain_status_;
};

// A damaged index is built anew; meanwhile searches say up to which height they are complete.
absl::StatusOr<ledger::SearchResult> Search(NodeServices* services,
                                            const ledger::ChainReader& reader,
                                            const ledger::EventQuery& query,
                                            const ledger::SearchPage& page) {
  ChainEventLoader loader(*services, reader);
  absl::StatusOr<ledger::SearchResult> result = services->index().Search(query, page, &loader);
  if (!absl::IsDataLoss(result.status()) || !loader.chain_status().ok()) return result;
  services->RebuildIndex();
  return absl::UnavailableError(
      absl::StrCat(result.status().message(), "; the index is built anew now, try again later"));
}

template <typename List>
std::vector<std::string> Strings(const List& list) {
  return std::vector<std::string>(list.begin(), list.end());
}

absl::StatusOr<uint64_t> TimeBound(absl::string_view name, int64_t unix_nano) {
  if (unix_nano < 0)
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", unix_nano, " lies before 1970"));
  return static_cast<uint64_t>(unix_nano);
}

}  // namespace

absl::StatusOr<ledger::EventQuery> QueryFromProto(const v1::SearchEventsRequest& request) {
  ledger::EventQuery query;
  query.class_uids.assign(request.class_uids().begin(), request.class_uids().end());
  query.severity_min = request.severity_min();
  query.sources = Strings(request.sources());
  query.actors = Strings(request.actors());
  query.terms = Strings(request.terms());
  for (const std::string& text : request.addresses()) {
    ASSIGN_OR_RETURN(std::string address, ledger::ParseIpAddress(text));
    query.addresses.push_back(std::move(address));
  }
  ASSIGN_OR_RETURN(query.from_unix_nano, TimeBound("from_unix_nano", request.from_unix_nano()));
  ASSIGN_OR_RETURN(query.to_unix_nano, TimeBound("to_unix_nano", request.to_unix_nano()));
  RETURN_IF_ERROR(ledger::CheckQuery(query));
  return query;
}

absl::Status FillSearch(NodeServices* services, const v1::SearchEventsRequest& request,
                        v1::SearchEventsResponse* out) {
  ASSIGN_OR_RETURN(const uint32_t limit, PageLimit(request.limit()));
  ASSIGN_OR_RETURN(const ledger::EventQuery query, QueryFromProto(request));
  const std::shared_ptr<const ledger::ChainReader> reader = services->Snapshot();
  ASSIGN_OR_RETURN(
      const ledger::SearchResult result,
      Search(services, *reader, query,
             {.limit = limit, .cursor = request.cursor(), .newest_first = request.newest_first()}));
  out->set_next_cursor(result.next_cursor);
  size_t bytes = 0;
  for (size_t i = 0; i < result.events.size(); ++i) {
    if (bytes >= kPageBytesMax) {
      out->set_next_cursor(
          ledger::EncodeCursor(query, request.newest_first(), result.events[i - 1].log()));
      break;
    }
    const ledger::EventPosition& position = result.events[i];
    v1::StoredEvent* event = out->add_events();
    RETURN_IF_ERROR(FillEvent(*services, *reader,
                              {.record_index = position.record, .item = position.item}, event));
    bytes += event->ByteSizeLong();
  }
  out->set_complete_height(result.complete_height.value());
  out->set_first_height(result.first_height.value());
  return absl::OkStatus();
}

}  // namespace vigil::node
