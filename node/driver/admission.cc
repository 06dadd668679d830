#include "node/driver/admission.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/block.h"
#include "ledger/chain/payload.h"
#include "ledger/log/merkle.h"
#include "ledger/state/chain_state.h"

namespace vigil::node {
namespace {

using ledger::ChainReader;
using ledger::Genesis;
using ledger::Lane;
using ledger::Record;
using ledger::RecordView;

constexpr uint32_t kLaneRetryMillis = 200;
constexpr uint32_t kDiskRetryMillis = 1000;
constexpr uint32_t kNoLeaderRetryMillis = 1000;
// Bytes of a block frame around one record: everything but leaf and payload.
constexpr size_t kBlockOverheadBytes = 2 + ledger::kHeaderBytes + Signature::size() + 4 + 8;

ServiceError Malformed(const absl::Status& status) {
  return MakeError(
      absl::StatusCode::kInvalidArgument, "record.malformed", std::string(status.message()),
      "make the record with a client of this protocol version; the same bytes are never "
      "accepted");
}

ServiceError StoreError(const absl::Status& status) {
  return MakeError(absl::StatusCode::kUnavailable, "node.storage", std::string(status.message()),
                   "send the same bytes to another validator; this one's disk needs its operator",
                   kDiskRetryMillis);
}

ServiceError CheckSizes(const Genesis& genesis, const Record& record) {
  const size_t leaf = record.leaf.size();
  const size_t payload = record.payload.size();
  const size_t in_block_max = genesis.max_block_bytes - kBlockOverheadBytes;
  std::string what;
  if (leaf > kRecordLeafBytesMax) {
    what = absl::StrCat("record of ", leaf, " bytes, at most ", kRecordLeafBytesMax);
  } else if (payload > kPayloadBytesMax) {
    what = absl::StrCat("payload of ", payload, " bytes, at most ", kPayloadBytesMax);
  } else if (leaf + payload > in_block_max) {
    what = absl::StrCat("record and payload of ", leaf + payload, " bytes, a block holds ",
                        in_block_max);
  } else {
    return ServiceError();
  }
  return MakeError(absl::StatusCode::kResourceExhausted, "record.too_large", std::move(what),
                   "split the events into smaller batches");
}

absl::Status CheckForm(const RecordView& view, ByteSpan payload) {
  if (ledger::KindOf(view.kind).has_payload) {
    return CheckPayload(std::get<ledger::EventBatchBody>(view.body), payload, /*views=*/nullptr);
  }
  if (payload.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("payload of ", payload.size(),
                                                 " bytes beside a record of kind ",
                                                 ledger::KindOf(view.kind).name));
}

// Names that would forge lines in logs and terminals are kept out here; they are canonical all the
// same, so that what is on a chain stays valid.
absl::Status CheckStreamName(const RecordView& view) {
  const std::optional<StreamPlace> place = PlaceOf(view, "");
  if (!place.has_value()) return absl::OkStatus();
  const absl::string_view stream = absl::string_view(place->name).substr(1);
  for (size_t i = 0; i < stream.size(); ++i) {
    const auto byte = static_cast<uint8_t>(stream[i]);
    // UTF-8 writes the control characters U+0080 to U+009F as c2 and 80 to 9f.
    const bool high =
        byte == 0xc2 && i + 1 < stream.size() && static_cast<uint8_t>(stream[i + 1]) < 0xa0;
    if (byte >= 0x20 && byte != 0x7f && !high) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("stream name with a control character at byte ", i));
  }
  return absl::OkStatus();
}

// What both ways in have in common. On success `view` points into the pooled record.
Admission AdmitForm(const Genesis& genesis, const ChainReader& reader, Record record,
                    RecordView* view) {
  Admission admission;
  admission.error = CheckSizes(genesis, record);
  if (!admission.error.ok()) return admission;
  auto owned = std::make_shared<const Record>(std::move(record));
  absl::StatusOr<RecordView> decoded = ledger::DecodeRecord(AsBytes(owned->leaf));
  if (!decoded.ok()) {
    admission.error = Malformed(decoded.status());
    return admission;
  }
  *view = *std::move(decoded);
  absl::Status form = CheckForm(*view, AsBytes(owned->payload));
  if (form.ok()) form = CheckStreamName(*view);
  if (!form.ok()) {
    admission.error = Malformed(form);
    return admission;
  }
  const absl::StatusOr<ledger::IdentityInfo> signer = reader.FindKey(view->author);
  if (!signer.ok()) {
    admission.error =
        absl::IsNotFound(signer.status())
            ? MakeError(absl::StatusCode::kPermissionDenied, "key.unknown",
                        absl::StrCat("no identity has the key ", view->author.ToHex()),
                        "sign with the key of an identity that genesis lists")
            : StoreError(signer.status());
    return admission;
  }
  PoolRecord& pooled = admission.pooled;
  pooled.leaf_hash = ledger::LeafHash(AsBytes(owned->leaf));
  pooled.lane = ledger::KindOf(view->kind).lane;
  pooled.place = PlaceOf(*view, signer->identity);
  pooled.resets = ResetOf(*view);
  pooled.record = std::move(owned);
  return admission;
}

struct StreamNames {
  absl::string_view identity;
  absl::string_view stream;
};
StreamNames SplitStreamName(absl::string_view name) {
  const size_t zero = name.find('\0');
  return {name.substr(0, zero), name.substr(zero + 1)};
}

// Judges the place of a record against executed state: far beyond the head is refused.
ServiceError CheckPlace(const ChainReader& reader, const MempoolLimits& limits,
                        const StreamPlace& place) {
  const StreamNames names = SplitStreamName(place.name);
  const absl::StatusOr<ledger::StreamHead> head =
      reader.GetStreamHead(names.identity, names.stream);
  if (!head.ok()) return StoreError(head.status());
  const StreamHeadAt at = {.sequence = head->sequence, .leaf_hash = head->leaf_hash};
  if (place.sequence <= head->sequence) return StreamConflictError(place.sequence, at);
  if (place.sequence - head->sequence > limits.stream_ahead_max) {
    return StreamGapError(place.sequence, at);
  }
  if (place.sequence == head->sequence + 1 && place.previous != head->leaf_hash) {
    return StreamConflictError(place.sequence, at);
  }
  return ServiceError();
}

ServiceError AdmissibleError(const absl::Status& status, bool in_stream) {
  std::string what(status.message());
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
      return MakeError(status.code(), "access.denied", std::move(what),
                       "use an identity with that role (roles stand in genesis)");
    case absl::StatusCode::kUnauthenticated:
      return MakeError(status.code(), "record.signature", std::move(what),
                       "sign with the key that the record names");
    case absl::StatusCode::kAlreadyExists:
      if (!in_stream) {
        return MakeError(status.code(), "record.exists", std::move(what),
                         "nothing: what the record says is on the chain already");
      }
      return MakeError(absl::StatusCode::kFailedPrecondition, "stream.conflict", std::move(what),
                       "read the stream's head and go on from there");
    case absl::StatusCode::kInvalidArgument:
      return Malformed(status);
    default:
      return StoreError(status);
  }
}

}  // namespace

