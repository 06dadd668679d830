// The submitter against validators that lose, delay, refuse, lie and die: every event is on the
// chain exactly once and in order, or the submitter says why not.
#include "client/lib/submitter.h"

#include "ledger/storage/faulty_file_system.h"
#include "tests/client/lib/fake_validator.h"
#include "tests/client/lib/lib_test_support.h"

namespace vigil::client {
namespace {

// A port where nobody listens.
std::string DeadEndpoint() {
  FakeChain chain(TestChainId(), TestKey().public_key());
  return FakeValidator(&chain).endpoint();
}

SubmitterOptions QuickOptions() {
  SubmitterOptions options;
  options.identity = "acme/sensor";
  options.stream = "s";
  options.chain_id = TestChainId();
  options.receipts = ReceiptCheck::kTrust;
  options.spool_folder = "/spool";
  options.backoff_millis_min = 1;
  options.backoff_millis_max = 20;
  options.give_up_millis = 20'000;
  return options;
}

// A network and one client of it, on a disk in memory.
class Bench {
 public:
  explicit Bench(int validators = 1)
      : disk_(/*seed=*/1), chain_(TestChainId(), TestKey().public_key()) {
    for (int i = 0; i < validators; ++i) {
      validators_.push_back(std::make_unique<FakeValidator>(&chain_));
      endpoints_.push_back(validators_.back()->endpoint());
    }
  }

  FakeValidator& validator(int i = 0) { return *validators_[i]; }
  FakeChain& chain() { return chain_; }
  ledger::FaultyFileSystem& disk() { return disk_; }
  std::vector<std::string>& endpoints() { return endpoints_; }
  const std::vector<std::string>& marks() const { return marks_; }
  absl::Status keeper_answer;

  std::unique_ptr<Submitter> Open(const SubmitterOptions& options = QuickOptions()) {
    auto submitter = TryOpen(options);
    INFO(submitter.status());
    REQUIRE(submitter.ok());
    return *std::move(submitter);
  }
  absl::StatusOr<std::unique_ptr<Submitter>> TryOpen(const SubmitterOptions& options) {
    clients_.push_back(ConnectTo(endpoints_, 2000));
    return Submitter::Open(options, &TestKey(), clients_.back().get(), &disk_, SystemClock(),
                           [this](const std::vector<std::string>& marks) {
                             if (!keeper_answer.ok()) return keeper_answer;
                             marks_.insert(marks_.end(), marks.begin(), marks.end());
                             return absl::OkStatus();
                           });
  }

 private:
  ledger::FaultyFileSystem disk_;
  FakeChain chain_;
  std::vector<std::unique_ptr<FakeValidator>> validators_;
  std::vector<std::string> endpoints_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::string> marks_;
};

// Submits `batches` batches of ten events and waits for them.
absl::Status Deliver(Submitter* submitter, int batches, int first = 1) {
  for (int i = 0; i < batches; ++i) {
    const absl::Status status = submitter->Submit(TestBatch(first + 10 * i, first + 10 * i + 9));
    if (!status.ok()) return status;
  }
  return submitter->Flush();
}

TEST_CASE("submitter: every event arrives once and in order", "[lib]") {
  Bench bench;
  const auto submitter = bench.Open();
  REQUIRE(Deliver(submitter.get(), 50).ok());
  CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 500));
  CHECK(submitter->pending() == 0);
  CHECK(submitter->stats().events_delivered == 500);
  CHECK(submitter->stats().duplicates == 0);
  CHECK(bench.marks().size() == 50);
  CHECK(bench.marks().back() == "m500");
  CHECK(bench.disk().List("/spool").value() == std::vector<std::string>{"head"});
}

TEST_CASE("submitter: each fault of a validator is survived without loss or doubling", "[lib]") {
  for (const Fault fault :
       {Fault::kLoseAck, Fault::kHangUp, Fault::kHangUpUnavailable, Fault::kLaneFull,
        Fault::kRefusing, Fault::kGap, Fault::kWrongTag, Fault::kWrongReceipt, Fault::kTwice}) {
    INFO("fault " << static_cast<int>(fault));
    Bench bench;
    bench.validator().Inject({Fault::kNone, fault, Fault::kNone, fault, fault});
    const auto submitter = bench.Open();
    REQUIRE(Deliver(submitter.get(), 12).ok());
    CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 120));
    CHECK(bench.chain().conflicts() == 0);
    CHECK(submitter->stats().retries > 0);
    CHECK(submitter->stats().events_delivered == 120);
    CHECK(submitter->pending() == 0);
  }
}

