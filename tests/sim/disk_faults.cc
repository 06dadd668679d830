#include "tests/sim/disk_faults.h"

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "node/driver/peer_frame.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_cluster.h"

namespace vigil::sim {
namespace {

using ledger::CrashMode;
using ledger::DiskFault;

constexpr int64_t kSecond = 1'000'000;
constexpr uint32_t kClients = 4;
constexpr int kStartsMax = 4;  // Of the struck validator until it must be back or refuse.

NetworkOptions NetworkOf(uint32_t validators) {
  NetworkOptions options;
  options.validators = validators;
  options.max_block_bytes = 64 * 1024;
  return options;
}

ClientOptions ClientsOf() {
  ClientOptions options;
  options.batches = 60;
  options.window = 8;
  options.pause_micros_max = 60'000;
  return options;
}

class CaseRun {
 public:
  CaseRun(const FaultCase& fault_case, uint32_t validators, uint64_t seed)
      : case_(fault_case),
        cluster_(NetworkOf(validators), seed),
        random_(seed ^ 0x6469736b),
        victim_(static_cast<uint32_t>(random_.Below(validators))),
        watch_(&cluster_) {
    for (uint32_t i = 0; i < validators; ++i) cluster_.config(i).journal.segment_bytes = 16 * 1024;
    cluster_.SetWriteBufferBytes(64u << 10);
    cluster_.SetLogTap([this](uint32_t node, node::LogLevel, absl::string_view text) {
      if (node == victim_) Remember(text);
    });
    for (uint32_t i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<SimClient>(&cluster_, i, absl::StrCat("stream-", i),
                                                     ClientsOf(), random_.Next()));
    }
  }

  CaseResult Run() {
    cluster_.StartAll();
    RunUntil([&] { return Acknowledged() * 2 >= kClients * ClientsOf().batches; }, 60 * kSecond);
    listening_ = true;
    if (case_.point.call.has_value()) {
      Strike();
    } else {
      Damage();
    }
    if (ok()) ComeBack();
    if (ok()) Settle();
    if (ok() && refuses_) {
      Rejoin();
      if (ok()) Settle();
    }
    if (ok()) Judge();
    result_.acknowledged = Acknowledged();
    result_.came_to = came_to_.empty() ? "continues" : absl::StrJoin(came_to_, ", ");
    return result_;
  }

 private:
  bool ok() const { return result_.ok(); }
  node::Node* victim() { return cluster_.node(victim_); }
  ledger::FaultyFileSystem& disk() { return cluster_.disk(victim_); }
  bool VictimDied() { return victim() != nullptr && !victim()->fatal().ok(); }

  uint64_t Acknowledged() const {
    uint64_t sum = 0;
    for (const auto& client : clients_) sum += client->acknowledged().size();
    return sum;
  }

  void Came(absl::string_view to) {
    const std::string text(to);
    if (std::find(came_to_.begin(), came_to_.end(), text) == came_to_.end()) {
      came_to_.push_back(text);
    }
  }

  // What a line of the victim's log says about how it comes back.
  void Remember(absl::string_view text) {
    if (!listening_) return;
    if (absl::StrContains(text, "is built anew from the journal")) {
      Came(absl::StrCat("rebuilds ", text.substr(0, text.find(' '))));
    } else if (absl::StrContains(text, "tiles are made again")) {
      Came("remakes tiles");
    } else if (absl::StrContains(text, "votes may be lost")) {
      Came("asks a quorum before it votes");
    } else if (absl::StrContains(text, "signs nothing any more")) {
      Came("stops cosigning");
    } else if (absl::StrContains(text, "stored checkpoint is ignored") &&
               absl::StartsWith(case_.point.name, "checkpoint")) {
      Came("drops its checkpoint");
    }
  }

  bool RunUntil(const std::function<bool()>& done, int64_t micros_max) {
    return cluster_.RunUntil([&] { return !ok() || done(); }, micros_max,
                             [&] {
                               for (const auto& client : clients_) client->Poll();
                               std::vector<bool> skipped(cluster_.size(), false);
                               skipped[victim_] = VictimDied() || refuses_;
                               const std::string wrong = watch_.Check(skipped);
                               // An error is no answer, and damage that a store is read through to
                               // is no lie.
                               if (absl::StrContains(wrong, "DATA_LOSS")) {
                                 Came("answers with an error");
                               } else if (!wrong.empty() && ok()) {
                                 result_.wrong_answer = wrong;
                               }
                             });
  }

