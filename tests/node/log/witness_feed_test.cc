#include "node/log/witness_feed.h"

#include <array>
#include <map>

#include "absl/strings/str_cat.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/merkle.h"
#include "ledger/log/witness.h"
#include "tests/ledger/log/memory_tiles.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

constexpr absl::string_view kOrigin = "net/origin";
constexpr uint64_t kLeaves = 700;
constexpr int64_t kSecond = 1'000'000;

ledger::SigningKey KeyOf(uint8_t seed) {
  std::array<uint8_t, 32> bytes{};
  bytes.fill(seed);
  return ledger::SigningKey::FromSeed(bytes);
}
ledger::NoteKey WitnessKeyOf(uint8_t seed) {
  return {.name = "witness.example",
          .type = ledger::NoteKeyType::kCosignatureV1,
          .key = KeyOf(seed).public_key()};
}

ledger::NoteKey LogKeyOf(uint8_t seed) {
  return {.name = std::string(kOrigin),
          .type = ledger::NoteKeyType::kEd25519,
          .key = KeyOf(seed).public_key()};
}

// A log, and a witness that decides as the specification says.
class World {
 public:
  World() : tiles_(Leaves()), leaves_(Leaves()) {}

  std::string Text(uint64_t size) const {
    return ledger::EncodeCheckpoint({.origin = std::string(kOrigin),
                                     .size = size,
                                     .root = ledger::MerkleRoot(std::span(leaves_).first(size))});
  }
  std::string Note(uint64_t size, std::vector<uint8_t> signers = {1}) const {
    ledger::SignedNote note = {.text = Text(size), .signatures = {}};
    for (const uint8_t signer : signers) {
      note.signatures.push_back(ledger::SignNote(KeyOf(signer), kOrigin, note.text));
    }
    return ledger::EncodeNote(note);
  }
  WitnessReply Answer(const WitnessRequest& request, uint8_t signer = 9) {
    const auto body = WitnessRequestBody(request, tiles_);
    REQUIRE(body.ok());
    const auto decoded = ledger::DecodeAddCheckpoint(*body);
    REQUIRE(decoded.ok());
    const ledger::WitnessLog log = {
        .origin = std::string(kOrigin), .keys = {LogKeyOf(1)}, .required_quorum = std::nullopt};
    const ledger::WitnessDecision decision = ledger::DecideWitness(&log, state, *decoded);
    WitnessReply reply = {.http_status = decision.http_status,
                          .content_type = decision.content_type,
                          .body = decision.body};
    if (decision.http_status == 200) {
      state = *decision.next;
      const ledger::NoteSignature line = ledger::CosignNote(
          KeyOf(signer), "witness.example", decision.checkpoint_text, /*unix_seconds=*/5);
      reply.body = ledger::EncodeNoteSignatures({&line, 1});
    }
    return reply;
  }

  ledger::WitnessedState state;

 private:
  static std::vector<Hash> Leaves() {
    std::vector<Hash> leaves;
    for (uint64_t i = 0; i < kLeaves; ++i)
      leaves.push_back(ledger::LeafHash(AsBytes(absl::StrCat("leaf ", i))));
    return leaves;
  }
  const ledger::MemoryTiles tiles_;
  const std::vector<Hash> leaves_;
};

WitnessFeed MakeFeed() { return WitnessFeed(WitnessKeyOf(9), LogKeyOf(1), /*seed=*/1); }

// A feed that was cosigned at `size`, at time 0.
WitnessFeed CosignedFeed(World* world, uint64_t size) {
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world->Note(size)).ok());
  const auto request = feed.Next(0);
  REQUIRE(request.has_value());
  REQUIRE(feed.OnReply(world->Answer(*request), 0) == WitnessOutcome::kCosigned);
  return feed;
}

TEST_CASE("witness feed: nothing is asked before something is final and never twice at once") {
  World world;
  WitnessFeed feed = MakeFeed();
  CHECK_FALSE(feed.Next(0).has_value());
  CHECK_FALSE(feed.Deadline().has_value());
  CHECK(absl::IsInvalidArgument(feed.Offer("nonsense")));
  REQUIRE(feed.Offer(world.Note(5)).ok());
  const auto request = feed.Next(0);
  REQUIRE(request.has_value());
  CHECK(request->old_size == 0);
  CHECK(request->size == 5);
  CHECK_FALSE(feed.Next(kSecond).has_value());
}

