// ReceiptVerifier: whether what validators acknowledged is really in the log.
//
// An acknowledgement is one validator's word. This asks for the proof of the newest acknowledged
// record of a stream, checks it under the policy, and remembers the checkpoint: each further one
// has to be consistent with it. A record whose result is OK continues the record before it by its
// hash, so a proof of sequence n proves 1 to n: one proof covers whatever was acknowledged until it
// was asked for, and costs no more than a call or two per checkpoint.
//
// Belongs to one thread; gRPC's threads only fill what it reads. At most one call is under way.
//
// Files of the folder:
//   checkpoint   the newest one that verified, of any run
//   epochs       the epoch chain as far as it was needed, verified from the policy on
//   refused-<n>  evidence: proofs that did not verify, forks, two checkpoints that do not connect;
//                kept until somebody removes them
#ifndef VIGIL_CLIENT_LIB_RECEIPT_VERIFIER_H_
#define VIGIL_CLIENT_LIB_RECEIPT_VERIFIER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/lib/client.h"
#include "client/lib/known_epochs.h"
#include "ledger/base/bytes.h"
#include "ledger/base/clock.h"
#include "ledger/log/policy.h"
#include "ledger/storage/file.h"
#include "vigil/v1/api.pb.h"

namespace vigil::client {

// What a validator said of a record.
struct ReceiptClaim {
  uint64_t sequence = 0;
  Hash leaf_hash;
  uint32_t event_count = 0;
  v1::Receipt receipt;
  size_t endpoint = 0;  // Who said so, by number of the client.
};

class ReceiptVerifier {
 public:
  struct Options {
    ledger::Policy policy;  // Of genesis, or of a later epoch; those after it are asked for.
    std::string folder;
    uint32_t wait_millis = 10'000;    // For a checkpoint that covers the record.
    int64_t retry_millis = 200;       // Between a failure and the next try, elsewhere.
    int64_t give_up_millis = 60'000;  // Without any proof for so long, kUnavailable; 0: never.
  };

  // `client`, `files` and `clock` must outlive the object.
  ReceiptVerifier(Options options, Client* client, ledger::FileSystem* files, const Clock* clock);
  // Cancels a call under way.
  ~ReceiptVerifier();

  // Takes what has come, and asks for the proof of `newest` unless it is proven or a call is under
  // way. Does not wait.
  // Errors, which end the verification:
  //   kDataLoss:    a validator lies: names it, what it said, and the file with the evidence.
  //   kUnavailable: nobody proves what was acknowledged; the last reason.
  //   of the folder's disk.
  absl::Status Step(const ReceiptClaim& newest);

  // Whatever was acknowledged up to this sequence is in the log.
  uint64_t proven_sequence() const { return proven_sequence_; }

 private:
  struct Call;
  struct EpochCall;

  void Ask(v1::GetProofRequest request, size_t endpoint);
  absl::Status Take();
  absl::Status TakeProof(std::unique_ptr<Call> call);
  // Asks whoever gave the proof of `call` for the epochs after those known.
  void AskEpochs(std::unique_ptr<Call> call);
  absl::Status TakeEpochs(std::unique_ptr<EpochCall> call);
  absl::Status CompareReceipt(const std::string& file, uint64_t index, uint64_t height,
                              const Hash& block_hash);
  // Goes on once `note` is known to be of the history that was seen before.
  absl::Status FollowHead(const ledger::Checkpoint& head, std::string note);
  absl::Status Proven();
  absl::Status Retry(absl::string_view why);
  // `evidence` is kept in the folder, and its path told.
  absl::Status Lie(size_t endpoint, absl::string_view what, absl::string_view evidence);
  void LoadEpochs();
  void LoadHead();
  absl::Status SaveHead();

  const Options options_;
  Client* const client_;
  ledger::FileSystem* const files_;
  const Clock* const clock_;
  KnownEpochs known_;
  std::unique_ptr<Call> call_;
  std::unique_ptr<EpochCall> epoch_call_;
  ReceiptClaim claim_;      // That the call is about.
  std::string head_;        // Signed note, verified; empty: none seen yet.
  uint64_t head_size_ = 0;  // Leaves of it.
  Hash head_root_;
  std::string next_head_;  // Of the record's proof, while its consistency is asked for.
  ledger::Checkpoint next_;
  uint64_t proven_sequence_ = 0;
  size_t endpoint_ = 0;
  int64_t ask_at_micros_ = 0;
  int64_t trouble_since_micros_ = 0;  // 0: none.
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_RECEIPT_VERIFIER_H_