TEST_CASE("submitter: a lost acknowledgement is answered as a duplicate", "[lib]") {
  Bench bench;
  bench.validator().Inject({Fault::kLoseAck});
  const auto submitter = bench.Open();
  REQUIRE(Deliver(submitter.get(), 1).ok());
  CHECK(submitter->stats().duplicates == 1);
  CHECK(bench.validator().arrived().size() == 2);
  CHECK(bench.validator().arrived()[0] == bench.validator().arrived()[1]);
}

TEST_CASE("submitter: when a validator is gone or silent another one is found", "[lib]") {
  Bench bench(/*validators=*/2);
  SubmitterOptions options = QuickOptions();
  options.answer_millis_max = 100;
  SECTION("gone") { bench.endpoints().insert(bench.endpoints().begin(), DeadEndpoint()); }
  SECTION("silent") { bench.validator(0).Inject({Fault::kNone, Fault::kNone, Fault::kSilence}); }
  const auto submitter = bench.Open(options);
  REQUIRE(Deliver(submitter.get(), 8).ok());
  CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 80));
  CHECK(bench.chain().conflicts() == 0);
}

TEST_CASE("submitter: no more than the window is ever unanswered", "[lib]") {
  Bench bench;
  bench.validator().Hold();
  SubmitterOptions options = QuickOptions();
  options.window = 3;
  const auto submitter = bench.Open(options);
  for (int i = 0; i < 10; ++i) REQUIRE(submitter->Submit(TestBatch(10 * i + 1, 10 * i + 10)).ok());
  for (int i = 0; i < 50; ++i) REQUIRE(submitter->Poll().ok());
  CHECK(bench.validator().arrived().size() <= 3);
  CHECK(submitter->pending() == 10);
  bench.validator().Release();
  REQUIRE(submitter->Flush().ok());
  CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 100));
}

TEST_CASE("submitter: a conflict stops everything and names the evidence", "[lib]") {
  Bench bench;
  bench.validator().Inject({Fault::kNone, Fault::kConflict});
  const auto submitter = bench.Open();
  const absl::Status status = Deliver(submitter.get(), 5);
  CHECK(absl::IsFailedPrecondition(status));
  CHECK(status.message().find("RESULT_CONFLICT at height 77") != absl::string_view::npos);
  CHECK(status.message().find("record 2 of stream s") != absl::string_view::npos);
  CHECK(submitter->pending() >= 1);
  const size_t sent = bench.validator().arrived().size();
  CHECK(submitter->Submit(TestBatch(900, 900)) == status);
  CHECK(submitter->Flush() == status);
  CHECK(bench.validator().arrived().size() == sent);
}

TEST_CASE("submitter: a refusal that cannot be retried stops with the validator's words", "[lib]") {
  Bench bench;
  bench.validator().Inject({Fault::kMalformed});
  const auto submitter = bench.Open();
  const absl::Status status = Deliver(submitter.get(), 1);
  CHECK(absl::IsFailedPrecondition(status));
  CHECK(status.message().find("record.malformed: because the test says so") !=
        absl::string_view::npos);
  CHECK(submitter->pending() == 1);
}

TEST_CASE("submitter: a restart sends the very same bytes again", "[lib]") {
  Bench bench;
  bench.validator().Hold();
  std::vector<std::string> first;
  {
    const auto submitter = bench.Open();
    for (int i = 0; i < 4; ++i) REQUIRE(submitter->Submit(TestBatch(10 * i + 1, 10 * i + 10)).ok());
    for (int i = 0; i < 50 && bench.validator().arrived().empty(); ++i) {
      REQUIRE(submitter->Poll().ok());
    }
    first = bench.validator().arrived();
    CHECK(submitter->pending() == 4);
  }
  bench.validator().Release();
  const auto submitter = bench.Open();
  CHECK(submitter->PendingMarks() == std::vector<std::string>{"m10", "m20", "m30", "m40"});
  REQUIRE(Deliver(submitter.get(), 1, /*first=*/41).ok());
  CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 50));
  CHECK(bench.chain().conflicts() == 0);
  const std::vector<std::string> all = bench.validator().arrived();
  for (const std::string& leaf : first) CHECK(std::count(all.begin(), all.end(), leaf) >= 2);
  CHECK(bench.chain().record_count() == 5);
}

