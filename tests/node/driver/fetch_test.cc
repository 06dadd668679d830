// Fetching from another validator: frames, the allowance, and hostile requests and answers.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "ledger/base/random.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/memory_store.h"
#include "node/driver/fetch_frame.h"
#include "node/driver/fetch_server.h"
#include "node/driver/peer_frame.h"
#include "tests/node/driver/cluster_support.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

FetchRequest FileRequest(uint32_t id, std::string path, uint64_t offset = 0) {
  FetchRequest request;
  request.id = id;
  request.kind = FetchKind::kLogFile;
  request.path = std::move(path);
  request.offset = offset;
  return request;
}

FetchRequest BlocksRequest(uint64_t first, uint32_t count_max) {
  FetchRequest request;
  request.id = 7;
  request.first = Height(first);
  request.count_max = count_max;
  return request;
}

// Keeps what is sent.
class KeepingTransport final : public Transport {
 public:
  bool Send(ValidatorIndex to, OutFrame frame) override {
    const auto answer = DecodeFetchAnswer(frame.head);
    REQUIRE(answer.ok());
    bytes += frame.head.size();
    answers[to.value()].push_back(*answer);
    return true;
  }
  bool IsConnected(ValidatorIndex /*peer*/) const override { return true; }

  std::map<uint32_t, std::vector<FetchAnswer>> answers;
  uint64_t bytes = 0;
};

// A server over files in memory.
class Rig {
 public:
  explicit Rig(uint64_t bytes_per_second)
      : chain_(&store_, nullptr, &cache_, ledger::Tip(), 1 << 20),
        server(
            {.clock = &clock,
             .transport = &transport,
             .chain = &chain_,
             .counters = &counters,
             .read_log_file = [this](absl::string_view path) -> absl::StatusOr<std::string> {
               const auto found = files.find(std::string(path));
               if (found != files.end()) return found->second;
               return absl::NotFoundError("no such file");
             },
             .read_checkpoint = [this](Height height, uint64_t offset) -> absl::StatusOr<FilePart> {
               const auto found = checkpoints.find(height);
               if (found == checkpoints.end()) return absl::NotFoundError("no such height");
               return FilePart{.file_bytes = found->second.size(),
                               .bytes = found->second.substr(offset, kFetchAnswerBytesMax)};
             },
             .read_model = [this](const Hash& digest) -> absl::StatusOr<std::string> {
               const auto found = models.find(digest);
               if (found == models.end()) return absl::NotFoundError("no such model");
               return found->second;
             }},
            {.validator_count = 4, .bytes_per_second = bytes_per_second}) {}

 private:
  std::unique_ptr<ledger::Store> owned_ = std::make_unique<ledger::MemoryStore>();
  ledger::Store& store_ = *owned_;
  BlockCache cache_{1 << 20};
  ChainAccess chain_;

 public:
  ManualClock clock;
  KeepingTransport transport;
  NodeCounters counters;
  std::map<std::string, std::string> files;
  std::map<Height, std::string> checkpoints;
  std::map<Hash, std::string> models;
  FetchServer server;
};

