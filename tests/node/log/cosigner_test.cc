#include "node/log/cosigner.h"

#include "tests/node/log/cosign_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

constexpr int64_t kMillisecond = 1'000;

Instant At(int64_t millis) {
  return {.micros = millis * kMillisecond, .unix_seconds = 1'700'000'000};
}

// A cosigner of a network of four that may sign.
struct Fixture {
  explicit Fixture(uint32_t self = 0, CosignGuard guard = {})
      : cosigner(network.OptionsOf(self, guard)) {
    cosigner.SetMaySign(true);
  }
  // Grows by blocks of `proposer` up to `height`.
  void Grow(uint64_t height, uint32_t proposer, int64_t millis) {
    while (grown < height) cosigner.OnBlockEnd(EndAt(++grown, proposer), At(millis));
  }
  void Note(uint32_t from, uint64_t size, const Hash& root, int64_t millis, bool asks = false) {
    cosigner.OnNote(network.Sign(from, size, root), asks, At(millis));
  }
  // The notes in an output, decoded.
  std::vector<SignedCheckpoint> NotesOf(const CosignerOutput& output, uint32_t self) {
    std::vector<SignedCheckpoint> notes;
    for (const CosignFrame& frame : output.frames) {
      const auto note = CheckSignedCheckpoint(network.keys(), ValidatorIndex(self), frame.note);
      REQUIRE(note.ok());
      notes.push_back(*note);
    }
    return notes;
  }

  const CosignNetwork network{4};
  Cosigner cosigner;
  uint64_t grown = 0;
};

TEST_CASE("cosigner: the proposer of the newest block announces it once the guard is on disk") {
  Fixture fixture;
  fixture.Grow(1, /*proposer=*/0, 0);
  fixture.cosigner.OnTimer(At(0));
  CosignerOutput output = fixture.cosigner.Take();
  CHECK(output.frames.empty());
  CHECK(output.guard == CosignGuard{.size = 3, .root = RootAt(3), .floor = Height(0)});

  fixture.cosigner.OnGuarded(At(2));
  output = fixture.cosigner.Take();
  REQUIRE(output.frames.size() == 1);
  CHECK_FALSE(output.frames[0].to.has_value());
  CHECK(output.frames[0].asks);
  const auto notes = fixture.NotesOf(output, 0);
  CHECK(notes[0].checkpoint.size == 3);
  CHECK(notes[0].checkpoint.root == RootAt(3));
}

TEST_CASE("cosigner: announcements come every 200 ms while blocks come and once when they stop") {
  Fixture fixture;
  std::vector<uint64_t> announced;
  for (int64_t millis = 0; millis < 1'100; millis += 10) {
    if (millis < 1'000) fixture.Grow(fixture.grown + 1, 0, millis);
    fixture.cosigner.OnTimer(At(millis));
    CosignerOutput output = fixture.cosigner.Take();
    if (!output.guard.has_value()) continue;
    fixture.cosigner.OnGuarded(At(millis));
    output = fixture.cosigner.Take();
    for (const SignedCheckpoint& note : fixture.NotesOf(output, 0)) {
      announced.push_back(note.checkpoint.size);
    }
  }
  CHECK(announced == std::vector<uint64_t>{3, 63, 123, 183, 243, 300});
}

TEST_CASE("cosigner: others announce only after a second has passed") {
  Fixture fixture(/*self=*/1);
  fixture.Grow(1, /*proposer=*/0, 0);
  fixture.cosigner.OnTimer(At(0));
  const auto due = fixture.cosigner.Deadline();
  REQUIRE(due.has_value());
  CHECK(*due >= kImpatientMicros);
  CHECK(*due < kImpatientMicros + kImpatientJitterMicros);
  fixture.cosigner.OnTimer({.micros = *due - 1, .unix_seconds = 1});
  CHECK_FALSE(fixture.cosigner.Take().guard.has_value());
  fixture.cosigner.OnTimer({.micros = *due, .unix_seconds = 1});
  CHECK(fixture.cosigner.Take().guard.has_value());
}

TEST_CASE("cosigner: a matching note is signed too and a quorum makes it final") {
  Fixture fixture(/*self=*/1);
  fixture.Grow(2, 0, 0);
  fixture.Note(0, 6, RootAt(6), 1);
  CHECK(fixture.cosigner.Take().guard.has_value());
  fixture.cosigner.OnGuarded(At(2));
  const CosignerOutput output = fixture.cosigner.Take();
  REQUIRE(output.frames.size() == 1);
  CHECK_FALSE(output.frames[0].to.has_value());
  CHECK_FALSE(output.frames[0].asks);
  CHECK_FALSE(output.final_changed);
  CHECK(fixture.cosigner.final().size == 0);

  SECTION("at two of four nothing is final, at three it is") {
    fixture.Note(0, 6, RootAt(6), 3);  // A repeat counts nothing.
    CHECK_FALSE(fixture.cosigner.Take().final_changed);
    fixture.Note(2, 6, RootAt(6), 4);
    CHECK(fixture.cosigner.Take().final_changed);
    CHECK(fixture.cosigner.final().size == 6);
    CHECK(fixture.cosigner.final().height == Height(2));
    const auto cosigned = CheckCosigned(fixture.network.keys(), fixture.cosigner.final_note());
    REQUIRE(cosigned.ok());
    CHECK(cosigned->size() == 3);
    CHECK_FALSE(fixture.cosigner.Deadline().has_value());
    SECTION("and a later line is added") {
      fixture.Note(3, 6, RootAt(6), 5);
      CHECK(fixture.cosigner.Take().final_changed);
      CHECK(CheckCosigned(fixture.network.keys(), fixture.cosigner.final_note())->size() == 4);
    }
  }
}

TEST_CASE("cosigner: a note for what is not recomputed yet waits until it is") {
  Fixture fixture(/*self=*/1);
  fixture.Grow(1, 0, 0);
  for (const uint32_t from : {0, 2, 3}) fixture.Note(from, 9, RootAt(9), 1);
  CosignerOutput output = fixture.cosigner.Take();
  CHECK_FALSE(output.guard.has_value());
  CHECK_FALSE(output.final_changed);  // Three notes, but nothing that we know ourselves.
  fixture.Grow(2, 0, 2);
  CHECK_FALSE(fixture.cosigner.Take().final_changed);
  fixture.Grow(3, 0, 3);
  output = fixture.cosigner.Take();
  CHECK(output.final_changed);
  CHECK(output.guard.has_value());
  CHECK(fixture.cosigner.final().height == Height(3));
}

TEST_CASE("cosigner: who lags behind for ever still signs because the first note is kept") {
  Fixture fixture(/*self=*/1);
  uint64_t signed_count = 0;
  for (uint64_t height = 1; height <= 100; ++height) {
    // Others are always ten blocks ahead and announce every block.
    fixture.Note(0, 3 * (height + 10), RootAt(3 * (height + 10)), static_cast<int64_t>(height));
    fixture.Grow(height, 0, static_cast<int64_t>(height));
    if (!fixture.cosigner.Take().guard.has_value()) continue;
    fixture.cosigner.OnGuarded(At(static_cast<int64_t>(height)));
    signed_count += fixture.cosigner.Take().frames.size();
  }
  CHECK(signed_count >= 8);
}

TEST_CASE("cosigner: the guard stands against smaller sizes and other roots") {
  Fixture fixture(/*self=*/1, {.size = 9, .root = RootAt(9), .floor = Height(0)});
  fixture.Grow(2, 0, 0);
  fixture.Note(0, 6, RootAt(6), 1);
  fixture.cosigner.OnTimer(At(5'000));
  CosignerOutput output = fixture.cosigner.Take();
  CHECK_FALSE(output.guard.has_value());
  CHECK(output.frames.empty());

  SECTION("at the guard's size the same root is signed again without a new guard") {
    fixture.Grow(3, 0, 6'000);
    fixture.Note(0, 9, RootAt(9), 6'001);
    output = fixture.cosigner.Take();
    CHECK_FALSE(output.guard.has_value());
    REQUIRE(output.frames.size() == 1);
    CHECK(fixture.NotesOf(output, 1)[0].checkpoint.size == 9);
    fixture.Note(2, 6, RootAt(6), 6'002);
    CHECK_FALSE(fixture.cosigner.Take().guard.has_value());
  }
  SECTION("a chain with another root there is contradicted, and nothing is signed any more") {
    fixture.cosigner.OnBlockEnd(EndAt(3, 0, "other"), At(6'000));
    fixture.Note(0, 9, RootAt(9, "other"), 6'001);
    fixture.cosigner.OnBlockEnd(EndAt(4, 0, "other"), At(6'002));
    fixture.Note(0, 12, RootAt(12, "other"), 6'003);
    fixture.cosigner.OnTimer(At(20'000));
    output = fixture.cosigner.Take();
    CHECK(output.contradiction != "");
    CHECK_FALSE(output.guard.has_value());
    CHECK(output.frames.empty());
  }
  SECTION("so is a chain without a block that ends there") {
    fixture.cosigner.OnBlockEnd(
        {.height = Height(3), .size = 10, .root = RootAt(10), .proposer = ValidatorIndex(0)},
        At(6'000));
    CHECK(fixture.cosigner.Take().contradiction != "");
  }
}

TEST_CASE("cosigner: nothing at or below the floor is signed and nothing without a vote") {
  Fixture fixture(/*self=*/0, {.size = 0, .root = Hash(), .floor = Height(2)});
  fixture.Grow(2, 0, 0);
  fixture.cosigner.OnTimer(At(5'000));
  CHECK_FALSE(fixture.cosigner.Take().guard.has_value());
  fixture.cosigner.SetMaySign(false);
  fixture.Grow(3, 0, 6'000);
  fixture.cosigner.OnTimer(At(10'000));
  CHECK_FALSE(fixture.cosigner.Take().guard.has_value());
  SECTION("finality is seen all the same") {
    for (const uint32_t from : {1, 2, 3}) fixture.Note(from, 9, RootAt(9), 10'001);
    CHECK(fixture.cosigner.final().size == 9);
  }
  fixture.cosigner.SetMaySign(true);
  fixture.cosigner.OnTimer(At(11'000));
  const CosignerOutput output = fixture.cosigner.Take();
  if (fixture.cosigner.final().size == 0) {
    REQUIRE(output.guard.has_value());
    CHECK(output.guard->floor == Height(2));
  }
}

TEST_CASE("cosigner: only the largest other size waits while a guard is being written") {
  Fixture fixture(/*self=*/1);
  fixture.Grow(4, 0, 0);
  fixture.Note(0, 3, RootAt(3), 1);
  CHECK(fixture.cosigner.Take().guard->size == 3);
  fixture.Note(0, 9, RootAt(9), 2);
  fixture.Note(0, 12, RootAt(12), 3);
  fixture.Note(2, 6, RootAt(6), 4);
  CHECK_FALSE(fixture.cosigner.Take().guard.has_value());
  fixture.cosigner.OnGuarded(At(5));
  CosignerOutput output = fixture.cosigner.Take();
  CHECK(fixture.NotesOf(output, 1)[0].checkpoint.size == 3);
  CHECK(output.guard->size == 12);
}

TEST_CASE("cosigner: another root is evidence and is neither counted nor signed") {
  Fixture fixture(/*self=*/1);
  fixture.Grow(3, 0, 0);
  fixture.Note(3, 9, RootAt(9, "fork"), 1);
  CosignerOutput output = fixture.cosigner.Take();
  REQUIRE(output.evidence.size() == 1);
  CHECK(output.evidence[0].validator == ValidatorIndex(3));
  CHECK(output.evidence[0].size == 9);
  CHECK(CheckSignedCheckpoint(fixture.network.keys(), ValidatorIndex(3), output.evidence[0].theirs)
            .ok());
  CHECK_FALSE(output.guard.has_value());

  fixture.Note(3, 9, RootAt(9, "fork"), 2);
  CHECK(fixture.cosigner.Take().evidence.empty());
  CHECK(fixture.cosigner.fork_count() == 1);
  fixture.Note(0, 9, RootAt(9), 3);
  fixture.Note(2, 9, RootAt(9), 4);
  CHECK(fixture.cosigner.final().size == 0);  // The liar is no third.

  SECTION("a size where no block ends is evidence too") {
    fixture.Note(3, 8, RootAt(8), 5);
    CHECK(fixture.cosigner.Take().evidence.size() == 1);
  }
  SECTION("what a validator first signed rightly stands beside what it signed wrongly") {
    fixture.Note(2, 9, RootAt(9, "fork"), 5);
    output = fixture.cosigner.Take();
    REQUIRE(output.evidence.size() == 1);
    const auto ours = ledger::DecodeNote(output.evidence[0].ours);
    REQUIRE(ours.ok());
    CHECK(ours->signatures.size() == 4);
  }
  SECTION("once a quorum has signed that size its lines stand beside the lie") {
    fixture.cosigner.OnGuarded(At(5));
    (void)fixture.cosigner.Take();
    fixture.Grow(4, 0, 6);
    fixture.Note(3, 12, RootAt(12, "fork"), 7);
    CHECK(fixture.cosigner.Take().evidence.size() == 1);
    fixture.Note(0, 12, RootAt(12), 8);
    fixture.Note(2, 12, RootAt(12), 9);
    fixture.cosigner.OnGuarded(At(10));
    output = fixture.cosigner.Take();
    REQUIRE(fixture.cosigner.final().size == 12);
    REQUIRE(output.evidence.size() == 1);
    CHECK(output.evidence[0].size == 12);
    const auto ours = ledger::DecodeNote(output.evidence[0].ours);
    REQUIRE(ours.ok());
    CHECK(ours->signatures.size() == 6);  // Log and cosigner lines of three.
  }
  SECTION("a lie about the future is found out when it comes") {
    fixture.Note(2, 12, RootAt(12, "fork"), 5);
    fixture.Grow(4, 0, 6);
    CHECK(fixture.cosigner.Take().evidence.size() == 1);
  }
}

TEST_CASE("cosigner: memory is bounded whatever a peer says") {
  Fixture fixture(/*self=*/1);
  fixture.Grow(1'000, 0, 0);
  for (uint64_t size = 1; size < 3'000; ++size) {
    fixture.Note(3, size, RootAt(size, "fork"), 1);
  }
  const CosignerOutput output = fixture.cosigner.Take();
  CHECK(output.evidence.size() == kForksKeptMax);
  CHECK(fixture.cosigner.fork_count() > kForksKeptMax);
}

TEST_CASE("cosigner: a question is answered with the newest note and an answer with nothing") {
  Fixture fixture(/*self=*/1);
  fixture.Grow(3, 0, 0);
  fixture.Note(0, 9, RootAt(9), 1);
  fixture.cosigner.OnGuarded(At(2));
  (void)fixture.cosigner.Take();
  fixture.Note(0, 9, RootAt(9), 3, /*asks=*/true);
  CosignerOutput output = fixture.cosigner.Take();
  REQUIRE(output.frames.size() == 1);
  CHECK(output.frames[0].to == ValidatorIndex(0));
  CHECK_FALSE(output.frames[0].asks);
  fixture.Note(0, 9, RootAt(9), 4, /*asks=*/false);
  CHECK(fixture.cosigner.Take().frames.empty());
  fixture.Note(2, 6, RootAt(6), 5, /*asks=*/true);  // It asks for less: it learns of more.
  output = fixture.cosigner.Take();
  REQUIRE(output.frames.size() == 1);
  CHECK(fixture.NotesOf(output, 1)[0].checkpoint.size == 9);
}

TEST_CASE("cosigner: an announcement is repeated every 500 ms until it is final") {
  Fixture fixture;
  fixture.Grow(1, 0, 0);
  uint32_t announced = 0;
  for (int64_t millis = 0; millis < 2'600; millis += 10) {
    fixture.cosigner.OnTimer(At(millis));
    CosignerOutput output = fixture.cosigner.Take();
    if (output.guard.has_value()) {
      fixture.cosigner.OnGuarded(At(millis));
      output = fixture.cosigner.Take();
    }
    for (const CosignFrame& frame : output.frames) announced += frame.asks ? 1 : 0;
    if (millis != 2'000) continue;
    fixture.Note(1, 3, RootAt(3), millis);
    fixture.Note(2, 3, RootAt(3), millis);
  }
  CHECK(announced == 5);  // At 0, 500, 1000, 1500 and 2000 ms.
}

TEST_CASE("cosigner: a lone validator is its own quorum") {
  const CosignNetwork network(1);
  Cosigner cosigner(network.OptionsOf(0));
  cosigner.SetMaySign(true);
  cosigner.OnBlockEnd(EndAt(1), At(0));
  cosigner.OnTimer(At(0));
  CHECK(cosigner.Take().guard.has_value());
  cosigner.OnGuarded(At(1));
  CHECK(cosigner.Take().final_changed);
  CHECK(cosigner.final().size == 3);
}

TEST_CASE("cosigner: a restored final checkpoint is final and takes further lines") {
  Fixture fixture(/*self=*/1, {.size = 9, .root = RootAt(9), .floor = Height(0)});
  Cosigned cosigned;
  for (const uint32_t i : {0, 1, 2})
    cosigned[ValidatorIndex(i)] = fixture.network.Sign(i, 9, RootAt(9));
  fixture.Grow(3, 0, 0);
  fixture.cosigner.Restore(cosigned, Height(3));
  CHECK(fixture.cosigner.Take().final_changed);
  CHECK(fixture.cosigner.final().height == Height(3));
  fixture.cosigner.OnTimer(At(10));
  CHECK_FALSE(fixture.cosigner.Deadline().has_value());
  fixture.Note(3, 9, RootAt(9), 20, /*asks=*/true);
  const CosignerOutput output = fixture.cosigner.Take();
  CHECK(output.final_changed);
  CHECK_FALSE(output.guard.has_value());
  CHECK(output.frames.size() >= 1);  // Signed again: nothing is lost with a restart.
}

}  // namespace
}  // namespace vigil::node
