#include "node/driver/fetch_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
// What a request costs besides the bytes it reads: also one that finds nothing takes time.
constexpr size_t kRequestCostBytes = 4096;
constexpr uint32_t kRetryMillis = 1'000;

absl::StatusOr<std::string> PartOf(absl::string_view what, absl::string_view file, uint64_t offset,
                                   size_t* cost) {
  *cost += file.size();
  if (offset > file.size()) {
    return absl::OutOfRangeError(absl::StrCat(what, ": byte ", offset, " of ", file.size()));
  }
  return EncodeFilePart(file.size(), file.substr(offset, kFetchAnswerBytesMax));
}

}  // namespace

FetchServer::FetchServer(const Ports& ports, const Options& options)
    : ports_(ports),
      options_(options),
      allowance_(static_cast<int64_t>(options.bytes_per_second)),
      refilled_micros_(ports.clock->MonotonicMicros()),
      waiting_(options.validator_count) {
  VIGIL_CHECK(options.bytes_per_second > 0, "a fetch server that may send nothing");
}

void FetchServer::OnRequest(ValidatorIndex from, FetchRequest request) {
  const uint32_t id = request.id;
  {
    MutexLock lock(&mutex_);
    std::deque<FetchRequest>& queue = waiting_[from.value()];
    if (queue.size() < kFetchWaitingMax) {
      queue.push_back(std::move(request));
      ++waiting_count_;
      signal()->Set();
      return;
    }
  }
  ports_.counters->fetches_refused.fetch_add(1, std::memory_order_relaxed);
  (void)Send(from, {.id = id,
                    .status = absl::ResourceExhaustedError(
                        absl::StrCat(kFetchWaitingMax, " requests of this validator wait here")),
                    .retry_after_millis = kRetryMillis,
                    .body = ""});
}

std::optional<FetchServer::Waiting> FetchServer::TakeNext() {
  MutexLock lock(&mutex_);
  for (size_t i = 0; waiting_count_ > 0 && i < waiting_.size(); ++i) {
    const size_t peer = turn_;
    turn_ = (turn_ + 1) % waiting_.size();
    std::deque<FetchRequest>& queue = waiting_[peer];
    if (queue.empty()) continue;
    Waiting next{.from = ValidatorIndex(static_cast<uint32_t>(peer)),
                 .request = std::move(queue.front())};
    queue.pop_front();
    --waiting_count_;
    return next;
  }
  return std::nullopt;
}