TEST_CASE("fetch frame: what is encoded decodes to the same", "[fetch]") {
  const auto blocks = DecodeFetchRequest(EncodeFetchRequest(BlocksRequest(9, 256)));
  REQUIRE(blocks.ok());
  CHECK(blocks->id == 7);
  CHECK(blocks->first == Height(9));
  CHECK(blocks->count_max == 256);
  const auto file = DecodeFetchRequest(EncodeFetchRequest(FileRequest(3, "tile/0/000", 12)));
  REQUIRE(file.ok());
  CHECK(file->path == "tile/0/000");
  CHECK(file->offset == 12);
  FetchRequest want;
  want.id = 7;
  want.kind = FetchKind::kCheckpoint;
  want.first = Height(188);
  want.offset = 1 << 20;
  const auto checkpoint = DecodeFetchRequest(EncodeFetchRequest(want));
  REQUIRE(checkpoint.ok());
  CHECK(checkpoint->first == Height(188));
  CHECK(checkpoint->offset == 1 << 20);
  want.kind = FetchKind::kModel;
  want.digest.bytes.fill(9);
  const auto model = DecodeFetchRequest(EncodeFetchRequest(want));
  REQUIRE(model.ok());
  CHECK(model->digest == want.digest);
  CHECK(model->offset == 1 << 20);
  CHECK(EncodeFetchRequest(want).size() == 1 + 4 + 1 + 32 + 8);
  want.kind = FetchKind::kCheckpoint;
  want.first = Height(0);
  CHECK_FALSE(DecodeFetchRequest(EncodeFetchRequest(want)).ok());
  const auto found = DecodeFetchAnswer(EncodeFetchAnswer({.id = 5, .status = {}, .body = "body"}));
  REQUIRE(found.ok());
  CHECK(found->status.ok());
  CHECK(found->body == "body");
  const auto refused =
      DecodeFetchAnswer(EncodeFetchAnswer({.id = 5,
                                           .status = absl::ResourceExhaustedError("later"),
                                           .retry_after_millis = 9,
                                           .body = "x"}));
  REQUIRE(refused.ok());
  CHECK(absl::IsResourceExhausted(refused->status));
  CHECK(refused->status.message() == "later");
  CHECK(refused->retry_after_millis == 9);
  CHECK(refused->body.empty());
  CHECK(EncodeFetchRequest(FileRequest(3, "ab", 12)) == std::string("\x06\0\0\0\x03\x02\0\0\0\x02"
                                                                    "ab\0\0\0\0\0\0\0\x0c",
                                                                    20));
}

TEST_CASE("fetch frame: cut or longer or hostile frames are refused", "[fetch]") {
  for (const std::string& frame :
       {EncodeFetchRequest(BlocksRequest(1, 1)), EncodeFetchRequest(FileRequest(1, "checkpoint")),
        EncodeFetchAnswer({.id = 1, .status = {}, .body = "body"})}) {
    const auto decodes = [](absl::string_view bytes) {
      return DecodeFetchRequest(bytes).ok() || DecodeFetchAnswer(bytes).ok();
    };
    REQUIRE(decodes(frame));
    for (size_t size = 0; size < frame.size(); ++size) CHECK_FALSE(decodes(frame.substr(0, size)));
    CHECK_FALSE(decodes(frame + "x"));
  }
  CHECK_FALSE(DecodeFetchRequest(EncodeFetchRequest(BlocksRequest(0, 1))).ok());
  CHECK_FALSE(DecodeFetchRequest(EncodeFetchRequest(BlocksRequest(1, 0))).ok());
  CHECK_FALSE(DecodeFetchRequest(EncodeFetchRequest(BlocksRequest(1, kFetchBlocksMax + 1))).ok());
  CHECK_FALSE(DecodeFetchRequest(EncodeFetchRequest(FileRequest(1, ""))).ok());
  const std::string long_name(kFetchPathBytesMax + 1, 'x');
  CHECK_FALSE(DecodeFetchRequest(EncodeFetchRequest(FileRequest(1, long_name))).ok());
  std::string unknown = EncodeFetchRequest(FileRequest(1, "x"));
  unknown[5] = 99;
  CHECK_FALSE(DecodeFetchRequest(unknown).ok());
  const std::string large(kFetchBodyBytesMax + 1, 'x');
  CHECK_FALSE(DecodeFetchAnswer(EncodeFetchAnswer({.id = 1, .status = {}, .body = large})).ok());
  std::string status = EncodeFetchAnswer({.id = 1, .status = {}, .body = "body"});
  status[5] = kStatusCodeMax + 1;
  CHECK_FALSE(DecodeFetchAnswer(status).ok());

  std::string many;
  ByteWriter(&many).U32(0xffffffff);
  CHECK_FALSE(DecodeFetchedBlocks(many).ok());
  std::string cut;
  ByteWriter(&cut).U32(1).U32(0xffffffff);
  CHECK_FALSE(DecodeFetchedBlocks(cut).ok());
  CHECK_FALSE(DecodeFilePart("short").ok());
  CHECK_FALSE(DecodeFilePart(EncodeFilePart(3, "four")).ok());
  CHECK(DecodeFilePart(EncodeFilePart(4, "four"))->bytes == "four");
}