// A witness may know one key of the log only: that of the validator that asks it.
TEST_CASE("witness feed: nothing is asked for a checkpoint without this validator's own line") {
  World world;
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(5, {2, 3, 4})).ok());
  CHECK_FALSE(feed.Next(0).has_value());
  CHECK_FALSE(feed.Deadline().has_value());
  REQUIRE(feed.Offer(world.Note(5, {2, 3, 4, 1})).ok());  // It has signed meanwhile.
  const auto request = feed.Next(0);
  REQUIRE(request.has_value());
  CHECK(feed.OnReply(world.Answer(*request), 0) == WitnessOutcome::kCosigned);

  // The one that is larger but not signed yet does not take the place of the signed one.
  REQUIRE(feed.Offer(world.Note(6)).ok());
  REQUIRE(feed.Offer(world.Note(7, {2, 3, 4})).ok());
  CHECK(feed.Next(kSecond)->size == 6);
}

TEST_CASE("witness feed: a cosignature is verified and kept and the next request starts from it") {
  World world;
  WitnessFeed feed = CosignedFeed(&world, 5);
  REQUIRE(feed.newest().has_value());
  CHECK(feed.newest()->size == 5);
  CHECK(ledger::VerifyNoteSignature(WitnessKeyOf(9), world.Text(5), feed.newest()->line).ok());
  CHECK_FALSE(feed.Next(kSecond).has_value());  // Nothing is new.

  REQUIRE(feed.Offer(world.Note(300)).ok());
  CHECK_FALSE(feed.Next(kWitnessIntervalMicros - 1).has_value());
  CHECK(feed.Deadline() == kWitnessIntervalMicros);
  const auto request = feed.Next(kWitnessIntervalMicros);
  REQUIRE(request.has_value());
  CHECK(request->old_size == 5);
  CHECK(feed.OnReply(world.Answer(*request), kSecond) == WitnessOutcome::kCosigned);
  CHECK(feed.newest()->size == 300);
  CHECK(feed.problem().empty());
}

TEST_CASE("witness feed: the size that a conflict tells is asked from at once") {
  World world;
  CosignedFeed(&world, 5);  // By another validator.
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(9)).ok());
  auto request = feed.Next(0);
  REQUIRE(request.has_value());
  CHECK(feed.OnReply(world.Answer(*request), 0) == WitnessOutcome::kOtherSize);
  request = feed.Next(0);
  REQUIRE(request.has_value());
  CHECK(request->old_size == 5);
  CHECK(feed.OnReply(world.Answer(*request), 0) == WitnessOutcome::kCosigned);
}

TEST_CASE("witness feed: a size that another validator had cosigned is cosigned here too") {
  World world;
  CosignedFeed(&world, 9);
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(9)).ok());
  CHECK(feed.OnReply(world.Answer(*feed.Next(0)), 0) == WitnessOutcome::kOtherSize);
  const auto request = feed.Next(0);
  REQUIRE(request.has_value());
  CHECK(request->old_size == 9);
  CHECK(feed.OnReply(world.Answer(*request), 0) == WitnessOutcome::kCosigned);
}

TEST_CASE("witness feed: a witness that is ahead is left alone until this validator is there") {
  World world;
  CosignedFeed(&world, 20);
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(9)).ok());
  CHECK(feed.OnReply(world.Answer(*feed.Next(0)), 0) == WitnessOutcome::kOtherSize);
  CHECK_FALSE(feed.Next(kSecond).has_value());

  SECTION("it asks at once when it is") {
    REQUIRE(feed.Offer(world.Note(25)).ok());
    const auto request = feed.Next(kSecond);
    REQUIRE(request.has_value());
    CHECK(request->old_size == 20);
    CHECK(feed.OnReply(world.Answer(*request), kSecond) == WitnessOutcome::kCosigned);
  }
  SECTION("a size that was a lie is not believed for ever") {
    REQUIRE(feed.Deadline() == kWitnessBackoffMicrosMax);
    world.state = {};
    auto request = feed.Next(kWitnessBackoffMicrosMax);
    REQUIRE(request.has_value());
    CHECK(request->old_size == 9);
    const int64_t now = kWitnessBackoffMicrosMax;
    CHECK(feed.OnReply(world.Answer(*request), now) == WitnessOutcome::kOtherSize);
    request = feed.Next(now + kSecond);
    REQUIRE(request.has_value());
    CHECK(feed.OnReply(world.Answer(*request), now + kSecond) == WitnessOutcome::kCosigned);
  }
}

