// LearnerDesk: lets newcomers of open proposals follow the chain before they are validators
// (docs/protocol.md, Learners).
//
// A newcomer proves itself by the consensus key that a proposal names. What it may do then is to
// fetch what is final, from an allowance of its own (fetch_server.h); there is nothing that it
// could say of agreement. Who is named is judged by executed state, with every request and whenever
// the state has changed: whoever is named no longer is told so and sent away.
//
// Step() belongs to one thread at a time; everything else is thread-safe.
//
// Invariants:
//   (1) Nothing is read for a stream whose hello no proposal bears out at the height executed.
//   (2) At most kLearnersMax learners are there, one stream each; each has at most
//       kFetchWaitingMax requests under way.
#ifndef VIGIL_NODE_DRIVER_LEARNER_DESK_H_
#define VIGIL_NODE_DRIVER_LEARNER_DESK_H_

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/base/clock.h"
#include "ledger/base/mutex.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/epoch_anchor.h"
#include "node/driver/actor.h"
#include "node/driver/chain_access.h"
#include "node/driver/fetch_server.h"
#include "node/driver/learner_frame.h"
#include "node/driver/learner_stream.h"
#include "node/driver/log.h"
#include "node/driver/newcomers.h"
#include "node/driver/transport.h"

namespace vigil::node {

inline constexpr size_t kLearnersMax = 8;
// A learner that is so many heights behind what is final here, and was heard so lately, has caught
// up.
inline constexpr uint64_t kLearnerBehindMax = 256;
inline constexpr int64_t kLearnerSilentMicrosMax = 15'000'000;

class LearnerDesk final : public Actor, public LearnerReceiver {
 public:
  // All must outlive the desk.
  struct Ports {
    const ledger::Genesis* genesis = nullptr;
    std::string self;  // "org/name"
    const Clock* clock = nullptr;
    const ChainAccess* chain = nullptr;
    const LogFunction* log = nullptr;
    std::function<std::vector<ledger::EpochAnchor>()> anchors = nullptr;
    std::function<Height()> final_height = nullptr;
    FetchServer::Ports fetch;  // Its transport is the desk.
  };
  struct Options {
    uint64_t bytes_per_second = 0;  // For all learners together; at least 1.
    std::string snapshots = "";
    uint32_t snapshot_interval_blocks = 0;
  };
  struct Counts {
    uint64_t refused = 0;  // Hellos and requests.
    uint64_t let_in = 0;
  };
  LearnerDesk(const Ports& ports, const Options& options);

  // Every newcomer of a proposal that counts. Errors: of the state.
  absl::StatusOr<std::vector<NewcomerStanding>> Standings() const VIGIL_EXCLUDES(mutex_);
  Counts counts() const VIGIL_EXCLUDES(mutex_);

  // LearnerReceiver
  absl::Status OnLearnerFrame(const std::shared_ptr<LearnerStream>& stream,
                              absl::string_view frame) override VIGIL_EXCLUDES(mutex_);
  void OnLearnerEnd(const LearnerStream* stream) override VIGIL_EXCLUDES(mutex_);

  // Actor
  absl::string_view name() const override { return "learners"; }
  bool Step() override VIGIL_EXCLUDES(mutex_);
  std::optional<int64_t> DeadlineMicros() const override { return server_->DeadlineMicros(); }

 private:
  struct Learner {
    std::shared_ptr<LearnerStream> stream;  // Shared with the transport; null: the place is free.
    std::string identity;
    ledger::JournalId journal_id;
    PublicKey consensus_key;
    Height height;
    int64_t seen_micros = 0;
    size_t under_way = 0;  // Requests without an answer.
  };
  // Where the fetch server's answers go: a learner's place stands in for a validator's index.
  class Answers final : public Transport {
   public:
    explicit Answers(LearnerDesk* desk) : desk_(desk) {}
    bool Send(ValidatorIndex to, OutFrame frame) override;
    bool IsConnected(ValidatorIndex /*peer*/) const override { return true; }

   private:
    LearnerDesk* const desk_;
  };

  absl::Status OnHello(const std::shared_ptr<LearnerStream>& stream, absl::string_view frame)
      VIGIL_EXCLUDES(mutex_);
  absl::Status Place(Learner learner) VIGIL_EXCLUDES(mutex_);
  absl::Status OnRequest(const LearnerStream* stream, absl::string_view frame)
      VIGIL_EXCLUDES(mutex_);
  absl::Status Refused(absl::Status why) VIGIL_EXCLUDES(mutex_);
  void Welcome(LearnerStream* stream, Epoch from) const;
  // As of the height executed now.
  absl::StatusOr<std::vector<Newcomer>> Named() const VIGIL_EXCLUDES(mutex_);
  // Whether a proposal that counts names these keys. Errors: why none does.
  static absl::Status CheckNamed(const std::vector<Newcomer>& newcomers, const Learner& learner);
  void SendAway() VIGIL_EXCLUDES(mutex_);

  const Ports ports_;
  Answers answers_;
  std::unique_ptr<FetchServer> server_;

  mutable Mutex mutex_;
  std::array<Learner, kLearnersMax> learners_ VIGIL_GUARDED_BY(mutex_);
  Counts counts_ VIGIL_GUARDED_BY(mutex_);
  // What the state at `known_height_` says.
  mutable Height known_height_ VIGIL_GUARDED_BY(mutex_);
  mutable std::optional<std::vector<Newcomer>> known_ VIGIL_GUARDED_BY(mutex_);
  Height checked_height_;  // Of the actor.
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_LEARNER_DESK_H_
