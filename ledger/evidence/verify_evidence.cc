#include "ledger/evidence/verify_evidence.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/scanner.h"
#include "ledger/chain/tags.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/extra.h"

namespace vigil::ledger {
namespace {

using Outcome = std::optional<Refusal>;

// As in detector/model (docs/formats/detector_model.md), which evidence does not need otherwise.
constexpr absl::string_view kModelTag("vigil/detector/model/v1", sizeof("vigil/detector/model/v1"));

template <typename... Parts>
Refusal Refuse(ProofVerdict verdict, const Parts&... parts) {
  return {verdict, absl::StrCat(parts...)};
}

// A policy calls its witnesses what it likes; the name on their signature lines is their keys'.
absl::string_view KeyNameOf(const Policy& policy, const ProvenWitness& proven) {
  const auto at = std::ranges::find(policy.witnesses, proven.name, &PolicyWitness::name);
  return at == policy.witnesses.end() ? absl::string_view() : absl::string_view(at->key.name);
}

// Organisation and identity of each validator that genesis names.
std::vector<std::pair<std::string, std::string>> NamesOf(const Genesis& genesis) {
  std::vector<std::pair<std::string, std::string>> names;
  for (const GenesisValidator& validator : genesis.validators)
    names.emplace_back(validator.org, validator.identity());
  return names;
}

// The same of a later epoch, whose policy calls its validators by their identities.
std::vector<std::pair<std::string, std::string>> NamesOf(const Policy& policy,
                                                         absl::string_view origin) {
  std::vector<std::pair<std::string, std::string>> names;
  for (const PolicyWitness& witness : policy.witnesses) {
    if (!EpochOfCosigner(origin, witness.key.name).has_value()) continue;
    names.emplace_back(witness.name.substr(0, witness.name.find('/')), witness.name);
  }
  return names;
}

// The genesis file is whose hash the origin ends with; what it says of the validators is as good as
// the policy, which trusts that origin.
Outcome ReadGenesis(const PolicyChain& policies, const Evidence& evidence, EvidenceReport* report) {
  if (evidence.genesis.empty()) return std::nullopt;
  const absl::StatusOr<Genesis> genesis = ParseGenesis(evidence.genesis);
  if (!genesis.ok()) {
    return Refuse(ProofVerdict::kMalformed, "the genesis file in it: ", genesis.status().message());
  }
  const absl::string_view origin = report->head->checkpoint.origin;
  const Policy& policy = PolicyOfHead(policies, *report->head);
  if (!absl::EndsWith(origin, absl::StrCat("/", genesis->genesis_hash.ToHex()))) {
    return Refuse(ProofVerdict::kNotIncluded, "the genesis file in it has the hash ",
                  genesis->genesis_hash.ToHex(), ", the log is ", origin);
  }
  const PolicyEpoch* const epoch = policies.Find(report->head->epoch);
  const bool later = epoch != nullptr && epoch->number > 1;
  for (const auto& [org, identity] : later ? NamesOf(policy, origin) : NamesOf(*genesis)) {
    NamedValidator named{.identity = identity, .organisation = org};
    for (const GenesisOrganisation& organisation : genesis->organisations) {
      if (organisation.id == org && !organisation.name.empty())
        named.organisation = organisation.name;
    }
    const std::string prefix = absl::StrCat(origin, "/v/", identity, "/");
    named.cosigned =
        std::ranges::any_of(report->head->witnesses, [&](const ProvenWitness& witness) {
          return absl::StartsWith(KeyNameOf(policy, witness), prefix);
        });
    report->validators.push_back(std::move(named));
  }
  return std::nullopt;
}

// What `events` show of a batch that has been proven.
Outcome CheckEvents(const EvidencePart& part, ShownRecord* record) {
  if (part.events.empty()) return std::nullopt;
  const RecordView view = record->Body();
  const auto* batch = std::get_if<EventBatchBody>(&view.body);
  if (batch == nullptr) {
    return Refuse(ProofVerdict::kMalformed, "events of record ", record->index().value(),
                  ", which is of kind ", KindOf(view.kind).name);
  }
  const bool all = part.events.size() == batch->item_count;
  std::vector<Hash> leaves;
  for (const EvidenceEvent& event : part.events) {
    const EventRef ref{.record_index = record->index(), .item = event.item};
    const Hash leaf = LeafHash(AsBytes(event.bytes));
    if (all && !event.path.empty())
      return Refuse(ProofVerdict::kMalformed, "a path that nothing needs");
    if (!all &&
        !VerifyInclusion(event.item.value(), batch->item_count, leaf, event.path, batch->items_root)
             .ok()) {
      return Refuse(ProofVerdict::kPayloadMismatch, "event ", ref.record_index.value(), ".",
                    ref.item.value(), " is not what the batch commits to");
    }
    EventView fields;
    const absl::Status scanned = ScanEvent(AsBytes(event.bytes), &fields);
    if (!scanned.ok()) return Refuse(ProofVerdict::kMalformed, scanned.message());
    leaves.push_back(leaf);
    record->events.push_back({.ref = ref, .leaf_hash = leaf, .bytes = event.bytes});
  }
  if (!all || MerkleRoot(leaves) == batch->items_root) return std::nullopt;
  record->events.clear();
  return Refuse(ProofVerdict::kPayloadMismatch, "the events of record ", record->index().value(),
                " are not those that the batch commits to");
}

// Whether everything is proven of a record, and that the chain did not accept it; of evidence of
// another record's alert, which may show whole blocks. Nothing in it is shown.
bool IsRejected(const EvidenceQuestion& question, const EvidencePart& part,
                const ProofReport& report) {
  return question.subject == EvidenceSubject::kAlert && part.events.empty() &&
         report.result.has_value() && report.result->code != ResultCode::kOk &&
         report.verdict == ProofVerdict::kNotIncluded && report.record->index != question.alert;
}

Outcome CheckPart(const PolicyChain& policies, const CheckedHead& head, const Evidence& evidence,
                  const EvidencePart& part, EvidenceReport* report) {
  const std::string file = WholeProof(evidence, part);
  ShownRecord record;
  record.report = VerifyProof(policies, head, file);
  const bool rejected = IsRejected(evidence.question, part, record.report);
  if (!IsVerified(record.report.verdict) && !rejected)
    return Refusal{record.report.verdict, record.report.reason};
  if (record.report.subject != ProofSubject::kRecord)
    return Refuse(ProofVerdict::kMalformed, "a proof that is not one of a record");
  for (const std::vector<ShownRecord>* before : {&report->records, &report->rejected}) {
    if (!before->empty() && record.index() <= before->back().index())
      return Refuse(ProofVerdict::kMalformed, "record ", record.index().value(), " out of order");
  }
  record.leaf = DecodeProofExtra(AsBytes(DecodeTlogProof(file)->extra))->leaf;
  if (rejected) {
    report->rejected.push_back(std::move(record));
    return std::nullopt;
  }
  Outcome refusal = CheckEvents(part, &record);
  if (!refusal.has_value()) report->records.push_back(std::move(record));
  return refusal;
}

// Whether the model is the one that the alert names and a quorum committed; of a rule's alert the
// file of the rules that it names, which the chain takes only if its event was held against them.
Outcome CheckModel(EvidenceReport* report) {
  if (report->model.empty()) return std::nullopt;
  const bool is_rule = report->alert->component == kRuleComponent;
  const Hash& wanted = is_rule ? report->alert->rules_digest : report->alert->model_digest;
  const Hash digest = Sha256({AsBytes(is_rule ? kRulesTag : kModelTag), AsBytes(report->model)});
  if (digest == wanted) return std::nullopt;
  report->wrong_model = true;
  return Refuse(ProofVerdict::kPayloadMismatch, is_rule ? "the rule file" : "the model",
                " in it has the digest ", digest.ToHex(), ", the alert rests on ", wanted.ToHex());
}

// Whether the file answers its question.
Outcome CheckQuestion(EvidenceReport* report) {
  const EvidenceQuestion& question = *report->question;
  if (question.subject == EvidenceSubject::kAlert) {
    AlertCase found;
    Outcome refusal = ReadAlertCase(report->records, question.alert, &found);
    const bool read = !refusal.has_value() || refusal->verdict != ProofVerdict::kNotIncluded;
    if (read) report->alert = std::move(found);
    return refusal.has_value() ? refusal : CheckModel(report);
  }
  if (!report->model.empty()) {
    return Refuse(ProofVerdict::kMalformed, "a model in evidence that is not of an alert");
  }
  if (question.subject == EvidenceSubject::kSpan) {
    // Batches are shown whole and streams without holes, so other times are there too; a file of
    // nothing else would pass off other events as those of the span.
    if (report->events_in_span() == 0)
      return Refuse(ProofVerdict::kNotIncluded, "no event of the span is in the file");
    return std::nullopt;
  }
  const EventRef& ref = question.event;
  const ShownRecord* const batch = FindShown(report->records, ref.record_index);
  if (batch == nullptr) {
    return Refuse(ProofVerdict::kNotIncluded, "record ", ref.record_index.value(),
                  " is not in the file");
  }
  if (std::ranges::find(batch->events, ref, &ShownEvent::ref) != batch->events.end())
    return std::nullopt;
  return Refuse(ProofVerdict::kPayloadMissing, "event ", ref.record_index.value(), ".",
                ref.item.value(), " is not shown, its batch is");
}

// Everything below the epochs.
Outcome VerifyUnder(const PolicyChain& policies, const Evidence& evidence, EvidenceReport* report) {
  CheckedHead head{.note = std::string(evidence.checkpoint), .head = {}};
  Outcome refusal = CheckHead(policies, head.note, &head.head);
  if (refusal.has_value()) return refusal;
  report->head = head.head;
  refusal = ReadGenesis(policies, evidence, report);
  if (refusal.has_value()) return refusal;
  for (size_t i = 0; i < evidence.parts.size(); ++i) {
    refusal = CheckPart(policies, head, evidence, evidence.parts[i], report);
    if (refusal.has_value()) {
      refusal->reason = absl::StrCat("part ", i, ": ", refusal->reason);
      return refusal;
    }
  }
  report->streams = ReadStreamCases(report->records);
  return CheckQuestion(report);
}

Outcome Verify(const PolicyChain& policies, absl::string_view bytes, EvidenceReport* report) {
  const absl::StatusOr<Evidence> evidence = DecodeEvidence(bytes);
  if (!evidence.ok()) {
    return Refuse(ProofVerdict::kMalformed, evidence.status().message(), ". Get the file anew");
  }
  report->question = evidence->question;
  report->model = evidence->model;
  if (evidence->epochs.empty() || !policies.is_alone()) {
    return VerifyUnder(policies, *evidence, report);
  }
  const absl::StatusOr<PolicyChain> walked =
      PolicyChain::Walk(policies.newest(), AsBytes(evidence->epochs));
  if (walked.ok()) return VerifyUnder(*walked, *evidence, report);
  return Refuse(EpochChainVerdict(walked.status()), walked.status().message());
}

}  // namespace

EventView ShownEvent::Fields() const {
  EventView fields;
  const absl::Status status = ScanEvent(AsBytes(bytes), &fields);
  VIGIL_CHECK(status.ok(), status.message());
  return fields;
}

RecordView ShownRecord::Body() const {
  absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(leaf));
  VIGIL_CHECK(view.ok(), view.status().message());
  return *std::move(view);
}

const ShownRecord* FindShown(const std::vector<ShownRecord>& records, RecordIndex index) {
  const auto at =
      std::ranges::lower_bound(records, index, {}, [](const ShownRecord& r) { return r.index(); });
  return at != records.end() && at->index() == index ? &*at : nullptr;
}

uint64_t EvidenceReport::events_shown() const {
  uint64_t count = 0;
  for (const ShownRecord& record : records) count += record.events.size();
  return count;
}

uint64_t EvidenceReport::events_in_span() const {
  uint64_t count = 0;
  for (const ShownRecord& record : records) {
    count += std::ranges::count_if(record.events, [this](const ShownEvent& event) {
      const uint64_t time = event.Fields().time_unix_nano;
      return time >= question->from_unix_nano && time < question->to_unix_nano;
    });
  }
  return count;
}

EvidenceReport VerifyEvidence(const PolicyChain& policies, absl::string_view file_bytes) {
  EvidenceReport report;
  Outcome refusal = Verify(policies, file_bytes, &report);
  report.verdict = refusal.has_value() ? refusal->verdict : ProofVerdict::kVerified;
  if (refusal.has_value()) report.reason = std::move(refusal->reason);
  return report;
}

}  // namespace vigil::ledger