TEST_CASE("fetch frame: random bytes never crash a decoder", "[fetch]") {
  VIGIL_TEST_SEED(seed, 41);
  SplitMix64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string frame(1 + random.Below(60), '\0');
    for (char& byte : frame) byte = static_cast<char>(random.Below(random.Chance(500) ? 4 : 256));
    frame[0] = static_cast<char>(6 + random.Below(2));
    (void)DecodeFetchRequest(frame);
    (void)DecodeFetchAnswer(frame);
    (void)DecodeFetchedBlocks(frame);
    (void)DecodeFilePart(frame);
  }
  SUCCEED();
}

TEST_CASE("fetch server: a file comes in parts and what is not there is said", "[fetch]") {
  Rig rig(64u << 20);
  std::string file(2 * kFetchAnswerBytesMax + 10, '\0');
  for (size_t i = 0; i < file.size(); ++i) file[i] = static_cast<char>(i % 251);
  rig.files["tile/entries/000"] = file;
  std::string got;
  uint64_t file_bytes = 1;
  for (uint32_t id = 1; got.size() < file_bytes; ++id) {
    rig.server.OnRequest(ValidatorIndex(1), FileRequest(id, "tile/entries/000", got.size()));
    REQUIRE(rig.server.Step());
    const FetchAnswer& answer = rig.transport.answers[1].back();
    REQUIRE(answer.status.ok());
    CHECK(answer.id == id);
    const auto part = DecodeFilePart(answer.body);
    REQUIRE(part.ok());
    REQUIRE_FALSE(part->bytes.empty());
    CHECK(part->bytes.size() <= kFetchAnswerBytesMax);
    file_bytes = part->file_bytes;
    got += part->bytes;
  }
  CHECK(got == file);
  rig.server.OnRequest(ValidatorIndex(1), FileRequest(9, "tile/entries/000", file.size() + 1));
  rig.server.OnRequest(ValidatorIndex(1), FileRequest(10, "../../keys/consensus"));
  rig.server.OnRequest(ValidatorIndex(1), BlocksRequest(1, 1));
  while (rig.server.Step()) {
  }
  const std::vector<FetchAnswer>& answers = rig.transport.answers[1];
  CHECK(absl::IsOutOfRange(answers[answers.size() - 3].status));
  CHECK(absl::IsNotFound(answers[answers.size() - 2].status));
  CHECK(absl::IsNotFound(answers[answers.size() - 1].status));
}

