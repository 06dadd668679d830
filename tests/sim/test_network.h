// A network for tests of whole nodes: genesis, keys of fixed seeds, and sensors that sign batches.
//
// Everything is a function of the arguments.
#ifndef VIGIL_TESTS_SIM_TEST_NETWORK_H_
#define VIGIL_TESTS_SIM_TEST_NETWORK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"
#include "ledger/crypto/key_file.h"
#include "ledger/crypto/keys.h"
#include "ledger/storage/journal.h"

namespace vigil::sim {

struct NetworkOptions {
  uint32_t validators = 1;
  uint32_t newcomers = 0;  // Validators that genesis does not name, numbered behind the others.
  // Validator i belongs to organisation i modulo this; each has an admin. At most 7.
  uint32_t organisations = 1;
  uint32_t sensors = 4;
  uint32_t heartbeat_millis = 1000;
  uint32_t max_block_bytes = 256 * 1024;
  uint64_t reveal_length = 100'000;
  uint32_t snapshot_interval_blocks = 2048;
  ledger::DetectorParameters detector = {};
  std::string detector_rules = {};   // A rule file; empty: no rules.
  bool renew_cosigner_keys = false;  // Validators have a new cosigner key for every epoch.
};

// A rule, number 1, that matches every first odd event (SensorStream) of a source and destination
// within an hour; and rule 2, which never matches.
inline constexpr char kOddRules[] =
    "vigil-rules 1\nversion 1\n"
    "rule 1 odd\n  title Odd events\n  technique T1048\n  score 9\n  entity pair\n"
    "  when to public\n  at-least events 1 in 2s\n  quiet 1h\n"
    "rule 2 never\n  title Never\n  technique T1046\n  score 9\n  entity host\n"
    "  at-least events 1000000 in 2s\n  quiet 1h\n";

// As kOddRules, but rule 1 waits for a second event of the pair, and rule 3 matches what rule 1
// did.
inline constexpr char kOddRulesToo[] =
    "vigil-rules 1\nversion 2\n"
    "rule 1 odd\n  title Odd events\n  technique T1048\n  score 9\n  entity pair\n"
    "  when to public\n  at-least events 2 in 2s\n  quiet 1h\n"
    "rule 3 odd-too\n  title Odd events\n  technique T1048\n  score 11\n  entity pair\n"
    "  when to public\n  at-least events 1 in 2s\n  quiet 1h\n";

// Validator i is "acme/v<i>", sensor i is "acme/s<i>", and there is one admin "acme/root". With
// more organisations validators go round them, and each has an admin "root".
class TestNetwork {
 public:
  explicit TestNetwork(const NetworkOptions& options);

  const ledger::Genesis& genesis() const { return genesis_; }
  bool renews_cosigner_keys() const { return renews_cosigner_keys_; }
  // How a validator stands in a set, also a newcomer.
  const ledger::GenesisValidator& entry(uint32_t validator) const { return entries_[validator]; }
  // The admin proposes the whole next set, by the numbers of validators. With one organisation that
  // approves it, too.
  ledger::Record ProposeSet(Epoch ending, const std::vector<uint32_t>& validators) const;
  // The same by the admin of any organisation, of any set; `reason` tells two proposals apart.
  ledger::Record Propose(uint32_t organisation, Epoch ending,
                         const std::vector<ledger::GenesisValidator>& next,
                         const std::string& reason) const;
  // A rule file in the place of the one with digest `replaced`; `reason` tells two proposals apart.
  ledger::Record ProposeRules(uint32_t organisation, Epoch present, const std::string& file,
                              const Hash& replaced, const std::string& reason = "a test") const;
  // The ballot of an organisation that has not proposed it.
  ledger::Record Ballot(uint32_t organisation, RecordIndex proposal, bool approves) const;
  const ledger::SigningKey& consensus_key(uint32_t validator) const;
  const ledger::SigningKey& record_key(uint32_t validator) const;
  const ledger::SigningKey& log_key(uint32_t validator) const;
  // The first one, and what it is made of.
  const ledger::SigningKey& cosigner_key(uint32_t validator) const;
  static ledger::KeySeed CosignerSeed(uint32_t validator);
  const ledger::SigningKey& sensor_key(uint32_t sensor) const;
  const ledger::SigningKey& admin_key() const { return admins_.front(); }
  Hash reveal_seed(uint32_t validator) const;
  ledger::JournalId journal_id(uint32_t validator) const;

 private:
  struct ValidatorKeys {
    ledger::SigningKey consensus;
    ledger::SigningKey record;
    ledger::SigningKey log;
    ledger::SigningKey cosigner;
  };
  std::vector<ValidatorKeys> validators_;
  std::vector<ledger::GenesisValidator> entries_;
  std::vector<ledger::SigningKey> sensors_;
  std::vector<ledger::SigningKey> admins_;  // By organisation.
  ledger::Genesis genesis_;
  bool renews_cosigner_keys_ = false;
};

// One stream of a sensor: makes its records one after the other.
class SensorStream {
 public:
  // `key` and `genesis` must outlive the object.
  SensorStream(const ledger::Genesis* genesis, const ledger::SigningKey* key, std::string stream,
               uint64_t seed);

  // The next batch of `count` network events, most of them ordinary; `odd_permille` of them are
  // not.
  ledger::Record NextBatch(uint32_t count, uint32_t odd_permille = 0);
  ledger::Record NextHeartbeat();
  // From now on every event has about 18 KiB.
  void MakeLargeEvents() { large_ = true; }
  // Goes on after `leaf_hash` as if it were the head at the present sequence (after a reset).
  void ContinueAfter(const Hash& leaf_hash) { previous_ = leaf_hash; }

  uint64_t sequence() const { return sequence_; }
  const Hash& head() const { return previous_; }

 private:
  std::string NextEvent(bool odd);

  const ledger::Genesis* const genesis_;
  const ledger::SigningKey* const key_;
  const std::string stream_;
  SplitMix64 random_;
  bool large_ = false;
  uint64_t sequence_ = 0;
  Hash previous_;
  uint64_t time_unix_nano_ = 1'700'000'000'000'000'000;
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_TEST_NETWORK_H_
