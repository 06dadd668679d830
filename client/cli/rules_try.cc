// `vigil admin rules try`: a rule file on the chain's own history.
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/listing.h"
#include "client/cli/output.h"
#include "client/cli/rules_commands.h"
#include "client/cli/rules_file.h"
#include "client/cli/rules_trial.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/kinds.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/scanner.h"
#include "ledger/crypto/sha256_bytes.h"

namespace vigil::client {
namespace {

constexpr uint32_t kPage = 1'000;

absl::StatusOr<detector::RuleSet> Parse(const std::string& file) {
  std::string problem;
  std::optional<detector::RuleSet> rules =
      detector::ParseRules(std::string_view(file), &ledger::Sha256Bytes, &problem);
  if (rules.has_value()) return *std::move(rules);
  return absl::FailedPreconditionError(
      absl::StrCat("the rules that are active are none of this version's: ", problem));
}

// Reads blocks of one validator into a trial.
class Reader {
 public:
  Reader(Client* client, RulesTrial* trial) : client_(client), trial_(trial) {}

  absl::Status Read(const v1::Block& summary) {
    if (summary.event_count() == 0) return absl::OkStatus();
    v1::GetBlockRequest request;
    request.set_height(summary.height());
    ASSIGN_OR_RETURN(const v1::Block block, client_->GetBlock(request));
    trial_->BeginBlock(Height(block.height()), static_cast<uint64_t>(block.time_unix_millis()));
    for (const v1::RecordSummary& record : block.records()) {
      const bool counts = record.kind() == static_cast<uint32_t>(ledger::RecordKind::kEventBatch) &&
                          record.result() == v1::RESULT_OK;
      if (counts) RETURN_IF_ERROR(ReadBatch(record));
    }
    trial_->EndBlock();
    return absl::OkStatus();
  }
  uint64_t missing() const { return missing_; }

 private:
  absl::Status ReadBatch(const v1::RecordSummary& summary) {
    v1::GetRecordRequest request;
    request.set_record_index(summary.record_index());
    ASSIGN_OR_RETURN(const v1::Record record, client_->GetRecord(request));
    if (record.payload().empty()) {
      missing_ += summary.item_count();
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> events,
                     ledger::SplitPayload(AsBytes(record.payload())));
    for (uint32_t item = 0; item < events.size(); ++item) {
      EventView view;
      RETURN_IF_ERROR(ledger::ScanEvent(events[item], &view));
      trial_->OnEvent(view, RecordIndex(summary.record_index()), ItemIndex(item));
    }
    return absl::OkStatus();
  }

  Client* const client_;
  RulesTrial* const trial_;
  uint64_t missing_ = 0;
};

std::string CountText(const std::optional<RulesTrial::Count>& count) {
  return count.has_value() ? absl::StrCat(count->matches) : "-";
}

std::string ExampleOf(const std::optional<RulesTrial::Count>& count) {
  if (!count.has_value() || count->matches == 0) return "-";
  return absl::StrCat(count->record.value(), ".", count->item.value());
}

void Print(const Session& session, const RulesTrial& trial, Height from, Height to,
           uint64_t missing) {
  if (session.format == OutputFormat::kTable) {
    *session.out << trial.events() << " events of heights " << from.value() << " to " << to.value();
    if (missing != 0) *session.out << "; of " << missing << " more this validator keeps no bytes";
    *session.out << '\n';
  }
  Listing listing(session, "rules",
                  {"RULE", "NAME", "TECHNIQUE", "MATCHES", "OF ACTIVE RULES", "LAST EVENT"});
  listing.Set("events", Number(trial.events()));
  listing.Set("missing_events", Number(missing));
  listing.Set("from_height", Number(from.value()));
  listing.Set("to_height", Number(to.value()));
  std::set<uint32_t> numbers;
  for (const detector::Rule& rule : trial.present().rules) numbers.insert(rule.number);
  for (const detector::Rule& rule : trial.proposed().rules) numbers.insert(rule.number);
  for (const uint32_t number : numbers) {
    const detector::Rule* rule = trial.proposed().Find(number);
    if (rule == nullptr) rule = trial.present().Find(number);
    const auto proposed = trial.ProposedOf(number);
    const auto present = trial.PresentOf(number);
    Json json;
    json["rule"] = number;
    json["name"] = rule->name;
    json["technique"] = rule->technique;
    if (proposed.has_value()) json["matches"] = Number(proposed->matches);
    if (present.has_value()) json["matches_of_active"] = Number(present->matches);
    json["last_event"] = ExampleOf(proposed.has_value() ? proposed : present);
    listing.Add({absl::StrCat(number), rule->name, rule->technique, CountText(proposed),
                 CountText(present), ExampleOf(proposed.has_value() ? proposed : present)},
                std::move(json));
  }
  listing.Finish("");
}

}  // namespace

absl::Status RunRulesTry(const Session& session, const RulesTryOptions& options) {
  ASSIGN_OR_RETURN(const std::string file, ReadRuleFile(options.file));
  ASSIGN_OR_RETURN(detector::RuleSet proposed, Parse(file));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Rules active, FetchRules(client.get(), ""));
  ASSIGN_OR_RETURN(detector::RuleSet present, Parse(active.file()));
  ASSIGN_OR_RETURN(const v1::Status status, client->GetStatus());
  const Height to(status.executed_height());
  if (to == Height(0)) return absl::FailedPreconditionError("the chain has no block yet");
  const Height from(to.value() - std::min(to.value(), options.blocks) + 1);
  RulesTrial trial(std::move(present), std::move(proposed));
  Reader reader(client.get(), &trial);
  v1::ListBlocksRequest request;
  request.set_ascending(true);
  request.set_limit(kPage);
  request.set_from_height(from.value());
  request.set_to_height(to.value());
  do {
    ASSIGN_OR_RETURN(const v1::ListBlocksResponse page, client->ListBlocks(request));
    for (const v1::Block& block : page.blocks()) RETURN_IF_ERROR(reader.Read(block));
    request.set_from_height(page.next_height());
  } while (request.from_height() != 0 && request.from_height() <= to.value());
  Print(session, trial, from, to, reader.missing());
  return absl::OkStatus();
}

}  // namespace vigil::client