TEST_CASE("witness feed: a cosignature by another key or over another text never counts") {
  World world;
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(5)).ok());
  const WitnessRequest request = *feed.Next(0);
  WitnessReply reply = {.http_status = 200, .content_type = "text/plain", .body = ""};
  const auto answer = [&](const ledger::NoteSignature& line) {
    reply.body = ledger::EncodeNoteSignatures({&line, 1});
  };
  SECTION("another key") { reply = world.Answer(request, /*signer=*/8); }
  SECTION("another text") {
    answer(ledger::CosignNote(KeyOf(9), "witness.example", world.Text(6), 5));
  }
  SECTION("a log's signature") {
    answer(ledger::SignNote(KeyOf(9), "witness.example", world.Text(5)));
  }
  SECTION("another name") {
    answer(ledger::CosignNote(KeyOf(9), "other.example", world.Text(5), 5));
  }
  SECTION("no line at all") { reply.body = "thank you\n"; }
  SECTION("nothing") { reply.body = ""; }
  CHECK(feed.OnReply(reply, 0) == WitnessOutcome::kFailed);
  CHECK_FALSE(feed.newest().has_value());
  CHECK_FALSE(feed.problem().empty());
}

TEST_CASE("witness feed: lines of other keys beside the right one are ignored") {
  World world;
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(5)).ok());
  REQUIRE(feed.Next(0).has_value());
  const std::vector<ledger::NoteSignature> lines = {
      ledger::CosignNote(KeyOf(8), "witness.example", world.Text(5), 5),
      ledger::CosignNote(KeyOf(9), "witness.example", world.Text(5), 6)};
  CHECK(feed.OnReply(
            {.http_status = 200, .content_type = "", .body = ledger::EncodeNoteSignatures(lines)},
            0) == WitnessOutcome::kCosigned);
  CHECK(feed.newest()->line == lines[1]);
}

TEST_CASE("witness feed: statuses that are neither 200 nor a size are told apart") {
  World world;
  const std::map<int, WitnessOutcome> expected = {
      {400, WitnessOutcome::kRefused},     {403, WitnessOutcome::kRefused},
      {404, WitnessOutcome::kRefused},     {409, WitnessOutcome::kContradicts},
      {422, WitnessOutcome::kContradicts}, {429, WitnessOutcome::kFailed},
      {500, WitnessOutcome::kFailed},      {503, WitnessOutcome::kFailed},
      {301, WitnessOutcome::kFailed}};
  for (const auto& [status, outcome] : expected) {
    WitnessFeed feed = MakeFeed();
    REQUIRE(feed.Offer(world.Note(5)).ok());
    REQUIRE(feed.Next(0).has_value());
    INFO(status);
    CHECK(feed.OnReply({.http_status = status,
                        .content_type = std::string(ledger::kWitnessTextType),
                        .body = "so\x1b[2J it is\n"},
                       0) == outcome);
    CHECK(feed.problem() == absl::StrCat("HTTP ", status, ": so [2J it is "));
    CHECK_FALSE(feed.Next(0).has_value());
    CHECK(feed.Next(kWitnessBackoffMicrosMin).has_value());
  }
}

TEST_CASE("witness feed: a witness that goes back is said to and its old cosignature stays") {
  World world;
  WitnessFeed feed = CosignedFeed(&world, 9);
  world.state = {};
  REQUIRE(feed.Offer(world.Note(12)).ok());
  const auto request = feed.Next(kSecond);
  REQUIRE(request.has_value());
  CHECK(feed.OnReply(world.Answer(*request), kSecond) == WitnessOutcome::kContradicts);
  CHECK(feed.newest()->size == 9);
  CHECK_THAT(feed.problem(), Catch::Contains("went back to size 0"));
}

TEST_CASE("witness feed: a conflict that tells the size that was asked from is a failure") {
  World world;
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(5)).ok());
  REQUIRE(feed.Next(0).has_value());
  const std::string body = GENERATE(std::string("0\n"), std::string("nonsense"), std::string(""));
  CHECK(
      feed.OnReply(
          {.http_status = 409, .content_type = std::string(ledger::kWitnessSizeType), .body = body},
          0) == WitnessOutcome::kFailed);
  CHECK_FALSE(feed.Next(0).has_value());
}

