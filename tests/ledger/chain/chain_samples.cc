#include "tests/ledger/chain/chain_samples.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/payload.h"

namespace vigil::ledger::samples {
namespace {

constexpr uint64_t kTime = 1'700'000'000'123'456'789;

void FillEndpoint(uint8_t number, v1::Endpoint* endpoint) {
  endpoint->set_ip(std::string({10, 0, 0, static_cast<char>(number)}));
  endpoint->set_port(40'000 + number);
  endpoint->set_hostname("host-" + std::to_string(number));
  endpoint->set_mac(std::string("\x02\x00\x00\x00\x00\x01", 6));
  endpoint->set_uid("asset-" + std::to_string(number));
  endpoint->set_zone("dmz");
}

void FillActor(v1::Actor* actor) {
  actor->set_user("zoë");
  actor->set_user_uid("S-1-5-21");
  actor->set_domain("CORP");
  actor->set_process("sh");
  actor->set_path("/bin/sh");
  actor->set_cmd_line("sh -c 'echo \xE2\x82\xAC'");
  actor->set_pid(4242);
  actor->set_parent("sshd");
  actor->set_session("s-17");
}

void FillRepeated(v1::Event* event) {
  for (const char* number : {"1", "2"}) {
    event->add_attacks(std::string("T111") + number);
    v1::Observable* const observable = event->add_observables();
    observable->set_type_id(2);
    observable->set_value(std::string("10.0.0.") + number);
    v1::Metric* const metric = event->add_metrics();
    metric->set_key(std::string("score.") + number);
    metric->set_value_e6(number[0] == '1' ? 1'500'000 : -2'000'000);
    v1::Pair* const pair = event->add_unmapped();
    pair->set_key(std::string("x.") + number);
    pair->set_value("y");
    v1::SealedGroup* const group = event->add_sealed_groups();
    group->set_name(std::string("personal.") + number);
    group->set_commitment(std::string(32, number[0]));
    group->set_field_count(3);
  }
}

GenesisValidator SampleValidator(uint8_t index) {
  GenesisValidator validator;
  validator.name = "v" + std::to_string(index);
  validator.org = index == 2 ? "globex" : "acme";
  const uint8_t first = static_cast<uint8_t>(4 * index + 1);
  validator.consensus_key = KeyNumber(first).public_key();
  validator.log_key = KeyNumber(first + 1).public_key();
  validator.cosigner_key = KeyNumber(first + 2).public_key();
  validator.record_key = KeyNumber(first + 3).public_key();
  validator.reveal_anchor = HashOf(0xA0 + index);
  validator.reveal_length = 1000;
  validator.journal_id.bytes.fill(0xB0 + index);
  return validator;
}

}  // namespace

SigningKey KeyNumber(uint8_t number) {
  std::array<uint8_t, 32> seed;
  seed.fill(number);
  return SigningKey::FromSeed(seed);
}

Hash HashOf(uint8_t byte) {
  Hash hash;
  hash.bytes.fill(byte);
  return hash;
}

Genesis SampleGenesis() {
  Genesis genesis;
  genesis.network = "test.vigil";
  genesis.time_unix_millis = 1'700'000'000'000;
  genesis.mode = "raft";
  genesis.organisations = {{"acme", "Acme Corporation"}, {"globex", "Globex"}};
  for (uint8_t i = 0; i < 3; ++i) genesis.validators.push_back(SampleValidator(i));
  genesis.identities = {
      {"fw-1", "acme", static_cast<uint32_t>(Role::kSensor), KeyNumber(100).public_key()},
      {"root", "acme", static_cast<uint32_t>(Role::kAdmin) | static_cast<uint32_t>(Role::kAnalyst),
       KeyNumber(101).public_key()}};
  absl::StatusOr<Genesis> parsed = ParseGenesis(WriteGenesis(genesis));
  VIGIL_CHECK(parsed.ok(), parsed.status().message());
  return *std::move(parsed);
}

v1::Event SmallestEvent() {
  v1::Event event;
  event.set_schema(1);
  event.set_salt("0123456789abcdef");
  event.set_time_unix_nano(kTime);
  event.set_type_uid(400106);
  event.set_source("zeek.conn");
  return event;
}

v1::Event ConnectionEvent() {
  v1::Event event = SmallestEvent();
  event.set_severity_id(1);
  event.set_status_id(1);
  event.set_source_uid("CHhAvVGS1DHFjwGM9");
  event.mutable_device()->set_hostname("sensor-1");
  event.mutable_src()->set_ip(std::string("\xC0\xA8\x01\x66", 4));
  event.mutable_src()->set_port(49'812);
  event.mutable_dst()->set_ip(std::string("\x5D\xB8\xD8\x22", 4));
  event.mutable_dst()->set_port(443);
  event.set_protocol_num(6);
  event.set_app_protocol("ssl");
  event.mutable_traffic()->set_bytes_in(18'240);
  event.mutable_traffic()->set_bytes_out(2'113);
  event.mutable_traffic()->set_packets_in(21);
  event.mutable_traffic()->set_packets_out(19);
  event.set_duration_ns(1'254'310'000);
  v1::Pair* const pair = event.add_unmapped();
  pair->set_key("history");
  pair->set_value("ShADadFf");
  event.set_raw_size(171);
  event.set_status_code("SF");
  event.set_mapping_id("zeek.conn/1");
  return event;
}

v1::Event FullEvent() {
  v1::Event event = SmallestEvent();
  event.set_severity_id(5);
  event.set_status_id(2);
  event.set_action_id(99);
  event.set_disposition_id(1);
  event.set_source_uid("u-1");
  event.set_event_id("4624");
  FillActor(event.mutable_actor());
  FillEndpoint(1, event.mutable_device());
  FillEndpoint(2, event.mutable_src());
  FillEndpoint(3, event.mutable_dst());
  event.mutable_dst()->set_ip(absl::StrCat(std::string(15, 0x20), std::string(1, 1)));
  event.set_protocol_num(17);
  event.set_app_protocol("dns");
  event.mutable_traffic()->set_bytes_in(1);
  event.mutable_traffic()->set_bytes_out(200);
  event.mutable_traffic()->set_packets_in(30'000);
  event.mutable_traffic()->set_packets_out(4'000'000'000'000);
  event.set_duration_ns(77);
  event.set_rule_uid("1:2019284");
  event.set_rule_name("ET ATTACK");
  FillRepeated(&event);
  event.set_raw("raw line");
  event.set_raw_commitment(std::string(32, 'c'));
  event.set_raw_size(8);
  event.set_url_or_query("example.org");
  event.mutable_file()->set_name("a.exe");
  event.mutable_file()->set_path("/tmp/a.exe");
  event.mutable_file()->set_sha256(std::string(32, 's'));
  event.mutable_file()->set_size(123'456);
  event.set_message("what happened");
  event.set_status_code("404");
  event.set_count(3);
  event.set_end_time_unix_nano(kTime + 5);
  event.set_tlp(3);
  event.set_mapping_id("own/1");
  return event;
}

std::vector<RecordBody> SampleBodies() {
  EventBatchBody batch = {"conn", 7, HashOf(1), 2, HashOf(2), HashOf(3), kTime, kTime + 100, 400};
  HeartbeatBody heartbeat = {"conn", 8, HashOf(4), kTime};
  GapBody gap = {"conn", 9, HashOf(5), 1000, kTime, kTime + 1, "spool full"};
  StreamResetBody reset = {"acme/fw-1", "conn", 9, "disk lost"};
  AlertBody alert;
  alert.event = {RecordIndex(300), ItemIndex(17)};
  alert.event_type = 1;
  alert.period = 3;
  alert.model_digest = HashOf(6);
  alert.score_q8 = 5000;
  alert.threshold_q8 = 3000;
  alert.component = 2;
  alert.reasons = {{4, 900}, {1, 300}, {0, 300}};
  alert.event_leaf = HashOf(7);
  alert.values_commitment = HashOf(8);
  AttestationBody attestation;
  attestation.attestations = {{RecordIndex(0), 1, 5000}, {RecordIndex(301), 2, 0}};
  ModelCommitmentBody model = {2,          3,    Height(4096), HashOf(9), 4096,
                               HashOf(10), 2500, 70'000,       2,         {{7, 400}, {3, 64}}};
  TriageBody triage;
  triage.alert_index = RecordIndex(301);
  triage.action = static_cast<uint32_t>(TriageAction::kAssign);
  triage.assignee = "acme/ann";
  triage.revision = 2;
  FaultProofBody fault = {RecordIndex(301), 1, 4100, 3000, 3};
  GenesisValidator validator;
  validator.name = "v1";
  validator.org = "acme";
  static const std::string* const kSet = new std::string(EncodeValidatorSet({validator}));
  ProposalBody proposal = {3, AsBytes(*kSet), "vigil.acme.test:7401", "v1 was broken into"};
  BallotBody ballot = {RecordIndex(305), 1};
  CosignerKeyBody cosigner_key;
  cosigner_key.epoch = 3;
  cosigner_key.number = 2;
  cosigner_key.cosigner_key = PublicKey(HashOf(11).bytes);
  cosigner_key.proof.bytes.fill(0x5a);
  return {batch, heartbeat, gap,      reset,  alert, attestation, model, triage,
          fault, proposal,  ballot, cosigner_key};
}

EventBatchBody BatchOf(const std::vector<std::string>& events, const std::string& payload) {
  EventBatchBody batch;
  batch.stream = "conn";
  batch.sequence = 1;
  batch.item_count = static_cast<uint32_t>(events.size());
  const absl::StatusOr<std::vector<ByteSpan>> spans = SplitPayload(AsBytes(payload));
  VIGIL_CHECK(spans.ok(), spans.status().message());
  batch.items_root = ItemsRoot(*spans);
  batch.first_time_unix_nano = ~uint64_t{0};
  for (const std::string& bytes : events) {
    v1::Event event;
    VIGIL_CHECK(event.ParseFromString(bytes));
    batch.first_time_unix_nano = std::min(batch.first_time_unix_nano, event.time_unix_nano());
    batch.last_time_unix_nano = std::max(batch.last_time_unix_nano, event.time_unix_nano());
  }
  batch.payload_bytes = static_cast<uint32_t>(payload.size());
  return batch;
}

Record BatchRecord(const Genesis& genesis, const std::vector<std::string>& events) {
  const std::string payload = EncodePayload(events);
  return {SignRecord(BatchOf(events, payload), genesis.chain_id, KeyNumber(100)), payload};
}

Record HeartbeatRecord(const Genesis& genesis) {
  HeartbeatBody body = {"alive", 1, Hash(), kTime};
  return {SignRecord(body, genesis.chain_id, KeyNumber(100)), ""};
}

BlockHeader FirstHeader(const Genesis& genesis) {
  BlockHeader header;
  header.chain_id = genesis.chain_id;
  header.view = View(1);
  header.height = Height(1);
  header.parent_hash = genesis.genesis_hash;
  header.state_digest = HashOf(0xD1);
  header.results_root = HashOf(0xD2);
  header.validator_set_hash = genesis.validator_set_hash;
  header.next_validator_set_hash = genesis.validator_set_hash;
  header.reveal = HashOf(0xD3);
  header.time_unix_millis = genesis.time_unix_millis + 1000;
  return header;
}

BlockPtr SampleBlock(const Genesis& genesis) {
  const Record batch = BatchRecord(
      genesis, {ConnectionEvent().SerializeAsString(), SmallestEvent().SerializeAsString()});
  const Record heartbeat = HeartbeatRecord(genesis);
  return Block::Make(FirstHeader(genesis), {&batch, &heartbeat}, KeyNumber(1));
}

uint64_t TestSeed(uint64_t fallback) {
  const char* const given = std::getenv("VIGIL_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : fallback;
  std::cout << "VIGIL_TEST_SEED=" << seed << "\n";
  return seed;
}

}  // namespace vigil::ledger::samples
