// Networks of cosigners that lose, delay, repeat and reorder notes, whose disks take time, that
// crash at any moment and may or may not remember the guard they were just writing.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "ledger/base/random.h"
#include "node/log/cosigner.h"
#include "tests/node/log/cosign_support.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

struct Member {
  std::unique_ptr<Cosigner> cosigner;  // Null while it is down.
  CosignGuard disk;                    // What a restart finds.
  std::optional<CosignGuard> writing;
  int64_t written_at = 0;
  uint64_t height = 0;  // Executed and recomputed; a restart begins somewhat below.
};

struct Flight {
  uint32_t from = 0;
  uint32_t to = 0;
  std::string note;
  bool asks = false;
};

class Simulation {
 public:
  Simulation(uint32_t count, uint64_t seed) : network_(count), members_(count), random_(seed) {
    for (uint32_t i = 0; i < count; ++i) Start(i);
  }

  void Run(int64_t micros, bool storm) {
    const int64_t end = now_ + micros;
    while (now_ < end && wrong_.empty()) {
      now_ += 1 + static_cast<int64_t>(random_.Below(5'000));
      if (storm && random_.Chance(8)) CrashOne();
      if (random_.Chance(storm ? 30 : 200)) StartOne();
      if (storm && now_ > next_block_) {
        ++chain_height_;
        proposer_ =
            random_.Chance(50) ? static_cast<uint32_t>(random_.Below(members_.size())) : proposer_;
        proposers_[chain_height_] = proposer_;
        next_block_ =
            now_ + static_cast<int64_t>(random_.Below(random_.Chance(100) ? 3'000'000 : 60'000));
      }
      Deliver(storm);
      for (uint32_t i = 0; i < members_.size(); ++i) StepMember(i);
    }
  }

  std::string Describe() const {
    std::string text = absl::StrCat("chain ", 3 * chain_height_, ":");
    for (const Member& member : members_) {
      absl::StrAppend(&text, " [at ", 3 * member.height, " guard ", member.disk.size);
      if (member.cosigner != nullptr) {
        absl::StrAppend(&text, " signed ", member.cosigner->signed_size(), " final ",
                        member.cosigner->final().size);
      }
      absl::StrAppend(&text, "]");
    }
    return text;
  }
  bool AllFinal() const {
    return std::all_of(members_.begin(), members_.end(), [&](const Member& member) {
      return member.cosigner != nullptr && member.cosigner->final().size == 3 * chain_height_;
    });
  }
  const std::string& wrong() const { return wrong_; }
  const CosignOracle& oracle() const { return oracle_; }
  uint64_t chain_height() const { return chain_height_; }
  uint64_t crashes() const { return crashes_; }

 private:
  Instant Now() const {
    return {.micros = now_, .unix_seconds = static_cast<uint64_t>(now_ / 1'000'000)};
  }

  void Start(uint32_t i) {
    Member& member = members_[i];
    member.cosigner =
        std::make_unique<Cosigner>(network_.OptionsOf(i, member.disk, random_.Next()));
    member.cosigner->SetMaySign(true);
    member.writing.reset();
    // It begins again at its saved progress, below what it had seen.
    member.height -= random_.Below(std::min<uint64_t>(member.height, 20) + 1);
    if (member.height > 0) {
      member.cosigner->OnBlockEnd(EndAt(member.height, proposers_[member.height]), Now());
    }
  }
  void StartOne() {
    for (uint32_t i = 0; i < members_.size(); ++i) {
      if (members_[i].cosigner != nullptr) continue;
      Start(i);
      return;
    }
  }
  void CrashOne() {
    Member& member = members_[random_.Below(members_.size())];
    if (member.cosigner == nullptr) return;
    // What was being written may have reached the disk or not.
    if (member.writing.has_value() && random_.Chance(500)) member.disk = *member.writing;
    member.cosigner.reset();
    ++crashes_;
  }

  void Deliver(bool storm) {
    while (!flights_.empty() && flights_.begin()->first <= now_) {
      const Flight flight = flights_.begin()->second;
      flights_.erase(flights_.begin());
      Cosigner* const cosigner = members_[flight.to].cosigner.get();
      if (cosigner == nullptr || (storm && random_.Chance(100))) continue;
      const auto note =
          CheckSignedCheckpoint(network_.keys(), ValidatorIndex(flight.from), flight.note);
      if (!note.ok()) wrong_ = std::string(note.status().message());
      cosigner->OnNote(*note, flight.asks, Now());
      if (storm && random_.Chance(50)) Launch(flight);
    }
  }
  void Launch(const Flight& flight) {
    flights_.emplace(now_ + 200 + static_cast<int64_t>(random_.Below(30'000)), flight);
  }

  void StepMember(uint32_t i) {
    Member& member = members_[i];
    if (member.cosigner == nullptr) return;
    if (member.writing.has_value() && now_ >= member.written_at) {
      member.disk = *std::exchange(member.writing, std::nullopt);
      member.cosigner->OnGuarded(Now());
    }
    while (member.height < chain_height_ && random_.Chance(600)) {
      ++member.height;
      member.cosigner->OnBlockEnd(EndAt(member.height, proposers_[member.height]), Now());
    }
    member.cosigner->OnTimer(Now());
    Perform(i, member.cosigner->Take());
  }

  void Perform(uint32_t i, const CosignerOutput& output) {
    Member& member = members_[i];
    if (!output.contradiction.empty()) wrong_ = output.contradiction;
    if (!output.evidence.empty()) wrong_ = "evidence of a fork that is none";
    if (output.guard.has_value()) {
      member.writing = output.guard;
      member.written_at = now_ + static_cast<int64_t>(random_.Below(20'000));
    }
    for (const CosignFrame& frame : output.frames) {
      const auto note = CheckSignedCheckpoint(network_.keys(), ValidatorIndex(i), frame.note);
      const std::string wrong = note.ok() ? oracle_.OnNote(*note) : note.status().ToString();
      if (!wrong.empty()) wrong_ = wrong;
      for (uint32_t to = 0; to < members_.size(); ++to) {
        if (to == i || (frame.to.has_value() && frame.to->value() != to)) continue;
        Launch({.from = i, .to = to, .note = frame.note, .asks = frame.asks});
      }
    }
  }

  const CosignNetwork network_;
  std::vector<Member> members_;
  SplitMix64 random_;
  CosignOracle oracle_;
  std::multimap<int64_t, Flight> flights_;
  std::map<uint64_t, uint32_t> proposers_;
  uint32_t proposer_ = 0;
  uint64_t chain_height_ = 0;
  uint64_t crashes_ = 0;
  int64_t now_ = 0;
  int64_t next_block_ = 0;
  std::string wrong_;
};

TEST_CASE("cosigner: through crashes and losses no key signs a conflict and all becomes final") {
  VIGIL_TEST_SEED(first, 4000);
  for (uint64_t i = 0; i < 12; ++i) {
    const uint64_t seed = first + i;
    INFO("seed " << seed);
    Simulation simulation(i % 3 == 0 ? 4 : (i % 3 == 1 ? 3 : 7), seed);
    simulation.Run(20'000'000, /*storm=*/true);
    REQUIRE(simulation.wrong() == "");
    simulation.Run(8'000'000, /*storm=*/false);
    REQUIRE(simulation.wrong() == "");
    INFO(simulation.Describe());
    CHECK(simulation.AllFinal());
    CHECK(simulation.crashes() > 10);
    CHECK(simulation.oracle().count() > 50);
  }
}

}  // namespace
}  // namespace vigil::node
