// Submitter: signs batches, spools them, and brings them to the chain exactly once.
//
//   Submit ──> sign ──> spool (synced) ──> SubmitStream, at most `window` unanswered, in order
//                            ^                                   │
//   forget <── source marks kept (synced) <── proven <── acknowledged
//
// A validator that goes away, is too slow or refuses for now is replaced by the next; whatever was
// not acknowledged is sent again as the same bytes, and what the chain already has is answered as a
// duplicate. Belongs to one thread; everything happens inside its calls (gRPC has its own threads).
//
// Invariants:
//   (1) A sequence number is signed at most once per spool, and synced before it is sent.
//   (2) Nothing is signed for a spool that is new before a validator said that its chain is the one
//       that is signed for, and where the stream stands.
//   (3) A record leaves the spool only after its acknowledgement, after the proof that it is in the
//       log unless receipts are trusted, and after its source mark is kept.
#ifndef VIGIL_CLIENT_LIB_SUBMITTER_H_
#define VIGIL_CLIENT_LIB_SUBMITTER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/lib/batch_sink.h"
#include "client/lib/client.h"
#include "client/lib/receipt_verifier.h"
#include "client/lib/spool.h"
#include "ledger/base/clock.h"
#include "ledger/base/random.h"
#include "ledger/chain/record.h"
#include "ledger/crypto/keys.h"
#include "ledger/log/policy.h"
#include "ledger/storage/file.h"
#include "vigil/v1/api.pb.h"

namespace vigil::client {

class SubmitCall;

enum class OverflowPolicy {
  kBlock,       // Wait until there is room.
  kDropNewest,  // Drop the batch; a signed gap record says how many events were lost.
};

enum class ReceiptCheck { kVerify, kTrust };

struct SubmitterOptions {
  std::string identity;  // "org/name" of the sensor.
  std::string stream;    // Name of the stream within it.
  Hash chain_id;
  std::string spool_folder;
  v1::AckLevel ack = v1::ACK_COMMITTED;          // ACK_ACCEPTED: Flush() is content with the spool.
  size_t window = 16;                            // Records sent and not answered, 1 to 256.
  uint64_t spool_bytes_max = 256 * 1024 * 1024;  // At least 2 MiB.
  OverflowPolicy overflow = OverflowPolicy::kBlock;
  int64_t answer_millis_max = 30'000;  // Without an answer for so long, another validator is tried.
  int64_t give_up_millis = 60'000;     // Without any progress for so long, kUnavailable; 0: never.
  int64_t backoff_millis_min = 50;
  int64_t backoff_millis_max = 5'000;
  // Whether a record counts as delivered, and leaves the spool, only when it is proven to be in the
  // log (client/lib/receipt_verifier.h), or on a validator's word.
  ReceiptCheck receipts = ReceiptCheck::kVerify;
  ledger::Policy policy;        // kVerify: whom to trust. Has a quorum.
  std::string receipts_folder;  // kVerify: for the checkpoint seen last, and for evidence.
  bool adopt_head = false;      // Go on from the chain's head when it is not the spool's.
  // Once it is set nothing waits any longer: calls end with kCancelled, and what was spooled is
  // delivered by a later run. May be nullptr; else it must outlive the submitter.
  const std::atomic<bool>* stop = nullptr;
};

class Submitter final : public BatchSink {
 public:
  // Opens the spool. `key`, `client`, `files` and `clock` must outlive the submitter.
  // Errors: kInvalidArgument naming an option; as Spool::Open.
  static absl::StatusOr<std::unique_ptr<Submitter>> Open(const SubmitterOptions& options,
                                                         const ledger::SigningKey* key,
                                                         Client* client, ledger::FileSystem* files,
                                                         const Clock* clock,
                                                         SourceMarkKeeper keeper);
  ~Submitter() override;

  absl::Status Submit(EventBatch batch) override;
  absl::Status Poll() override;
  absl::Status Flush() override;
  DeliveryStats stats() const override { return stats_; }

  // Signs and spools "alive, nothing to report" (takes a sequence number).
  absl::Status Heartbeat(uint64_t time_unix_nano);

  // Source marks of the records that wait, oldest first: what a source need not read again.
  std::vector<std::string> PendingMarks() const;
  size_t pending() const { return spool_->size(); }
  // Why it is waiting: the last failure since something was acknowledged; empty: none.
  const std::string& trouble() const { return trouble_; }

 private:
  // Events dropped since the last record.
  struct Loss {
    uint64_t count = 0;
    uint64_t from_unix_nano = 0;
    uint64_t to_unix_nano = 0;
    std::string source_mark;
  };

  Submitter(const SubmitterOptions& options, const ledger::SigningKey* key, Client* client,
            const Clock* clock, SourceMarkKeeper keeper, std::unique_ptr<Spool> spool);

  bool stopped() const { return options_.stop != nullptr && *options_.stop; }
  // Errors: kCancelled once it is to stop.
  absl::Status CheckStop() const;
  bool HasRoom(size_t bytes) const;
  absl::Status WaitForRoom(size_t bytes);
  void Drop(const EventBatch& batch);
  absl::Status RecordLoss();
  absl::Status SignAndSpool(ledger::RecordBody body, std::string payload, uint32_t event_count,
                            std::string source_mark);

  // One round of sending and receiving; waits up to `wait_millis` for something to happen.
  absl::Status Step(int64_t wait_millis);
  // Compares chain and spool with what a validator has of the stream, once.
  absl::Status Reconcile();
  // What Reconcile() makes of a call that failed.
  absl::Status Unanswered(const absl::Status& status);
  absl::Status CompareHeads(const StreamPosition& chain);
  absl::Status Connect();
  absl::Status Receive();
  // Judges one answer; `*again` asks for a fresh call.
  absl::Status Judge(const v1::SubmitResponse& answer, const SpooledRecord& record, bool* again);
  absl::Status JudgeRefusal(const v1::ErrorDetail& detail, const SpooledRecord& record);
  // How many records from the front of the spool are acknowledged and, if they have to be, proven.
  absl::StatusOr<size_t> CountDelivered();
  absl::Status KeepDelivered();
  // Records from the front of the spool that may have been sent.
  size_t SendLimit() const;
  absl::Status Send();
  absl::Status CheckPatience();
  // Gives up the present call; after `delay_millis` the next is made, to another validator if
  // `rotate`. -1: the delay grows with the failures.
  void Disconnect(absl::string_view why, int64_t delay_millis, bool rotate);
  void Pause(int64_t millis);

  const SubmitterOptions options_;
  const ledger::SigningKey* const key_;
  Client* const client_;
  const Clock* const clock_;
  const SourceMarkKeeper keeper_;
  const std::unique_ptr<Spool> spool_;
  std::unique_ptr<SubmitCall> call_;
  std::unique_ptr<ReceiptVerifier> verifier_;  // Null: receipts are trusted.
  SplitMix64 jitter_;
  DeliveryStats stats_;
  Loss loss_;
  absl::Status fatal_;  // Ends everything, once it is set.
  bool reconciled_ = false;
  size_t endpoint_ = 0;
  size_t sent_ = 0;  // Records from the front of the spool sent in this call.
  // Of those, from the front: answered well, and not yet forgotten.
  std::deque<ReceiptClaim> acknowledged_;
  size_t failures_ = 0;  // In a row, without an acknowledgement.
  int64_t connect_at_micros_ = 0;
  int64_t progress_at_micros_ = 0;  // Last answer, or first request after none were open.
  int64_t trouble_since_micros_ = 0;
  std::string trouble_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_SUBMITTER_H_
