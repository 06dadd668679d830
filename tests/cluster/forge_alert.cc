// forge_alert CONTEXT GENESIS RECORD_KEY EVENT [RULE]: what a validator whose detector lies would
// put on the chain: an alert over an event, "record.item", with the active model and a score that
// it does not have, or of an active rule that observed far more than there is; signed with the
// validator's own key. Prints the record index.
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/genesis_file.h"
#include "client/cli/session.h"
#include "detector/rules/rule_set.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/record.h"
#include "ledger/chain/scanner.h"
#include "ledger/crypto/sha256_bytes.h"
#include "ledger/log/merkle.h"

namespace vigil::cluster {
namespace {

absl::StatusOr<v1::Model> ActiveFlowModel(client::Client* client) {
  v1::ListModelsRequest request;
  request.set_limit(100);
  ASSIGN_OR_RETURN(const v1::ListModelsResponse response, client->ListModels(request));
  for (const v1::Model& model : response.models()) {
    if (model.active() && model.event_type() == 1) return model;
  }
  return absl::NotFoundError("no model of flows is active");
}

absl::Status CiteModel(client::Client* client, ledger::AlertBody* body) {
  ASSIGN_OR_RETURN(const v1::Model model, ActiveFlowModel(client));
  body->event_type = model.event_type();
  body->period = model.period();
  ASSIGN_OR_RETURN(body->model_digest, Hash::From(AsBytes(model.digest())));
  body->threshold_q8 = model.threshold_q8();
  body->score_q8 = model.threshold_q8() + 4000;
  body->component = 1;
  body->reasons = {{.feature = 0, .bits_q8 = 4000}};
  return absl::OkStatus();
}

absl::Status CiteRule(client::Client* client, ByteSpan event, uint32_t number,
                      ledger::AlertBody* body) {
  ASSIGN_OR_RETURN(const v1::Rules rules, client->GetRules({}));
  std::string problem;
  const auto parsed =
      detector::ParseRules(std::string_view(rules.file()), &ledger::Sha256Bytes, &problem);
  const detector::Rule* const rule = parsed.has_value() ? parsed->Find(number) : nullptr;
  if (rule == nullptr) return absl::NotFoundError(absl::StrCat("no rule ", number, problem));
  EventView view;
  RETURN_IF_ERROR(ledger::ScanEvent(event, &view));
  body->event_type = static_cast<uint32_t>(detector::TypeOf(view));
  ASSIGN_OR_RETURN(body->rules_digest, Hash::From(AsBytes(rules.rules().digest())));
  body->model_digest = ledger::RuleDigestOf(body->rules_digest, number);
  body->score_q8 = body->threshold_q8 = rule->score_q8;
  body->component = ledger::kRuleComponent;
  body->rule = number;
  body->entity_kind = static_cast<uint32_t>(rule->entity);
  body->observed = rule->conditions.front().at_least + 1'000'000;
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Forge(const std::vector<std::string>& words) {
  client::SessionOptions options;
  options.context = words[0];
  ASSIGN_OR_RETURN(const client::Session session, client::OpenSession(options));
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, client::LoadGenesis(words[1]));
  ASSIGN_OR_RETURN(const ledger::SigningKey key, ledger::SigningKey::Load(words[2]));
  const std::vector<std::string> ref = absl::StrSplit(words[3], '.');
  uint64_t record = 0;
  uint32_t item = 0;
  if (ref.size() != 2 || !absl::SimpleAtoi(ref[0], &record) || !absl::SimpleAtoi(ref[1], &item)) {
    return absl::InvalidArgumentError("record.item");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<client::Client> client, session.Connect());
  v1::GetRecordRequest request;
  request.set_record_index(record);
  ASSIGN_OR_RETURN(const v1::Record batch, client->GetRecord(request));
  ASSIGN_OR_RETURN(const std::vector<ByteSpan> events,
                   ledger::SplitPayload(AsBytes(batch.payload())));
  ledger::AlertBody body;
  body.event = {.record_index = RecordIndex(record), .item = ItemIndex(item)};
  uint32_t rule = 0;
  if (words.size() > 4 && !absl::SimpleAtoi(words[4], &rule)) {
    return absl::InvalidArgumentError("the number of a rule");
  }
  RETURN_IF_ERROR(rule == 0 ? CiteModel(client.get(), &body)
                            : CiteRule(client.get(), events.at(item), rule, &body));
  body.event_leaf = ledger::LeafHash(events.at(item));
  v1::SubmitRequest submit;
  submit.set_leaf(ledger::SignRecord(body, genesis.chain_id, key));
  submit.set_ack(v1::ACK_COMMITTED);
  ASSIGN_OR_RETURN(const v1::SubmitResponse response, client->Submit(submit));
  if (response.receipt().result() != v1::RESULT_OK) {
    return absl::FailedPreconditionError(
        absl::StrCat("the chain answered ", static_cast<int>(response.receipt().result())));
  }
  return response.receipt().record_index();
}

}  // namespace
}  // namespace vigil::cluster

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    std::cerr << "forge_alert CONTEXT GENESIS RECORD_KEY EVENT [RULE]\n";
    return 2;
  }
  const absl::StatusOr<uint64_t> index =
      vigil::cluster::Forge(std::vector<std::string>(argv + 1, argv + argc));
  if (!index.ok()) {
    std::cerr << index.status().message() << '\n';
    return 1;
  }
  std::cout << *index << '\n';
  return 0;
}