std::optional<StreamPlace> PlaceOf(const RecordView& view, absl::string_view identity) {
  const auto place = [&](const auto& body) {
    return StreamPlace{.name = StreamName(identity, body.stream),
                       .sequence = body.sequence,
                       .previous = body.previous};
  };
  if (const auto* batch = std::get_if<ledger::EventBatchBody>(&view.body)) return place(*batch);
  if (const auto* beat = std::get_if<ledger::HeartbeatBody>(&view.body)) return place(*beat);
  if (const auto* gap = std::get_if<ledger::GapBody>(&view.body)) return place(*gap);
  return std::nullopt;
}

std::string ResetOf(const RecordView& view) {
  const auto* reset = std::get_if<ledger::StreamResetBody>(&view.body);
  return reset == nullptr ? std::string() : StreamName(reset->identity, reset->stream);
}

ServiceError LaneFullError(Lane lane) {
  static constexpr absl::string_view kNames[] = {"governance", "alerts", "events"};
  return MakeError(
      absl::StatusCode::kResourceExhausted, "lane.full",
      absl::StrCat("the lane for ", kNames[static_cast<size_t>(lane)], " has no room now"),
      "send the same bytes again after the delay", kLaneRetryMillis);
}

ServiceError NoLeaderError(bool taken) {
  return MakeError(
      absl::StatusCode::kUnavailable, "node.no_leader",
      taken ? "this validator has lost the leader; the record was handed on and may still be "
              "committed"
            : "this validator knows no leader; the record was not taken",
      "send the same bytes to another validator, or here again later: they count once",
      kNoLeaderRetryMillis);
}