  void Arm(uint64_t skip) {
    disk().FailWhen({.call = *case_.point.call,
                     .matches = case_.point.matches,
                     .skip = skip,
                     .fault = case_.fault});
  }
  bool Fired() {
    if (result_.fired.empty()) result_.fired = disk().fired();
    return !result_.fired.empty();
  }

  // Lets the fault happen while the node runs or, failing that, at its next start.
  void Strike() {
    Arm(random_.Below(3));
    RunUntil([&] { return Fired(); }, 4 * kSecond);
    if (ok() && !Fired()) {
      // A clean stop leaves the log's files to go on from.
      if (random_.Chance(500) && !VictimDied()) victim()->Stop();
      cluster_.Crash(victim_, CrashMode::kProcessOnly);
      Arm(/*skip=*/0);
      const absl::Status status = cluster_.Start(victim_);
      if (!status.ok()) StartFailed(status);
      if (status.ok() && victim()->Status().refusing && !VictimDied()) Refused();
      RunUntil([&] { return Fired(); }, 4 * kSecond);
    }
    result_.reached = Fired();
    if (!ok() || !result_.reached || victim() == nullptr) return;
    RunUntil([&] { return VictimDied(); }, kSecond);
    if (ok() && VictimDied()) CheckLatch();
  }

  void StartFailed(const absl::Status& status) {
    Came("a start ends with the error");
    if (status.message().empty()) result_.broken = "a start fails without a reason";
  }

  void Refused() {
    Came("refuses to vote");
    refuses_ = true;
    const std::string reason = victim()->Status().refusing_reason;
    if (!absl::StrContains(reason, ": vigild ")) {
      result_.broken = absl::StrCat("refuses and names no command: ", reason);
    }
  }

  // After the disk has failed nothing is signed, whatever comes.
  void CheckLatch() {
    Came("stops");
    uint64_t promises = 0;
    cluster_.network().SetTap([&](uint32_t from, absl::string_view frame) {
      if (from != victim_) return;
      const auto type = node::PeerFrameTypeOf(frame);
      if (!type.ok() || *type != node::PeerFrameType::kFetchAnswer) ++promises;
    });
    RunUntil([] { return false; }, kSecond);
    cluster_.network().SetTap(nullptr);
    if (promises > 0) result_.broken = absl::StrCat("speaks after its disk failed: ", promises);
    const node::NodeStatus status = victim()->Status();
    if (!status.refusing || !absl::StrContains(status.refusing_reason, ": vigild ")) {
      result_.broken = "its status does not say that its disk failed";
    }
  }

  // Damages a file of the point while the node is down.
  void Damage() {
    const bool clean = random_.Chance(500);
    if (clean) victim()->Stop();
    cluster_.Crash(victim_, CrashMode::kProcessOnly);
    std::vector<std::string> paths;
    ListBelow("/vigil", &paths);
    if (paths.empty()) return;
    const std::string path = paths[random_.Below(paths.size())];
    const uint64_t size = disk().Size(path).value_or(0);
    result_.reached = true;
    result_.fired = absl::StrCat("damage to ", path);
    const uint64_t at = random_.Below(std::max<uint64_t>(size, 1));
    absl::Status status;
    switch (case_.damage) {
      case RestDamage::kBitFlip:
        status = disk().FlipBit(path, at, static_cast<int>(random_.Below(8)));
        break;
      case RestDamage::kZeroedSector: {
        const uint64_t start = at / 512 * 512;
        status = disk().Overwrite(
            path, start, AsBytes(std::string(std::min<uint64_t>(512, size - start), '\0')));
        break;
      }
      case RestDamage::kFileLost:
        status = disk().Remove(path);
        break;
    }
    if (!status.ok()) result_.reached = false;  // An empty file.
  }

  void ListBelow(const std::string& folder, std::vector<std::string>* paths) {
    const auto names = disk().List(folder);
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
      const std::string path = absl::StrCat(folder, "/", name);
      if (disk().Size(path).ok()) {
        if (case_.point.matches(path)) paths->push_back(path);
      } else {
        ListBelow(path, paths);
      }
    }
  }