TEST_CASE("submitter: a record leaves the spool only after its mark was kept", "[lib]") {
  Bench bench;
  bench.keeper_answer = absl::UnavailableError("disk on fire");
  {
    const auto submitter = bench.Open();
    CHECK_FALSE(Deliver(submitter.get(), 1).ok());
    CHECK(submitter->pending() == 1);
  }
  CHECK(bench.chain().events().size() == 10);
  bench.keeper_answer = absl::OkStatus();
  const auto submitter = bench.Open();
  REQUIRE(submitter->Flush().ok());
  CHECK(bench.marks() == std::vector<std::string>{"m10"});
  CHECK(submitter->stats().duplicates == 1);
}

TEST_CASE("submitter: a chain that is ahead of the spool is an error with its remedy", "[lib]") {
  Bench bench;
  Hash other;
  other.bytes.fill(7);
  bench.chain().SetHead(5, other);
  SubmitterOptions options = QuickOptions();
  SECTION("a fresh spool does not sign") {
    const auto submitter = bench.Open(options);
    const absl::Status status = submitter->Submit(TestBatch(1, 10));
    CHECK(absl::IsFailedPrecondition(status));
    CHECK(status.message().find("--adopt-head") != absl::string_view::npos);
    CHECK(submitter->pending() == 0);
  }
  SECTION("unless it is told to go on from there") {
    options.adopt_head = true;
    REQUIRE(Deliver(bench.Open(options).get(), 3).ok());
    CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 30));
    CHECK(bench.chain().Head().sequence() == 8);
  }
  SECTION("a spool restored from an older copy does not send") {
    bench.chain().SetHead(0, Hash());
    REQUIRE(Deliver(bench.Open(options).get(), 2).ok());
    bench.chain().SetHead(9, other);
    CHECK(absl::IsFailedPrecondition(Deliver(bench.Open(options).get(), 1, 21)));
    CHECK(bench.chain().events().size() == 20);
  }
  SECTION("after a reset at the same sequence it goes on when told") {
    bench.chain().SetHead(0, Hash());
    REQUIRE(Deliver(bench.Open(options).get(), 2).ok());
    bench.chain().SetHead(2, other);
    options.adopt_head = true;
    REQUIRE(Deliver(bench.Open(options).get(), 1, 21).ok());
    CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 30));
  }
}

// Events that fill a spool quickly.
EventBatch LargeBatch(int number) {
  static ledger::SaltSource salts(std::array<uint8_t, 32>{8});
  BatchBuilder builder({.items_max = 1000, .payload_bytes_max = 1024 * 1024}, SystemClock());
  for (int i = 0; i < 40; ++i) {
    v1::Event event;
    event.set_time_unix_nano(1'700'000'000'000'000'000 + static_cast<uint64_t>(i));
    event.set_type_uid(400106);
    event.set_source("test");
    event.set_source_uid(std::to_string(number));
    event.mutable_actor()->set_cmd_line(std::string(4000, 'x'));
    event.set_raw(std::string(8000, 'y'));
    auto encoded = EncodeEvent(&event, &salts);
    REQUIRE(encoded.ok());
    builder.Add(*std::move(encoded));
  }
  return builder.Take("large" + std::to_string(number));
}

TEST_CASE("submitter: a full spool blocks and gives up when nobody takes anything", "[lib]") {
  Bench bench;
  SubmitterOptions options = QuickOptions();
  options.spool_bytes_max = 2 * 1024 * 1024;
  REQUIRE(Deliver(bench.Open(options).get(), 1).ok());
  bench.endpoints() = {DeadEndpoint()};
  options.give_up_millis = 100;
  {
    const auto submitter = bench.Open(options);
    absl::Status status;
    int taken = 0;
    while (status.ok() && taken < 10) {
      status = submitter->Submit(LargeBatch(taken));
      if (status.ok()) ++taken;
    }
    CHECK(taken == 4);  // Of 480 KB each.
    CHECK(absl::IsUnavailable(status));
    CHECK(submitter->pending() == 4);
    CHECK_FALSE(submitter->trouble().empty());
  }
  bench.endpoints() = {bench.validator().endpoint()};
  REQUIRE(bench.Open(options)->Flush().ok());
  CHECK(bench.chain().events().size() == 10 + 4 * 40);
}

