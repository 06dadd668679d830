// PeerFetcher: gets one thing after the other from whichever validator has it and does not lie.
//
// For an actor that needs what its own disk has not. It asks one validator after the other; what
// comes in parts comes from one. The asker judges what came: who answers what does not hold is
// counted, told in the log and passed over; one that is silent, or has not what it is asked for, is
// passed over silently. After all were asked in vain it begins again.
//
// OnAnswer() and counts() are thread-safe; the rest belongs to the actor.
#ifndef VIGIL_NODE_DRIVER_PEER_FETCHER_H_
#define VIGIL_NODE_DRIVER_PEER_FETCHER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "node/driver/fetch_frame.h"
#include "node/driver/log.h"
#include "node/driver/transport.h"

namespace vigil::node {

class PeerFetcher {
 public:
  // All must outlive the object.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    const Clock* clock = nullptr;
    Transport* transport = nullptr;
    const LogFunction* log = nullptr;
    std::function<void()> wake = nullptr;  // An answer came. Any thread.
  };
  struct Options {
    ValidatorIndex self;
    absl::string_view name;     // The actor's, for the log.
    uint32_t id_min = 0;        // Of its requests, as the next.
    uint32_t id_max = 0;        // Inclusive.
    int64_t answer_micros = 0;  // One that says nothing for so long is passed over.
  };
  struct Counts {
    uint64_t bytes = 0;        // Fetched.
    uint64_t bad_answers = 0;  // That did not hold.
  };
  // Errors: why what came does not hold; then the next validator is asked.
  using Check = std::function<absl::Status(ByteSpan)>;

  PeerFetcher(const Ports& ports, const Options& options);

  // What `want` asks for, whose id and offset are of no account; nullopt while it is on its way.
  // Files are put together of their parts, `bytes_max` at most. A call with another `want` drops
  // what was under way.
  // Errors: kNotFound when every validator that is connected was asked in vain; it is asked again
  // by the next call.
  absl::StatusOr<std::optional<std::string>> Fetch(const FetchRequest& want, size_t bytes_max,
                                                   const Check& check);
  // Bytes that came so far of what is under way.
  size_t bytes_here() const { return file_.size(); }

  // Whether it was asked for from this validator. Takes the answer if so.
  bool OnAnswer(ValidatorIndex from, FetchAnswer answer) VIGIL_EXCLUDES(mutex_);
  Counts counts() const VIGIL_EXCLUDES(mutex_);
  // When Fetch() is to be called even if no answer came; nullopt: nothing is under way.
  std::optional<int64_t> DeadlineMicros() const;

 private:
  struct Asked {
    uint32_t id = 0;
    ValidatorIndex peer;
    std::optional<FetchAnswer> answer;
  };

  int64_t Now() const { return ports_.clock->MonotonicMicros(); }
  void Begin(const FetchRequest& want);
  void Take(const Asked& asked, size_t bytes_max, const Check& check,
            std::optional<std::string>* done);
  absl::Status TakeBody(absl::string_view body, size_t bytes_max, const Check& check,
                        std::optional<std::string>* done);
  bool AskNext();
  bool Ask(ValidatorIndex peer);
  void PassOver(ValidatorIndex peer);

  const Ports ports_;
  const Options options_;
  std::optional<FetchRequest> want_;
  std::string file_;  // Its first bytes, of peer_.
  std::optional<ValidatorIndex> peer_;
  std::set<ValidatorIndex> passed_over_;
  bool anybody_said_ = false;  // Since the first of this round was asked.
  uint32_t turn_ = 0;
  uint32_t next_id_;
  int64_t until_micros_ = 0;   // For the answer under way.
  int64_t resume_micros_ = 0;  // Nothing is asked before.

  mutable Mutex mutex_;
  std::optional<Asked> asked_ VIGIL_GUARDED_BY(mutex_);
  Counts counts_ VIGIL_GUARDED_BY(mutex_);
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_PEER_FETCHER_H_