  CrashMode EndOf() {
    static constexpr CrashMode kModes[] = {CrashMode::kLoseUnsynced, CrashMode::kTornPrefix,
                                           CrashMode::kTornSectors,  CrashMode::kTornPages,
                                           CrashMode::kAnyLoss,      CrashMode::kProcessOnly};
    // Damage at rest is met as it is.
    if (!case_.point.call.has_value()) return CrashMode::kProcessOnly;
    const bool power = case_.fault == DiskFault::kPowerOff;
    return kModes[random_.Below(std::size(kModes) - (power ? 1 : 0))];
  }

  // Starts the victim until it is up; a start may end with an error that the fault explains.
  void ComeBack() {
    refuses_ = false;
    cluster_.Crash(victim_, EndOf());
    for (int i = 0; i < kStartsMax; ++i) {
      const absl::Status status = cluster_.Start(victim_);
      if (status.ok()) {
        if (victim()->Status().refusing) Refused();
        return;
      }
      StartFailed(status);
      cluster_.Crash(victim_, CrashMode::kProcessOnly);
      if (i + 1 == kStartsMax) result_.broken = absl::StrCat("never starts: ", status.ToString());
    }
  }

  bool AtRest() {
    for (const auto& client : clients_) {
      if (!client->done()) return false;
    }
    std::optional<Height> height;
    for (uint32_t i = 0; i < cluster_.size(); ++i) {
      if (i == victim_ && refuses_) continue;
      const node::NodeStatus status = cluster_.node(i)->Status();
      if (status.core.last.height != status.executed || status.indexed != status.executed ||
          status.detector != status.executed || status.log.final_size == 0) {
        return false;
      }
      if (height.value_or(status.executed) != status.executed) return false;
      height = status.executed;
    }
    return true;
  }

  // The documented way back of one that refuses: vigild rejoin, after it was seen to serve nothing
  // that is wrong.
  void Rejoin() {
    RunUntil([&] { return AtRest(); }, 60 * kSecond);
    if (ok()) result_.wrong_answer = CheckServed(*victim(), Sound());
    if (!ok()) return;
    const bool even_if_sound =
        absl::StrContains(victim()->Status().refusing_reason, "--even-if-sound");
    cluster_.Crash(victim_, CrashMode::kProcessOnly);
    const absl::StatusOr<std::string> kept = cluster_.Rejoin(victim_, even_if_sound);
    if (!kept.ok()) {
      result_.broken = absl::StrCat("rejoin: ", kept.status().ToString());
      return;
    }
    const absl::Status status = cluster_.Start(victim_);
    // While it joins it refuses to vote, and that is no refusal.
    refuses_ = status.ok() && victim()->Status().refusing && !victim()->Status().join.active;
    if (!status.ok() || refuses_) result_.broken = "does not start after it joined anew";
    Came(even_if_sound ? "vigild rejoin --even-if-sound" : "vigild rejoin");
  }

  void Settle() {
    for (int i = 0; i < kStartsMax && ok(); ++i) {
      const bool ended =
          RunUntil([&] { return AtRest() || (!refuses_ && VictimDied()); }, 60 * kSecond);
      if (!ok()) return;
      if (!ended) {
        result_.broken = "does not come to rest";
        return;
      }
      if (!VictimDied() || refuses_) return;
      Came("stops when it meets the damage");
      ComeBack();
    }
    if (ok()) result_.broken = "stops again and again";
  }

  void Judge() {
    const std::string wrong = CheckChains(&cluster_, clients_);
    if (absl::StrContains(wrong, "acknowledged and is lost")) {
      result_.lost = wrong;
    } else {
      result_.wrong_answer = wrong;
    }
    if (ok()) result_.wrong_answer = CheckServed(*victim(), Sound());
  }

  const node::Node& Sound() { return *cluster_.node((victim_ + 1) % cluster_.size()); }

  const FaultCase& case_;
  SimCluster cluster_;
  SplitMix64 random_;
  const uint32_t victim_;
  AgreementWatch watch_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::string> came_to_;
  bool listening_ = false;
  bool refuses_ = false;
  CaseResult result_;
};

}  // namespace

CaseResult RunFaultCase(const FaultCase& fault_case, uint32_t validators, uint64_t seed) {
  return CaseRun(fault_case, validators, seed).Run();
}

}  // namespace vigil::sim