TEST_CASE("submitter: with drop newest the loss is a signed gap on the chain", "[lib]") {
  Bench bench;
  SubmitterOptions options = QuickOptions();
  options.spool_bytes_max = 2 * 1024 * 1024;
  options.overflow = OverflowPolicy::kDropNewest;
  options.window = 1;
  bench.validator().Hold();
  const auto submitter = bench.Open(options);
  for (int i = 0; i < 7; ++i) REQUIRE(submitter->Submit(LargeBatch(i)).ok());
  CHECK(submitter->stats().events_dropped == 3 * 40);
  bench.validator().Release();
  REQUIRE(submitter->Flush().ok());
  CHECK(bench.chain().events().size() == 4 * 40);
  CHECK(bench.chain().lost_count() == 3 * 40);
  CHECK(bench.chain().record_count() == 5);
  CHECK(bench.marks().back() == "large6");
}

TEST_CASE("submitter: with the level accepted the spool is enough", "[lib]") {
  Bench bench;
  REQUIRE(Deliver(bench.Open().get(), 1).ok());
  bench.endpoints() = {DeadEndpoint()};
  SubmitterOptions options = QuickOptions();
  options.ack = v1::ACK_ACCEPTED;
  {
    const auto submitter = bench.Open(options);
    REQUIRE(Deliver(submitter.get(), 3, 11).ok());
    CHECK(submitter->pending() == 3);
  }
  bench.endpoints() = {bench.validator().endpoint()};
  REQUIRE(bench.Open()->Flush().ok());
  CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 40));
}

TEST_CASE("submitter: heartbeats take sequence numbers like batches", "[lib]") {
  Bench bench;
  const auto submitter = bench.Open();
  REQUIRE(Deliver(submitter.get(), 1).ok());
  REQUIRE(submitter->Heartbeat(1'700'000'000'000'000'000).ok());
  REQUIRE(Deliver(submitter.get(), 1, 11).ok());
  CHECK(bench.chain().record_count() == 3);
  CHECK(bench.chain().Head().sequence() == 3);
  CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 20));
}

TEST_CASE("submitter: an idle call that ends is no trouble", "[lib]") {
  Bench bench;
  SubmitterOptions options = QuickOptions();
  options.give_up_millis = 1;
  const auto submitter = bench.Open(options);
  REQUIRE(Deliver(submitter.get(), 1).ok());
  bench.validator().EndCalls();
  // Long enough for the end to be noticed, and for patience to run out if it were taken ill.
  const int64_t until = SystemClock()->MonotonicMicros() + 50'000;
  while (SystemClock()->MonotonicMicros() < until) REQUIRE(submitter->Poll().ok());
  CHECK(submitter->trouble().empty());
  CHECK(submitter->stats().retries == 0);
  REQUIRE(Deliver(submitter.get(), 1, 11).ok());
  CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 20));
}

TEST_CASE("submitter: for another chain nothing is signed and the spool stays unbound", "[lib]") {
  Bench bench;
  SubmitterOptions options = QuickOptions();
  options.chain_id.bytes.fill(0x77);
  options.adopt_head = GENERATE(false, true);
  {
    const auto submitter = bench.Open(options);
    const absl::Status status = submitter->Submit(TestBatch(1, 10));
    CHECK(absl::IsFailedPrecondition(status));
    CHECK(status.message().find(options.chain_id.ToHex()) != absl::string_view::npos);
    CHECK(status.message().find(TestChainId().ToHex()) != absl::string_view::npos);
    CHECK(submitter->pending() == 0);
  }
  REQUIRE(Deliver(bench.Open().get(), 1).ok());
}

TEST_CASE("submitter: told to stop it waits for nobody and a later run delivers", "[lib]") {
  Bench bench;
  std::atomic<bool> stop{false};
  SubmitterOptions options = QuickOptions();
  options.stop = &stop;
  options.give_up_millis = 0;
  options.backoff_millis_min = options.backoff_millis_max = 600'000;
  SECTION("before the first signature nothing is spooled") {
    stop = true;
    bench.endpoints() = {DeadEndpoint()};
    const auto submitter = bench.Open(options);
    CHECK(absl::IsCancelled(submitter->Submit(TestBatch(1, 10))));
    CHECK(submitter->pending() == 0);
  }
  SECTION("what waits in the spool stays there") {
    const std::vector<std::string> alive = bench.endpoints();
    REQUIRE(Deliver(bench.Open(options).get(), 1).ok());
    bench.endpoints() = {DeadEndpoint()};
    {
      const auto submitter = bench.Open(options);
      REQUIRE(submitter->Submit(TestBatch(11, 20)).ok());
      stop = true;
      REQUIRE(submitter->Submit(TestBatch(21, 30)).ok());
      CHECK(absl::IsCancelled(submitter->Flush()));
      CHECK(submitter->pending() == 2);
    }
    bench.endpoints() = alive;
    stop = false;
    REQUIRE(bench.Open(options)->Flush().ok());
    CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 30));
  }
  SECTION("a full spool is not waited for") {
    bench.validator().Hold();
    options.spool_bytes_max = 2 * 1024 * 1024;
    const auto submitter = bench.Open(options);
    absl::Status status;
    for (int i = 0; status.ok() && i < 10'000; ++i) {
      if (submitter->pending() == 3) stop = true;
      EventBatch batch = TestBatch(10 * i + 1, 10 * i + 10);
      batch.source_mark = std::string(kSourceMarkBytesMax / 2, 'm');
      status = submitter->Submit(std::move(batch));
    }
    CHECK(absl::IsCancelled(status));
    bench.validator().Release();
  }
}