// A witness that tells ever new sizes must not be asked in a tight loop for ever.
TEST_CASE("witness feed: endless conflicts end in waiting") {
  World world;
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(600)).ok());
  int64_t now = 0;
  WitnessOutcome outcome = WitnessOutcome::kOtherSize;
  uint32_t asked = 0;
  for (; outcome == WitnessOutcome::kOtherSize && asked < 100; ++asked) {
    now = std::max(now, feed.Deadline().value());
    REQUIRE(feed.Next(now).has_value());
    outcome = feed.OnReply({.http_status = 409,
                            .content_type = std::string(ledger::kWitnessSizeType),
                            .body = ledger::EncodeWitnessSize(asked + 1)},
                           now);
  }
  CHECK(outcome == WitnessOutcome::kFailed);
  CHECK(asked == kWitnessConflictsMax + 1);
  CHECK(feed.Deadline().value() > now);
}

TEST_CASE("witness feed: failures double the wait up to a bound and success ends it") {
  World world;
  WitnessFeed feed = MakeFeed();
  REQUIRE(feed.Offer(world.Note(5)).ok());
  int64_t now = 0;
  int64_t upper = kWitnessBackoffMicrosMin;
  for (int i = 0; i < 12; ++i) {
    REQUIRE(feed.Next(now).has_value());
    CHECK(feed.OnFailure("connection refused", now) == WitnessOutcome::kFailed);
    const int64_t wait = feed.Deadline().value() - now;
    CHECK(wait >= upper / 2);
    CHECK(wait <= upper);
    upper = std::min(2 * upper, kWitnessBackoffMicrosMax);
    now += wait;
  }
  CHECK(feed.problem() == "connection refused");
  CHECK(feed.OnReply(world.Answer(*feed.Next(now)), now) == WitnessOutcome::kCosigned);
  CHECK(feed.problem().empty());
  REQUIRE(feed.Offer(world.Note(6)).ok());
  CHECK(feed.Deadline().value() == now + kWitnessIntervalMicros);
}

TEST_CASE("witness feed: the same seed draws the same jitter and another seed another") {
  World world;
  const auto waits = [&](uint64_t seed) {
    WitnessFeed feed(WitnessKeyOf(9), LogKeyOf(1), seed);
    REQUIRE(feed.Offer(world.Note(5)).ok());
    std::vector<int64_t> drawn;
    int64_t now = 0;
    for (int i = 0; i < 5; ++i) {
      REQUIRE(feed.Next(now).has_value());
      feed.OnFailure("down", now);
      drawn.push_back(feed.Deadline().value() - now);
      now = feed.Deadline().value();
    }
    return drawn;
  };
  CHECK(waits(3) == waits(3));
  CHECK(waits(3) != waits(4));
}

// Four validators at their own pace share one witness that is sometimes down.
TEST_CASE("witness feed: validators that race for one witness all get their cosignatures") {
  VIGIL_TEST_SEED(seed, 5);
  World world;
  SplitMix64 random(seed);
  std::vector<WitnessFeed> feeds;
  std::vector<uint64_t> offered(4, 0);
  for (uint64_t i = 0; i < 4; ++i) feeds.emplace_back(WitnessKeyOf(9), LogKeyOf(1), seed + i);
  int64_t now = 0;
  uint64_t final_size = 1;
  const auto ask = [&](WitnessFeed* feed, bool down) {
    const auto request = feed->Next(now);
    if (!request.has_value()) return;
    if (down) {
      feed->OnFailure("down", now);
    } else {
      feed->OnReply(world.Answer(*request), now);
    }
  };
  for (int step = 0; step < 3000; ++step) {
    now += static_cast<int64_t>(random.Below(50'000));
    if (random.Chance(100)) final_size = std::min<uint64_t>(final_size + random.Below(5), kLeaves);
    const size_t i = random.Below(4);
    REQUIRE(feeds[i].Offer(world.Note(final_size)).ok());
    ask(&feeds[i], random.Chance(50));
  }
  for (int step = 0; step < 4000; ++step) {
    now += 50'000;
    REQUIRE(feeds[step % 4].Offer(world.Note(final_size)).ok());
    ask(&feeds[step % 4], false);
  }
  CHECK(world.state.size == final_size);
  for (const WitnessFeed& feed : feeds) {
    REQUIRE(feed.newest().has_value());
    CHECK(feed.newest()->size == final_size);
  }
}

}  // namespace
}  // namespace vigil::node