ServiceError StreamConflictError(uint64_t sequence, const StreamHeadAt& head) {
  ServiceError error =
      MakeError(absl::StatusCode::kFailedPrecondition, "stream.conflict",
                absl::StrCat("sequence ", sequence, " does not continue the stream, whose head is ",
                             head.sequence, " with leaf ", head.leaf_hash.ToHex()),
                "another record stands there; resume from the head, or use another stream name");
  error.expected_sequence = head.sequence + 1;
  error.expected_previous = head.leaf_hash;
  return error;
}

ServiceError StreamGapError(uint64_t sequence, const StreamHeadAt& head) {
  ServiceError error =
      MakeError(absl::StatusCode::kOutOfRange, "stream.gap",
                absl::StrCat("sequence ", sequence, ", the stream's next is ", head.sequence + 1),
                "send the records in between first");
  error.expected_sequence = head.sequence + 1;
  error.expected_previous = head.leaf_hash;
  return error;
}

absl::StatusOr<SubmitReceipt> FindReceipt(const ChainReader& reader, const Hash& leaf_hash) {
  ASSIGN_OR_RETURN(const RecordIndex index, reader.FindRecord(leaf_hash));
  ASSIGN_OR_RETURN(const ledger::BlockInfo block, reader.BlockOfRecord(index));
  ASSIGN_OR_RETURN(const std::vector<ledger::RecordResult> results,
                   reader.GetResults(block.height));
  const uint64_t offset = index - block.first_index;
  if (offset >= results.size()) {
    return absl::DataLossError(absl::StrCat("record ", index.value(), ": block ",
                                            block.height.value(), " has ", results.size(),
                                            " results from index ", block.first_index.value()));
  }
  return SubmitReceipt{.leaf_hash = leaf_hash,
                       .record_index = index,
                       .height = block.height,
                       .block_hash = block.hash,
                       .result = results[offset].code};
}

Admission AdmitSubmission(const Genesis& genesis, const ChainReader& reader,
                          const MempoolLimits& limits, Record record) {
  RecordView view;
  Admission admission = AdmitForm(genesis, reader, std::move(record), &view);
  if (!admission.error.ok()) return admission;
  const PoolRecord& pooled = admission.pooled;
  // The very same bytes, signature included, were judged before.
  const absl::StatusOr<SubmitReceipt> known = FindReceipt(reader, pooled.leaf_hash);
  if (known.ok() && known->result == ledger::ResultCode::kOk) {
    admission.known = *known;
    admission.known->result = ledger::ResultCode::kDuplicate;
    return admission;
  }
  // Outside streams nothing else would keep a rejected record from getting a leaf each time that
  // anybody repeats it.
  if (known.ok() && !pooled.place.has_value()) {
    admission.known = *known;
    return admission;
  }
  if (!known.ok() && !absl::IsNotFound(known.status())) {
    admission.error = StoreError(known.status());
    return admission;
  }
  // The signature before the place: whoever cannot sign for a stream is told nothing about it, and
  // is no evidence against its key.
  const bool in_stream = pooled.place.has_value();
  const absl::Status admissible = CheckAdmissible(genesis, reader.state(), view, pooled.leaf_hash);
  if (!admissible.ok() && !(in_stream && absl::IsAlreadyExists(admissible))) {
    admission.error = AdmissibleError(admissible, in_stream);
  } else if (in_stream) {
    admission.error = CheckPlace(reader, limits, *pooled.place);
  }
  return admission;
}

Admission AdmitForwarded(const Genesis& genesis, const ChainReader& reader, Record record) {
  RecordView view;
  Admission admission = AdmitForm(genesis, reader, std::move(record), &view);
  admission.pooled.local = false;
  if (!admission.error.ok()) return admission;
  const absl::Status admissible =
      CheckAdmissible(genesis, reader.state(), view, admission.pooled.leaf_hash);
  // What the chain holds already is answered by its execution, as every repeat of a forward is.
  if (!admissible.ok() && !absl::IsAlreadyExists(admissible)) {
    admission.error = AdmissibleError(admissible, admission.pooled.place.has_value());
  }
  return admission;
}

}  // namespace vigil::node