TEST_CASE("submitter: a source mark that is too large is refused before anything is signed",
          "[lib]") {
  Bench bench;
  const auto submitter = bench.Open();
  EventBatch batch = TestBatch(1, 2);
  batch.source_mark = std::string(kSourceMarkBytesMax + 1, 'm');
  CHECK(absl::IsInvalidArgument(submitter->Submit(std::move(batch))));
  CHECK(submitter->pending() == 0);
  batch = TestBatch(3, 4);
  batch.source_mark = std::string(kSourceMarkBytesMax, 'm');
  REQUIRE(submitter->Submit(std::move(batch)).ok());
  REQUIRE(submitter->Flush().ok());
  CHECK(NumbersOf(bench.chain().events()) == Numbers(3, 4));
}

TEST_CASE("submitter: options out of range and spools of others are refused", "[lib]") {
  Bench bench;
  const auto refused = [&](auto change) {
    SubmitterOptions options = QuickOptions();
    change(&options);
    return absl::IsInvalidArgument(bench.TryOpen(options).status());
  };
  CHECK(refused([](SubmitterOptions* o) { o->identity = "sensor"; }));
  CHECK(refused([](SubmitterOptions* o) { o->stream = ""; }));
  CHECK(refused([](SubmitterOptions* o) { o->stream = std::string(65, 's'); }));
  CHECK(refused([](SubmitterOptions* o) { o->window = 0; }));
  CHECK(refused([](SubmitterOptions* o) { o->window = 257; }));
  CHECK(refused([](SubmitterOptions* o) { o->spool_bytes_max = 1; }));
  CHECK(refused([](SubmitterOptions* o) { o->backoff_millis_min = 0; }));
  CHECK(refused([](SubmitterOptions* o) { o->answer_millis_max = 0; }));

  REQUIRE(Deliver(bench.Open().get(), 1).ok());
  SubmitterOptions other = QuickOptions();
  other.stream = "t";
  CHECK(absl::IsFailedPrecondition(bench.TryOpen(other).status()));
  other = QuickOptions();
  other.chain_id = Hash();
  CHECK(absl::IsFailedPrecondition(bench.TryOpen(other).status()));
  const auto open = bench.Open();
  CHECK(absl::IsAlreadyExists(bench.TryOpen(QuickOptions()).status()));
}

TEST_CASE("submitter: receipts are verified unless it is told to trust them") {
  SubmitterOptions options = QuickOptions();
  options.receipts = SubmitterOptions().receipts;
  Bench bench;
  CHECK(absl::IsInvalidArgument(bench.TryOpen(options).status()));  // Under which policy?
  options.policy.quorum = "none";
  options.receipts_folder = "/receipts";
  options.give_up_millis = 300;

  // This validator acknowledges everything, and proves nothing.
  auto submitter = bench.Open(options);
  REQUIRE(submitter->Submit(TestBatch(1, 3)).ok());
  const absl::Status status = submitter->Flush();
  INFO(status.message());
  CHECK(IsUnreachable(status));
  CHECK(
      std::string(status.message()).find(bench.validator().endpoint() + " acknowledged record 1") !=
      std::string::npos);
  CHECK(submitter->pending() == 1);
  CHECK(submitter->stats().events_delivered == 0);
  CHECK(bench.marks().empty());
  submitter.reset();

  // On its word it is delivered, once.
  options.receipts = ReceiptCheck::kTrust;
  submitter = bench.Open(options);
  REQUIRE(submitter->Flush().ok());
  CHECK(submitter->pending() == 0);
  CHECK(submitter->stats().duplicates == 1);
  CHECK(NumbersOf(bench.chain().events()) == Numbers(1, 3));
}

}  // namespace
}  // namespace vigil::client
