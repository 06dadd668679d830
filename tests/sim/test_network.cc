#include "tests/sim/test_network.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/payload.h"
#include "ledger/log/merkle.h"
#include "node/driver/reveal_chain.h"
#include "vigil/v1/event.pb.h"

namespace vigil::sim {
namespace {

using ledger::SigningKey;

constexpr std::array<const char*, 7> kOrganisations = {"acme", "bravo", "coda", "delta",
                                                       "echo", "fox",   "golf"};

constexpr uint8_t kCosignerRole = 4;

ledger::KeySeed SeedOf(uint8_t role, uint32_t index) {
  ledger::KeySeed seed{};
  seed[0] = role;
  seed[1] = static_cast<uint8_t>(index);
  seed[31] = 0x5a;
  return seed;
}

SigningKey KeyOf(uint8_t role, uint32_t index) { return SigningKey::FromSeed(SeedOf(role, index)); }

}  // namespace

TestNetwork::TestNetwork(const NetworkOptions& options)
    : renews_cosigner_keys_(options.renew_cosigner_keys) {
  ledger::Genesis genesis;
  genesis.network = "sim.vigil";
  genesis.time_unix_millis = 1'600'000'000'000;
  genesis.mode = "raft";
  genesis.heartbeat_millis = options.heartbeat_millis;
  genesis.max_block_bytes = options.max_block_bytes;
  genesis.snapshot_interval_blocks = options.snapshot_interval_blocks;
  genesis.detector = options.detector;
  genesis.detector_rules = options.detector_rules;
  genesis.organisations = {{"acme", "Acme Corporation"}};
  VIGIL_CHECK(options.organisations >= 1 && options.organisations <= kOrganisations.size(),
              options.organisations, " organisations");
  for (uint32_t org = 1; org < options.organisations; ++org) {
    genesis.organisations.push_back({kOrganisations[org], kOrganisations[org]});
  }
  for (uint32_t i = 0; i < options.validators + options.newcomers; ++i) {
    validators_.push_back({.consensus = KeyOf(1, i),
                           .record = KeyOf(2, i),
                           .log = KeyOf(3, i),
                           .cosigner = KeyOf(kCosignerRole, i)});
    ledger::GenesisValidator validator;
    validator.name = absl::StrCat("v", i);
    validator.org = kOrganisations[i % options.organisations];
    validator.consensus_key = validators_.back().consensus.public_key();
    validator.log_key = validators_.back().log.public_key();
    validator.cosigner_key = validators_.back().cosigner.public_key();
    validator.record_key = validators_.back().record.public_key();
    validator.reveal_length = options.reveal_length;
    validator.reveal_anchor = node::RevealChain(reveal_seed(i), options.reveal_length).anchor();
    validator.journal_id.bytes = journal_id(i).bytes;
    entries_.push_back(validator);
    if (i < options.validators) genesis.validators.push_back(validator);
  }
  for (uint32_t i = 0; i < options.sensors; ++i) {
    sensors_.push_back(KeyOf(5, i));
    genesis.identities.push_back({absl::StrCat("s", i), "acme",
                                  static_cast<uint32_t>(ledger::Role::kSensor),
                                  sensors_.back().public_key()});
  }
  for (uint32_t org = 0; org < options.organisations; ++org) {
    admins_.push_back(KeyOf(6, org));
    genesis.identities.push_back({"root", kOrganisations[org],
                                  static_cast<uint32_t>(ledger::Role::kAdmin),
                                  admins_.back().public_key()});
  }
  absl::StatusOr<ledger::Genesis> parsed = ledger::ParseGenesis(ledger::WriteGenesis(genesis));
  VIGIL_CHECK(parsed.ok(), parsed.status().message());
  genesis_ = *std::move(parsed);
}

ledger::Record TestNetwork::ProposeSet(Epoch ending,
                                       const std::vector<uint32_t>& validators) const {
  std::vector<ledger::GenesisValidator> next;
  for (const uint32_t validator : validators) next.push_back(entries_[validator]);
  return Propose(/*organisation=*/0, ending, next, "a test");
}

ledger::Record TestNetwork::Propose(uint32_t organisation, Epoch ending,
                                    const std::vector<ledger::GenesisValidator>& next,
                                    const std::string& reason) const {
  const std::string set = ledger::EncodeValidatorSet(next);
  ledger::ProposalBody body;
  body.epoch = ending.value();
  body.next_set = AsBytes(set);
  body.reason = reason;
  return {.leaf = ledger::SignRecord(body, genesis_.chain_id, admins_[organisation]),
          .payload = ""};
}

ledger::Record TestNetwork::ProposeRules(uint32_t organisation, Epoch present,
                                         const std::string& file, const Hash& replaced,
                                         const std::string& reason) const {
  ledger::ProposalBody body;
  body.epoch = present.value();
  body.reason = reason;
  body.rules = file;
  body.replaced_rules = replaced;
  return {.leaf = ledger::SignRecord(body, genesis_.chain_id, admins_[organisation]),
          .payload = ""};
}

ledger::Record TestNetwork::Ballot(uint32_t organisation, RecordIndex proposal,
                                   bool approves) const {
  ledger::BallotBody body;
  body.proposal_index = proposal;
  body.choice = static_cast<uint32_t>(approves ? ledger::BallotChoice::kApprove
                                               : ledger::BallotChoice::kReject);
  return {.leaf = ledger::SignRecord(body, genesis_.chain_id, admins_[organisation]),
          .payload = ""};
}

const SigningKey& TestNetwork::consensus_key(uint32_t validator) const {
  return validators_[validator].consensus;
}
const SigningKey& TestNetwork::record_key(uint32_t validator) const {
  return validators_[validator].record;
}
const SigningKey& TestNetwork::log_key(uint32_t validator) const {
  return validators_[validator].log;
}
const SigningKey& TestNetwork::cosigner_key(uint32_t validator) const {
  return validators_[validator].cosigner;
}
ledger::KeySeed TestNetwork::CosignerSeed(uint32_t validator) {
  return SeedOf(kCosignerRole, validator);
}
const SigningKey& TestNetwork::sensor_key(uint32_t sensor) const { return sensors_[sensor]; }

Hash TestNetwork::reveal_seed(uint32_t validator) const {
  Hash seed;
  seed.bytes.fill(static_cast<uint8_t>(0x40 + validator));
  return seed;
}

ledger::JournalId TestNetwork::journal_id(uint32_t validator) const {
  ledger::JournalId id;
  id.bytes.fill(static_cast<uint8_t>(0x80 + validator));
  return id;
}

SensorStream::SensorStream(const ledger::Genesis* genesis, const SigningKey* key,
                           std::string stream, uint64_t seed)
    : genesis_(genesis), key_(key), stream_(std::move(stream)), random_(seed) {}

std::string SensorStream::NextEvent(bool odd) {
  static constexpr uint32_t kPorts[] = {443, 443, 443, 80, 53};
  time_unix_nano_ += 1'000'000 + random_.Below(50'000'000);
  v1::Event event;
  event.set_schema(1);
  std::string salt(16, '\0');
  for (char& byte : salt) byte = static_cast<char>(random_.Below(256));
  event.set_salt(salt);
  event.set_time_unix_nano(time_unix_nano_);
  event.set_type_uid(400'106);
  event.set_severity_id(1);
  event.set_status_id(1);
  event.set_source("zeek.conn");
  const auto host = static_cast<char>(1 + random_.Below(30));
  event.mutable_src()->set_ip(std::string({10, 0, 0, host}));
  event.mutable_src()->set_port(static_cast<uint32_t>(32'768 + random_.Below(20'000)));
  event.mutable_dst()->set_ip(
      odd ? std::string({45, 33, static_cast<char>(random_.Below(100)), 9})
          : std::string({10, 0, 1, static_cast<char>(1 + random_.Below(3))}));
  event.mutable_dst()->set_port(odd ? static_cast<uint32_t>(4444 + random_.Below(4))
                                    : kPorts[random_.Below(5)]);
  event.set_protocol_num(6);
  const uint64_t packets = 1 + random_.Below(40);
  event.mutable_traffic()->set_bytes_in(packets * (60 + random_.Below(1000)));
  event.mutable_traffic()->set_bytes_out(odd ? 900'000'000 + random_.Below(1'000'000)
                                             : packets * (40 + random_.Below(200)));
  event.mutable_traffic()->set_packets_in(packets);
  event.mutable_traffic()->set_packets_out(odd ? 700'000 : packets);
  event.set_duration_ns(1'000'000 + random_.Below(2'000'000'000));
  if (large_) {
    event.set_raw(std::string(8192, 'r'));
    event.set_url_or_query(std::string(2048, 'q'));
    for (const char* key : {"a", "b", "c", "d"}) {
      v1::Pair* pair = event.add_unmapped();
      pair->set_key(key);
      pair->set_value(std::string(2047, 'v'));
    }
  }
  return event.SerializeAsString();
}

ledger::Record SensorStream::NextBatch(uint32_t count, uint32_t odd_permille) {
  std::vector<std::string> events;
  const uint64_t first = time_unix_nano_;
  uint64_t first_time = 0;
  for (uint32_t i = 0; i < count; ++i) {
    events.push_back(NextEvent(random_.Chance(odd_permille)));
    if (i == 0) first_time = time_unix_nano_;
  }
  VIGIL_CHECK(time_unix_nano_ > first || count == 0, "time stands still");
  ledger::Record record;
  record.payload = ledger::EncodePayload(events);
  const absl::StatusOr<std::vector<ByteSpan>> spans = ledger::SplitPayload(AsBytes(record.payload));
  VIGIL_CHECK(spans.ok(), spans.status().message());
  ledger::EventBatchBody body;
  body.stream = stream_;
  body.sequence = ++sequence_;
  body.previous = previous_;
  body.item_count = count;
  body.items_root = ledger::ItemsRoot(*spans);
  body.first_time_unix_nano = first_time;
  body.last_time_unix_nano = time_unix_nano_;
  body.payload_bytes = static_cast<uint32_t>(record.payload.size());
  record.leaf = ledger::SignRecord(body, genesis_->chain_id, *key_);
  previous_ = ledger::LeafHash(AsBytes(record.leaf));
  return record;
}

ledger::Record SensorStream::NextHeartbeat() {
  ledger::HeartbeatBody body;
  body.stream = stream_;
  body.sequence = ++sequence_;
  body.previous = previous_;
  body.time_unix_nano = time_unix_nano_;
  ledger::Record record;
  record.leaf = ledger::SignRecord(body, genesis_->chain_id, *key_);
  previous_ = ledger::LeafHash(AsBytes(record.leaf));
  return record;
}

}  // namespace vigil::sim
