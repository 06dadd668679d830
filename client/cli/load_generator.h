// Signed batches of synthetic events, made as fast as a client can sign them.
#ifndef VIGIL_CLIENT_CLI_LOAD_GENERATOR_H_
#define VIGIL_CLIENT_CLI_LOAD_GENERATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/base/bytes.h"
#include "ledger/crypto/keys.h"
#include "vigil/v1/api.pb.h"

namespace vigil::client {

// The key that signs and the run's name. Shared by all streams of a run; immutable.
class LoadAuthor {
 public:
  // Errors: those of the key file; kInvalidArgument when `chain_id` is not 32 bytes.
  static absl::StatusOr<std::shared_ptr<const LoadAuthor>> Open(const std::string& key_path,
                                                                const std::string& chain_id);
  const ledger::SigningKey& key() const { return key_; }
  const Hash& chain_id() const { return chain_id_; }
  const std::string& run() const { return run_; }

 private:
  LoadAuthor(ledger::SigningKey key, const Hash& chain_id, std::string run)
      : key_(std::move(key)), chain_id_(chain_id), run_(std::move(run)) {}
  const ledger::SigningKey key_;
  const Hash chain_id_;
  const std::string run_;  // Random, so that a run never meets the streams of another.
};

// One stream of batches. Belongs to one caller at a time.
class LoadStream {
 public:
  LoadStream(std::shared_ptr<const LoadAuthor> author, uint32_t number, uint32_t batch,
             uint32_t event_bytes);

  // Fills `request` with the next batch; after a refusal the same position again.
  void NextBatch(v1::SubmitRequest* request);
  // Bytes of the events and how they are framed, the same for every batch.
  size_t event_bytes() const { return event_.size() + 4; }
  // The batch made last is on the chain.
  void Accepted();

  const std::string& name() const { return stream_; }
  // Sequence and leaf hash of the batch made last.
  uint64_t sequence() const { return sequence_; }
  const Hash& leaf_hash() const { return made_; }

 private:
  std::shared_ptr<const LoadAuthor> author_;
  std::string stream_;
  std::string event_;  // Template; only the salt changes.
  uint64_t time_unix_nano_ = 0;
  uint32_t batch_;
  uint64_t sequence_ = 1;
  Hash previous_;
  Hash made_;
  std::shared_ptr<ledger::SaltSource> salts_;  // Of this stream alone; shared only to be movable.
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_LOAD_GENERATOR_H_