void FetchServer::Refill() {
  const int64_t now = ports_.clock->MonotonicMicros();
  const auto rate = static_cast<int64_t>(options_.bytes_per_second);
  // Idle time counts for one second at most; longer is not multiplied, so nothing overflows.
  const int64_t idle = now - refilled_micros_;
  if (idle >= kMicrosPerSecond && allowance_ >= 0) {
    allowance_ = rate;
    refilled_micros_ = now;
    return;
  }
  const int64_t millis = std::min<int64_t>(idle / 1000, 60'000);
  allowance_ = std::min(allowance_ + rate / 1000 * millis + rate % 1000 * millis / 1000, rate);
  refilled_micros_ += idle / 1000 * 1000;
}

bool FetchServer::Step() {
  Refill();
  if (allowance_ <= 0) return false;
  std::optional<Waiting> next = TakeNext();
  if (!next.has_value()) return false;
  FetchAnswer answer;
  answer.id = next->request.id;
  size_t cost = kRequestCostBytes;
  absl::StatusOr<std::string> body = Read(next->request, &cost);
  if (body.ok()) {
    answer.body = *std::move(body);
  } else {
    answer.status = body.status();
  }
  allowance_ -= static_cast<int64_t>(cost);
  const size_t bytes = Send(next->from, answer);
  ports_.counters->fetches_answered.fetch_add(1, std::memory_order_relaxed);
  ports_.counters->fetch_bytes.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

std::optional<int64_t> FetchServer::DeadlineMicros() const {
  MutexLock lock(&mutex_);
  if (waiting_count_ == 0) return std::nullopt;
  const auto rate = static_cast<int64_t>(options_.bytes_per_second);
  const int64_t missing = std::max<int64_t>(1 - allowance_, 0);
  const int64_t wait_millis = missing * 1000 / rate + 1;
  return refilled_micros_ + wait_millis * 1000;
}

absl::StatusOr<std::string> FetchServer::Read(const FetchRequest& request, size_t* cost) {
  switch (request.kind) {
    case FetchKind::kBlocks:
      return ReadBlocks(request, cost);
    case FetchKind::kLogFile:
      return ReadLogFile(request, cost);
    case FetchKind::kOffers:
      return ReadOffers(cost);
    case FetchKind::kManifest:
      return ReadManifest(request, cost);
    case FetchKind::kChunks:
      return ReadChunks(request, cost);
    case FetchKind::kCheckpoint:
      return ReadCheckpoint(request, cost);
    case FetchKind::kModel:
      return ReadModel(request, cost);
    case FetchKind::kKeptBlock:
      return ReadKeptBlock(request, cost);
    case FetchKind::kFinalBlocks:
      return ReadFinalBlocks(request, cost);
  }
  return absl::UnimplementedError("fetch of this kind");
}

absl::StatusOr<std::vector<ledger::BlockPtr>> FetchServer::LoadBlocks(Height first,
                                                                      uint32_t count_max,
                                                                      size_t* cost) const {
  std::vector<ledger::BlockPtr> blocks;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count_max; ++i) {
    const absl::StatusOr<ledger::BlockPtr> block =
        ports_.chain->LoadBlock(Height(first.value() + i));
    if (!block.ok()) {
      if (blocks.empty()) return block.status();
      break;
    }
    // Nobody may take a block without its payloads for a block.
    if ((*block)->pruned()) {
      if (!blocks.empty()) break;
      return absl::NotFoundError(
          absl::StrCat("the payloads of block ", first.value() + i, " were pruned here"));
    }
    bytes += (*block)->frame().size();
    *cost += (*block)->frame().size();
    if (!blocks.empty() && bytes > kFetchAnswerBytesMax) break;
    blocks.push_back(*block);
  }
  return blocks;
}

absl::StatusOr<std::string> FetchServer::ReadBlocks(const FetchRequest& request,
                                                    size_t* cost) const {
  ASSIGN_OR_RETURN(const std::vector<ledger::BlockPtr> blocks,
                   LoadBlocks(request.first, request.count_max, cost));
  return EncodeFetchedBlocks(blocks);
}

absl::StatusOr<std::string> FetchServer::ReadFinalBlocks(const FetchRequest& request,
                                                         size_t* cost) const {
  if (ports_.final_height == nullptr) return absl::UnimplementedError("no final blocks here");
  const Height top = ports_.final_height();
  if (request.first > top) {
    return absl::NotFoundError(absl::StrCat("blocks up to ", top.value(), " are final"));
  }
  const uint64_t count =
      std::min<uint64_t>(request.count_max, top.value() - request.first.value() + 1);
  ASSIGN_OR_RETURN(const std::vector<ledger::BlockPtr> blocks,
                   LoadBlocks(request.first, static_cast<uint32_t>(count), cost));
  ASSIGN_OR_RETURN(const FinalProof proof, ports_.prove_final(blocks.back()->height()));
  return EncodeFinalBlocks(proof, blocks);
}

// The frame's own format says whether the payloads are in it.
absl::StatusOr<std::string> FetchServer::ReadKeptBlock(const FetchRequest& request,
                                                       size_t* cost) const {
  ASSIGN_OR_RETURN(const ledger::BlockPtr block, ports_.chain->LoadBlock(request.first));
  *cost += block->frame().size();
  return std::string(block->frame());
}

absl::StatusOr<std::string> FetchServer::ReadLogFile(const FetchRequest& request,
                                                     size_t* cost) const {
  ASSIGN_OR_RETURN(const std::string file, ports_.read_log_file(request.path));
  return PartOf(request.path, file, request.offset, cost);
}

absl::StatusOr<std::string> FetchServer::ReadCheckpoint(const FetchRequest& request,
                                                        size_t* cost) const {
  ASSIGN_OR_RETURN(const FilePart part, ports_.read_checkpoint(request.first, request.offset));
  *cost += part.bytes.size();
  return EncodeFilePart(part.file_bytes, part.bytes);
}

absl::StatusOr<std::string> FetchServer::ReadModel(const FetchRequest& request,
                                                   size_t* cost) const {
  ASSIGN_OR_RETURN(const std::string file, ports_.read_model(request.digest));
  return PartOf("model", file, request.offset, cost);
}

// The newest first, as many as there is proof for.
absl::StatusOr<std::string> FetchServer::ReadOffers(size_t* cost) const {
  ASSIGN_OR_RETURN(std::vector<Height> heights,
                   ledger::ListSnapshots(*ports_.files, options_.snapshots));
  std::vector<SnapshotOffer> offers;
  for (size_t i = heights.size(); i > 0 && offers.size() < kSnapshotOffersMax; --i) {
    absl::StatusOr<SnapshotOffer> offer = ports_.make_offer(heights[i - 1]);
    *cost += kSnapshotOfferBytesMax;
    if (offer.ok() && offer->mark.height == heights[i - 1]) offers.push_back(*std::move(offer));
  }
  // Where there must be a proof by now, whoever joins shall ask again rather than believe that
  // there is none, and follow from the first block.
  if (offers.empty() && !heights.empty() &&
      heights.front() + options_.snapshot_interval_blocks <= ports_.chain->tip()) {
    return absl::UnavailableError("there are snapshots, but no proof of them is at hand now");
  }
  return EncodeOffers(offers);
}

absl::StatusOr<const ledger::SnapshotFile*> FetchServer::OpenSnapshot(Height height, size_t* cost) {
  const std::string path = ledger::SnapshotPath(options_.snapshots, height);
  const bool is_open = snapshot_ != nullptr && snapshot_->manifest().height == height;
  if (!ports_.files->Exists(path)) snapshot_.reset();
  if (snapshot_ != nullptr && is_open) return snapshot_.get();
  ASSIGN_OR_RETURN(snapshot_, ledger::SnapshotFile::Open(ports_.files, path));
  *cost += sizeof(Hash) * snapshot_->manifest().chunks.size() + ledger::kSnapshotChunkBytes;
  return snapshot_.get();
}

absl::StatusOr<std::string> FetchServer::ReadManifest(const FetchRequest& request, size_t* cost) {
  ASSIGN_OR_RETURN(const ledger::SnapshotFile* const snapshot, OpenSnapshot(request.first, cost));
  const std::string manifest = ledger::EncodeSnapshotManifest(snapshot->manifest());
  return PartOf("manifest", manifest, request.offset, cost);
}

absl::StatusOr<std::string> FetchServer::ReadChunks(const FetchRequest& request, size_t* cost) {
  ASSIGN_OR_RETURN(const ledger::SnapshotFile* const snapshot, OpenSnapshot(request.first, cost));
  const uint64_t count = snapshot->manifest().chunks.size();
  if (request.first_chunk >= count) {
    return absl::OutOfRangeError(absl::StrCat("chunk ", request.first_chunk, " of ", count));
  }
  std::string chunks;
  for (uint64_t i = 0; i < request.count_max && request.first_chunk + i < count; ++i) {
    ASSIGN_OR_RETURN(const std::string chunk,
                     snapshot->ReadChunk(static_cast<uint32_t>(request.first_chunk + i)));
    chunks += chunk;
  }
  *cost += chunks.size();
  return chunks;
}

size_t FetchServer::Send(ValidatorIndex to, const FetchAnswer& answer) {
  OutFrame frame;
  frame.head = EncodeFetchAnswer(answer);
  const size_t bytes = frame.head.size();
  const bool sent = ports_.transport->Send(to, std::move(frame));
  auto& counter = sent ? ports_.counters->frames_sent : ports_.counters->frames_unsent;
  counter.fetch_add(1, std::memory_order_relaxed);
  return sent ? bytes : 0;
}

}  // namespace vigil::node
