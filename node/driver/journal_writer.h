// JournalWriter: the actor that owns the journal and its fdatasync.
//
// Group commit: everything that waits is appended, then one sync covers it all, and only then the
// promises in it may leave (Durable). A failed write or sync is final: the latch falls, nothing is
// reported durable any more.
#ifndef VIGIL_NODE_DRIVER_JOURNAL_WRITER_H_
#define VIGIL_NODE_DRIVER_JOURNAL_WRITER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "consensus/core/core.h"
#include "ledger/base/clock.h"
#include "ledger/storage/journal.h"
#include "node/driver/actor.h"
#include "node/driver/counters.h"
#include "node/driver/fatal_latch.h"
#include "node/driver/inbox.h"

namespace vigil::node {

// What one step of the core wants written.
struct JournalJob {
  uint64_t sequence = 0;
  std::vector<consensus::JournalAppend> append;
  bool must_sync = false;
  Epoch epoch;
  View view;  // The core's view after the step.
  size_t bytes() const;
};

// Everything up to `sequence` is on disk; where its blocks lie.
struct Durable {
  uint64_t sequence = 0;
  std::vector<std::pair<ledger::BlockId, ledger::JournalPosition>> blocks;
};

class JournalWriter final : public Actor {
 public:
  struct Ports {
    ledger::FileSystem* files = nullptr;
    const Clock* clock = nullptr;
    FatalLatch* fatal = nullptr;
    NodeCounters* counters = nullptr;
    // Takes what became durable; must not refuse.
    std::function<void(Durable)> on_durable;
    // The cosigner's guard that was pushed is on disk; must not refuse. May be empty.
    std::function<void()> on_guarded = {};
  };

  // `guard` is what the guard file at `guard_path` says now.
  JournalWriter(const Ports& ports, std::unique_ptr<ledger::Journal> journal,
                std::string guard_path, const ledger::RollbackGuard& guard, size_t inbox_bytes_max);

  // False when there is no room yet; `job` is then left as it was.
  [[nodiscard]] bool Push(JournalJob* job);
  // Writes and syncs a cosigner's guard (node/log/cosign_guard.h), with whatever else waits.
  // REQUIRES: the one before was reported by on_guarded. Thread-safe.
  void PushGuard(std::string body);

  // What the journal's last vote and cosigner's guard say; empty: none. Before the first Step().
  void SetLast(std::string vote, std::string cosigned);
  // Has the last vote and guard written again and synced, so that older ones are not needed any
  // more. renewed() grows when that is done. Thread-safe, both.
  void Renew();
  uint64_t renewed() const { return renewed_.load(std::memory_order_acquire); }
  // Has the journal go on in a new segment, so that the one that is written now can be replaced; as
  // Renew() besides, as the new one's first frames. Thread-safe.
  void CloseSegment();
  // As Renew(), and behind them, in the same group, writes the base frame `body`: whoever finds the
  // frame finds them, too. bases() grows when that is done. REQUIRES: has_promises(), and the one
  // before was written. Thread-safe, all three.
  void RenewAbove(std::string body);
  uint64_t bases() const { return bases_.load(std::memory_order_acquire); }
  // There is a vote and a cosigner's guard to be written again.
  bool has_promises() const { return has_promises_.load(std::memory_order_acquire); }

  absl::string_view name() const override { return "journal"; }
  bool Step() override;
  std::optional<int64_t> DeadlineMicros() const override;

 private:
  absl::Status WriteGroup(const std::vector<JournalJob>& group,
                          const std::vector<std::string>& guards, Durable* durable);
  absl::Status SaveGuard(Epoch epoch, View view);
  absl::Status AppendLast(const std::vector<std::string>& bases);
  void NotePromises();

  const Ports ports_;
  const std::unique_ptr<ledger::Journal> journal_;
  const std::string guard_path_;
  ledger::RollbackGuard guard_;
  int64_t guard_saved_micros_;
  Inbox<JournalJob> inbox_;
  Inbox<std::string> guards_;
  std::string last_vote_;
  std::string last_cosigned_;
  std::atomic<bool> renew_wanted_{false};
  std::atomic<bool> close_wanted_{false};
  std::atomic<uint64_t> renewed_{0};
  Inbox<std::string> base_inbox_;
  std::atomic<uint64_t> bases_{0};
  std::atomic<bool> has_promises_{false};
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_JOURNAL_WRITER_H_