TEST_CASE("fetch server: reads no more than its allowance and idle time is not saved up",
          "[fetch]") {
  constexpr uint64_t kRate = 256 * 1024;
  Rig rig(kRate);
  rig.files["f"] = std::string(100'000, 'x');
  rig.clock.AdvanceMicros(3'600'000'000);  // An idle hour buys one second.
  uint32_t id = 0;
  int64_t seconds = 0;
  for (; seconds < 20; ++seconds) {
    for (int64_t micros = 0; micros < 1'000'000; micros += 10'000) {
      for (int i = 0; i < 4; ++i) {
        rig.server.OnRequest(ValidatorIndex(2), FileRequest(++id, "f"));
      }
      while (rig.server.Step()) {
      }
      rig.clock.AdvanceMicros(10'000);
    }
  }
  const uint64_t answered = rig.counters.fetches_answered;
  CHECK(rig.counters.fetch_bytes <= kRate * static_cast<uint64_t>(seconds + 1) + 110'000);
  CHECK(rig.counters.fetch_bytes >= kRate * static_cast<uint64_t>(seconds) * 8 / 10);
  CHECK(rig.counters.fetches_refused == id - answered - kFetchWaitingMax);
}

TEST_CASE("fetch server: cheap answers are paid for as well", "[fetch]") {
  constexpr uint64_t kRate = 64 * 1024;
  Rig rig(kRate);
  rig.files["f"] = std::string(1'000'000, 'x');
  SECTION("of files that are not there") {
    for (int i = 0; i < 1000; ++i) {
      rig.server.OnRequest(ValidatorIndex(2), FileRequest(1, "nothing"));
      (void)rig.server.Step();
    }
    CHECK(rig.counters.fetches_answered <= 17);
  }
  SECTION("of the very end of a large file") {
    for (int i = 0; i < 1000; ++i) {
      rig.server.OnRequest(ValidatorIndex(2), FileRequest(1, "f", 999'999));
      (void)rig.server.Step();
    }
    CHECK(rig.counters.fetches_answered == 1);
    REQUIRE(rig.server.DeadlineMicros().has_value());
    // About fifteen seconds are owed.
    CHECK(*rig.server.DeadlineMicros() > rig.clock.MonotonicMicros() + 14'000'000);
    CHECK(*rig.server.DeadlineMicros() < rig.clock.MonotonicMicros() + 15'000'000);
    rig.clock.AdvanceMicros(15'000'000);
    CHECK(rig.server.Step());
  }
}

TEST_CASE("fetch server: one that floods waits for itself and the others do not wait for it",
          "[fetch]") {
  Rig rig(64u << 20);
  rig.files["f"].push_back('x');
  for (uint32_t id = 1; id <= 100; ++id) {
    rig.server.OnRequest(ValidatorIndex(1), FileRequest(id, "f"));
  }
  rig.server.OnRequest(ValidatorIndex(3), FileRequest(500, "f"));
  CHECK(rig.transport.answers[1].size() == 100 - kFetchWaitingMax);
  for (const FetchAnswer& answer : rig.transport.answers[1]) {
    CHECK(absl::IsResourceExhausted(answer.status));
    CHECK(answer.retry_after_millis > 0);
  }
  REQUIRE(rig.server.Step());
  REQUIRE(rig.server.Step());
  CHECK(rig.transport.answers[3].size() == 1);
  while (rig.server.Step()) {
  }
  CHECK_FALSE(rig.server.DeadlineMicros().has_value());
}

TEST_CASE("fetch server: snapshots without a proof at hand are not the same as none", "[fetch]") {
  ledger::FaultyFileSystem disk(4);
  ManualClock clock;
  KeepingTransport transport;
  NodeCounters counters;
  ledger::MemoryStore store;
  BlockCache cache(1 << 20);
  const auto ask = [&](uint64_t tip_height) {
    ledger::Tip tip;
    tip.height = Height(tip_height);
    const ChainAccess chain(&store, nullptr, &cache, tip, 1 << 20);
    FetchServer server({.clock = &clock,
                        .transport = &transport,
                        .chain = &chain,
                        .counters = &counters,
                        .files = &disk,
                        .make_offer = [](Height) -> absl::StatusOr<SnapshotOffer> {
                          return absl::NotFoundError("no checkpoint");
                        }},
                       {.validator_count = 4,
                        .bytes_per_second = 64u << 20,
                        .snapshots = "/snapshots",
                        .snapshot_interval_blocks = 65});
    FetchRequest request;
    request.kind = FetchKind::kOffers;
    server.OnRequest(ValidatorIndex(1), request);
    REQUIRE(server.Step());
    return transport.answers[1].back();
  };
  REQUIRE(ask(500).status.ok());
  CHECK(DecodeOffers(ask(500).body)->empty());
  REQUIRE(disk.MakeDirs("/snapshots").ok());
  REQUIRE(disk.WriteAtomically(ledger::SnapshotPath("/snapshots", Height(65)), AsBytes("x")).ok());
  CHECK(DecodeOffers(ask(129).body)->empty());
  CHECK(absl::IsUnavailable(ask(130).status));
}

TEST_CASE("fetch: a validator gets blocks and files of another byte for byte", "[fetch]") {
  sim::SimCluster cluster({.validators = 3}, /*seed=*/23);
  cluster.StartAll();
  sim::SensorStream stream = StreamOf(cluster);
  const uint32_t leader = WaitForLeader(&cluster);
  for (int i = 0; i < 5; ++i) {
    REQUIRE(SubmitAndWait(&cluster, leader, stream.NextBatch(20)).error.ok());
  }
  cluster.RunFor(3 * kSecond);
  const uint32_t other = (leader + 1) % 3;
  const Node& server = *cluster.node(leader);
  std::map<uint32_t, FetchAnswer> answers;
  cluster.network().SetTap([&](uint32_t from, absl::string_view frame) {
    const auto answer = DecodeFetchAnswer(frame);
    if (from == leader && answer.ok()) answers[answer->id] = *answer;
  });
  const auto ask = [&](FetchRequest request, uint32_t id) {
    request.id = id;
    OutFrame frame;
    frame.head = EncodeFetchRequest(request);
    REQUIRE(cluster.network().transport(other)->Send(ValidatorIndex(leader), frame));
  };
  const uint64_t invalid = cluster.node(other)->counters().frames_invalid;
  ask(BlocksRequest(2, 3), 1);
  ask(FileRequest(0, "checkpoint"), 2);
  ask(FileRequest(0, "tile/entries/000"), 3);
  ask(FileRequest(0, "../rollback_guard"), 4);
  ask(FileRequest(0, "/etc/hostname"), 5);
  ask(BlocksRequest(UINT64_MAX, kFetchBlocksMax), 6);
  REQUIRE(cluster.RunUntil([&] { return answers.size() == 6; }, 10 * kSecond));

  const auto blocks = DecodeFetchedBlocks(answers[1].body);
  REQUIRE(blocks.ok());
  REQUIRE(blocks->size() == 3);
  for (uint64_t i = 0; i < 3; ++i) {
    CHECK(AsView((*blocks)[i]) == (*server.LoadBlock(Height(2 + i)))->frame());
  }
  const auto part = DecodeFilePart(answers[2].body);
  REQUIRE(part.ok());
  CHECK(absl::StartsWith(part->bytes, server.genesis().network));
  for (const uint32_t id : {4, 5, 6}) CHECK_FALSE(answers[id].status.ok());
  CHECK(server.Status().fetch.answered == 6);
  CHECK(server.Status().fetch.bytes > part->bytes.size());
  // Nobody there had asked through the node: such answers count as invalid, and do nothing.
  cluster.RunFor(kSecond);
  CHECK(cluster.node(other)->counters().frames_invalid == invalid + 6);
  CHECK_FALSE(cluster.node(other)->Status().refusing);
}

TEST_CASE("fetch: checkpoints and models come in parts and are paid for", "[fetch]") {
  Rig rig(/*bytes_per_second=*/64 << 20);
  const std::string large(kFetchAnswerBytesMax + 1000, 'w');
  Hash digest;
  digest.bytes.fill(3);
  rig.checkpoints[Height(188)] = large;
  rig.models[digest] = "model";
  FetchRequest want;
  want.kind = FetchKind::kCheckpoint;
  const auto ask = [&] {
    ++want.id;
    rig.server.OnRequest(ValidatorIndex(2), want);
    while (rig.server.Step()) {
    }
    return rig.transport.answers[2].back();
  };
  want.first = Height(188);
  const auto first = DecodeFilePart(ask().body);
  REQUIRE(first.ok());
  CHECK(first->file_bytes == large.size());
  CHECK(first->bytes.size() == kFetchAnswerBytesMax);
  want.offset = kFetchAnswerBytesMax;
  CHECK(DecodeFilePart(ask().body)->bytes.size() == 1000);
  want.first = Height(189);
  CHECK(absl::IsNotFound(ask().status));
  want.kind = FetchKind::kModel;
  want.offset = 0;
  CHECK(absl::IsNotFound(ask().status));
  want.digest = digest;
  CHECK(DecodeFilePart(ask().body)->bytes == "model");
  want.offset = 6;
  CHECK(absl::IsOutOfRange(ask().status));
  CHECK(rig.counters.fetch_bytes > large.size());
}

}  // namespace
}  // namespace vigil::node
