#include "tests/client/alert/rule_sample.h"

#include "absl/strings/str_cat.h"
#include "ledger/state/rules.h"
#include "vigil/v1/event.pb.h"

namespace vigil::client {
namespace {

constexpr char kStream[] = "logons";
constexpr char kSensor[] = "globex/ids-1";

std::string EventBytes(const Logon& logon, uint64_t salt, uint64_t millis) {
  v1::Event event;
  event.set_schema(1);
  std::string bytes;
  ByteWriter(&bytes).U64(salt).U64(~salt);
  event.set_salt(bytes);
  event.set_time_unix_nano(millis * 1'000'000);
  event.set_type_uid(300201);
  event.set_status_id(logon.status);
  event.set_source("sshd");
  if (!logon.user.empty()) event.mutable_actor()->set_user(logon.user);
  event.mutable_device()->set_hostname(logon.host);
  const char ip[] = {static_cast<char>(203), 0, 113, static_cast<char>(logon.source)};
  if (logon.source != 0) event.mutable_src()->set_ip(std::string(ip, sizeof(ip)));
  return event.SerializeAsString();
}

}  // namespace

std::string SampleRules() {
  return R"(vigil-rules 1
version 1
rule 1 failed-logons
  title One source fails to log on again and again
  technique T1110
  score 14
  entity source
  when type auth
  when status failure
  at-least logon_failures 3 in 2s
  quiet 5s
rule 2 new-host
  title A source reaches a host that it never reached
  technique T1021
  score 8
  entity source
  when type auth
  when status success
  at-least new_peer_seconds 1
  quiet 5s
rule 3 account
  title Logons to one account fail
  technique T1110
  score 9
  entity user
  when status failure
  at-least logon_failures 1000 in 2s
  quiet 5s
)";
}

RecordIndex RuleSample::Add(const std::vector<Logon>& logons,
                            const std::vector<ledger::Record>& others) {
  const uint64_t millis = chain_.chain().reader().GetTip()->time_unix_millis + 1000;
  std::vector<std::string> events;
  std::vector<ByteSpan> spans;
  for (const Logon& logon : logons) {
    events.push_back(EventBytes(logon, ++salt_, millis - logon.millis_before));
  }
  for (const std::string& event : events) spans.push_back(AsBytes(event));
  ledger::Record record;
  record.payload = ledger::EncodePayload(events);
  ledger::EventBatchBody body;
  body.stream = kStream;
  body.sequence = ++sequence_;
  body.previous = previous_;
  body.item_count = static_cast<uint32_t>(events.size());
  body.items_root = ledger::ItemsRoot(spans);
  body.first_time_unix_nano = 1;
  body.last_time_unix_nano = millis * 1'000'000;
  body.payload_bytes = static_cast<uint32_t>(record.payload.size());
  record.leaf = chain_.network().Sign(body, kSensor).leaf;
  previous_ = ledger::LeafHash(AsBytes(record.leaf));
  std::vector<ledger::Record> records = others;
  records.push_back(record);
  const RecordIndex index(chain_.leaves().size() + others.size());
  chain_.Commit(records);
  return index;
}

void RuleSample::Pass(int blocks) {
  for (int i = 0; i < blocks; ++i) chain_.Commit({});
}

ledger::Record RuleSample::Refused() {
  ledger::HeartbeatBody body;
  body.stream = kStream;
  body.sequence = sequence_ + 7;
  body.previous = ledger::TestHash(0x44);
  body.time_unix_nano = 1;
  return chain_.network().Sign(body, kSensor);
}

RecordIndex RuleSample::ProposeRules(const std::string& file, const Hash& replaced) {
  ledger::ProposalBody body;
  body.epoch = 1;
  body.reason = "other rules";
  body.rules = file;
  body.replaced_rules = replaced;
  return chain_.CommitBody(body, "acme/root");
}

RecordIndex RuleSample::ApproveRules(RecordIndex proposal) {
  const RecordIndex ballot =
      chain_.CommitBody(ledger::BallotBody{.proposal_index = proposal, .choice = 1}, "globex/root");
  VIGIL_CHECK(ledger::NewestRulesNumber(chain_.chain().reader().state()).value() > 0,
              "the chain took the rules");
  return ballot;
}

ledger::AlertBody RuleSample::Claim(RecordIndex batch, uint32_t item, uint64_t observed,
                                    uint32_t rule) const {
  const std::string payload = chain_.Payload(batch).value();
  const ledger::Genesis& genesis = chain_.network().genesis();
  ledger::AlertBody body;
  body.event = {.record_index = batch, .item = ItemIndex(item)};
  body.event_type = 2;
  body.model_digest = ledger::RuleDigestOf(genesis.rules_digest, rule);
  body.score_q8 = body.threshold_q8 = (rule == 1 ? 14 : 8) * 256;
  body.component = ledger::kRuleComponent;
  body.event_leaf = ledger::LeafHash(ledger::SplitPayload(AsBytes(payload)).value()[item]);
  body.rule = rule;
  body.rules_digest = genesis.rules_digest;
  body.entity_kind = 1;
  body.observed = observed;
  return body;
}

std::string RuleSample::File(RecordIndex alert, const ledger::EventRef& event, const Shown& shown) {
  Pass(4);  // Results lie under a later seal.
  std::set<RecordIndex> records = {event.record_index, alert};
  const Height last = HeightOf(event.record_index);
  for (Height height = shown.from; height <= last; height = height.Next()) {
    const auto block = chain_.BlockAt(height).value();
    for (uint32_t i = 0; i < block.record_count; ++i) records.insert(block.first + i);
  }
  records.insert(shown.others.begin(), shown.others.end());
  for (const RecordIndex out : shown.left_out) records.erase(out);
  ledger::EvidenceQuestion question;
  question.subject = ledger::EvidenceSubject::kAlert;
  question.alert = alert;
  ledger::EvidenceWriter writer(question, chain_.Head(), "");
  for (const RecordIndex record : records) {
    const std::string proof = ledger::BuildRecordProof(chain_, chain_.Head(), record).value();
    VIGIL_CHECK(writer.AddRecord(record, proof).ok(), "a proof");
    const std::string payload = chain_.Payload(record).value();
    const bool refused = chain_.chain()
                             .reader()
                             .GetResults(chain_.BlockOf(record)->height)
                             .value()
                             .at(record - chain_.BlockOf(record)->first)
                             .code != ledger::ResultCode::kOk;
    if (payload.empty() || refused || shown.without.contains(record)) continue;
    std::set<uint32_t> items;
    const size_t count = ledger::SplitPayload(AsBytes(payload)).value().size();
    for (uint32_t item = 0; item < count; ++item) items.insert(item);
    VIGIL_CHECK(writer.AddEvents(record, AsBytes(payload), items).ok(), "events");
  }
  if (!shown.rules.empty()) VIGIL_CHECK(writer.AddModel(shown.rules).ok(), "a rule file");
  return writer.Finish();
}

}  // namespace vigil::client
