#include "client/cli/evidence_collector.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/record.h"
#include "ledger/chain/scanner.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/policy_chain.h"

namespace vigil::client {
namespace {

// Blocks below a model's activation that are searched for commitments to it.
constexpr uint64_t kCommitmentBlocksMax = 10'000;
constexpr uint32_t kPage = 1'000;

}  // namespace

absl::StatusOr<v1::Record> EvidenceCollector::Fetch(uint64_t record) const {
  v1::GetRecordRequest request;
  request.set_record_index(record);
  return client_->GetRecord(request);
}

absl::Status EvidenceCollector::WantEvent(uint64_t record, uint32_t item) {
  wanted_[record].items.insert(item);
  return absl::OkStatus();
}

absl::Status EvidenceCollector::WantAlert(uint64_t record) {
  v1::GetAlertRequest request;
  request.set_record_index(record);
  ASSIGN_OR_RETURN(const v1::Alert alert, client_->GetAlert(request));
  wanted_[record];
  wanted_[alert.event().record_index()].items.insert(alert.event().item());
  for (const v1::AlertVerdict& verdict : alert.verdicts()) wanted_[verdict.record_index()];
  for (const v1::Fault& fault : alert.faults()) wanted_[fault.record_index()];
  if (alert.component() == ledger::kRuleComponent) return WantRule(alert);
  v1::GetModelFileRequest model_request;
  model_request.set_digest(alert.model_digest());
  absl::StatusOr<v1::ModelFile> model = client_->GetModelFile(model_request);
  if (model.ok()) {
    model_ = std::move(*model->mutable_file());
  } else {
    note_ =
        absl::StrCat("without the model, so that the alert cannot be recomputed from the file: ",
                     model.status().message());
  }
  return WantCommitments(alert);
}

absl::Status EvidenceCollector::WantRule(const v1::Alert& alert) {
  ASSIGN_OR_RETURN(const v1::Record record, Fetch(alert.record_index()));
  ASSIGN_OR_RETURN(const ledger::RecordView view, ledger::DecodeRecord(AsBytes(record.leaf())));
  const auto* body = std::get_if<ledger::AlertBody>(&view.body);
  if (body == nullptr) return absl::DataLossError("the validator gave another record than asked");
  v1::GetModelFileRequest rules_request;
  rules_request.set_digest(std::string(body->rules_digest.view()));
  absl::StatusOr<v1::ModelFile> rules = client_->GetModelFile(rules_request);
  if (!rules.ok()) {
    note_ = absl::StrCat("without the rule file, so that the alert cannot be recomputed: ",
                         rules.status().message());
    return absl::OkStatus();
  }
  model_ = std::move(*rules->mutable_file());
  RETURN_IF_ERROR(WantActivation(alert, body->rules_digest));
  const std::optional<RuleNeed> need = NeedOfRule(model_, body->rule);
  return need.has_value() ? WantBlocksBefore(alert, *need) : absl::OkStatus();
}

// Who made these rules the network's: the proposal with the file, and the ballots for it.
absl::Status EvidenceCollector::WantActivation(const v1::Alert& alert, const Hash& rules_digest) {
  v1::GetRulesRequest rules_request;
  rules_request.set_digest(std::string(rules_digest.view()));
  ASSIGN_OR_RETURN(const v1::Rules rules, client_->GetRules(rules_request));
  for (const v1::RulesBegun& begun : rules.history()) {
    if (begun.from_height() > alert.event().height()) continue;
    if (!begun.has_proposal_index()) return absl::OkStatus();
    v1::ListProposalsRequest request;
    request.set_proposal_index(begun.proposal_index());
    ASSIGN_OR_RETURN(const v1::ListProposalsResponse answer, client_->ListProposals(request));
    wanted_[begun.proposal_index()];
    for (const v1::Proposal& proposal : answer.proposals()) {
      for (const v1::Ballot& ballot : proposal.ballots()) wanted_[ballot.record_index()];
    }
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

// Downwards from the event's block, until one is old enough for everything about the rule to be
// told. Empty ones have nothing to show; what they do not hold follows from the others' places.
absl::Status EvidenceCollector::WantBlocksBefore(const v1::Alert& alert, const RuleNeed& need) {
  const v1::StoredEvent& event = alert.event();
  if (event.event().empty()) return absl::OkStatus();  // Pruned: nothing can be recomputed.
  EventView fields;
  RETURN_IF_ERROR(ledger::ScanEvent(AsBytes(event.event()), &fields));
  uint64_t records = 0;
  uint64_t bytes = 0;
  std::optional<uint64_t> event_millis;  // As entities see it: never later than its block.
  for (uint64_t height = event.height(); height > 0; --height) {
    v1::GetBlockRequest request;
    request.set_height(height);
    ASSIGN_OR_RETURN(const v1::Block block, client_->GetBlock(request));
    const auto millis = static_cast<uint64_t>(block.time_unix_millis());
    if (!event_millis.has_value()) {
      event_millis = std::min(fields.time_unix_nano / 1'000'000, millis);
    }
    records += block.record_count();
    bytes += block.bytes();
    const bool is_first = height == event.height();
    if (!is_first && (records > kRuleSpanRecordsMax || bytes > kRuleSpanBytesMax ||
                      event.height() - height > kRuleSpanBlocksMax)) {
      note_ = absl::StrCat("blocks below height ", height + 1,
                           " are left out: too many for one file; what takes them stays open");
      break;
    }
    for (const v1::RecordSummary& summary : block.records()) {
      if (summary.record_index() <= event.record_index())
        wanted_[summary.record_index()].whole = true;
    }
    const bool reaches = need.everything.has_value() && millis + *need.everything <= *event_millis;
    if (reaches && block.record_count() > 0) break;
  }
  return absl::OkStatus();
}

// From the block whose commitment made the model active downwards, to where its window closed.
absl::Status EvidenceCollector::WantCommitments(const v1::Alert& alert) {
  v1::ListModelsRequest request;
  request.set_limit(kPage);
  ASSIGN_OR_RETURN(const v1::ListModelsResponse models, client_->ListModels(request));
  const auto model = std::ranges::find_if(models.models(), [&](const v1::Model& candidate) {
    return candidate.event_type() == alert.event_type() && candidate.period() == alert.period() &&
           candidate.digest() == alert.model_digest();
  });
  if (model == models.models().end() || model->active_from_height() == 0) {
    return absl::NotFoundError(absl::StrCat("the model of alert ", alert.record_index(),
                                            " is not among the ", models.models_size(),
                                            " newest that the validator lists"));
  }
  uint64_t height = model->active_from_height();
  const uint64_t least =
      std::max({model->window_end(), height - std::min(height, kCommitmentBlocksMax), uint64_t{1}});
  uint32_t left = static_cast<uint32_t>(model->committed_by_size());
  for (; height >= least && left > 0; --height) {
    v1::GetBlockRequest block_request;
    block_request.set_height(height);
    ASSIGN_OR_RETURN(const v1::Block block, client_->GetBlock(block_request));
    ASSIGN_OR_RETURN(const uint32_t found, WantCommitmentsOf(block, alert));
    left -= std::min(left, found);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> EvidenceCollector::WantCommitmentsOf(const v1::Block& block,
                                                              const v1::Alert& alert) {
  uint32_t found = 0;
  for (const v1::RecordSummary& summary : block.records()) {
    if (summary.kind() != static_cast<uint32_t>(ledger::RecordKind::kModelCommitment) ||
        summary.result() != v1::RESULT_OK) {
      continue;
    }
    ASSIGN_OR_RETURN(const v1::Record record, Fetch(summary.record_index()));
    ASSIGN_OR_RETURN(const ledger::RecordView view, ledger::DecodeRecord(AsBytes(record.leaf())));
    const auto* body = std::get_if<ledger::ModelCommitmentBody>(&view.body);
    if (body == nullptr || body->event_type != alert.event_type() ||
        body->period != alert.period() || body->model_digest.view() != alert.model_digest()) {
      continue;
    }
    wanted_[summary.record_index()];
    ++found;
  }
  return found;
}

std::optional<std::pair<EvidenceCollector::StreamName, EvidenceCollector::Link>>
EvidenceCollector::LinkOf(const v1::Record& record) {
  const absl::StatusOr<ledger::RecordView> view = ledger::DecodeRecord(AsBytes(record.leaf()));
  if (!view.ok()) return std::nullopt;
  return std::visit(
      [&](const auto& body) -> std::optional<std::pair<StreamName, Link>> {
        if constexpr (requires { body.previous; }) {
          Link link{.record = record.summary().record_index(),
                    .sequence = body.sequence,
                    .previous = body.previous.IsZero() ? "" : std::string(body.previous.view())};
          return std::make_pair(StreamName(record.summary().author(), std::string(body.stream)),
                                std::move(link));
        }
        return std::nullopt;
      },
      view->body);
}

absl::Status EvidenceCollector::WantSpan(v1::SearchEventsRequest request, bool whole) {
  request.set_limit(kPage);
  v1::SearchEventsResponse page;
  do {
    ASSIGN_OR_RETURN(page, client_->SearchEvents(request));
    for (const v1::StoredEvent& event : page.events()) {
      Wanted& wanted = wanted_[event.record_index()];
      wanted.whole = whole;
      if (!whole) wanted.items.insert(event.item());
    }
    request.set_cursor(page.next_cursor());
  } while (!page.next_cursor().empty());
  if (wanted_.empty()) {
    return absl::NotFoundError(absl::StrCat("no event answers; heights ", page.first_height(),
                                            " to ", page.complete_height(), " were searched"));
  }
  is_span_ = true;
  whole_ = whole;
  return absl::OkStatus();
}

// Adds one record; of a span also what links it to its stream.
absl::Status EvidenceCollector::Gather(uint64_t record, const Wanted& wanted,
                                       ledger::EvidenceWriter* writer) {
  ASSIGN_OR_RETURN(const std::string proof, ProofOf(record, checkpoint_));
  RETURN_IF_ERROR(writer->AddRecord(RecordIndex(record), proof));
  if (!is_span_ && !wanted.whole && wanted.items.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const v1::Record fetched, Fetch(record));
  auto link = LinkOf(fetched);
  if (is_span_ && link.has_value()) {
    const auto [at, is_new] = streams_.try_emplace(link->first);
    if (is_new) at->second.first = link->second;
    at->second.last = link->second;
    const Hash leaf = ledger::LeafHash(AsBytes(fetched.leaf()));
    at->second.links[std::string(leaf.view())] = std::move(link->second);
  }
  return AddEventsOf(fetched, wanted, writer);
}

absl::Status EvidenceCollector::AddEventsOf(const v1::Record& record, const Wanted& wanted,
                                            ledger::EvidenceWriter* writer) const {
  // No batch, or its payload is gone.
  if (record.payload().empty() || (!wanted.whole && wanted.items.empty())) return absl::OkStatus();
  std::set<uint32_t> items = wanted.items;
  if (wanted.whole) {
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> events,
                     ledger::SplitPayload(AsBytes(record.payload())));
    for (uint32_t item = 0; item < events.size(); ++item) items.insert(item);
  }
  return writer->AddEvents(RecordIndex(record.summary().record_index()), AsBytes(record.payload()),
                           items);
}

// Each record names the one before it; a reset ends the walk early, and the file says so.
absl::Status EvidenceCollector::GatherBetween(const Stream& stream,
                                              ledger::EvidenceWriter* writer) const {
  Link last = stream.last;
  while (last.sequence > stream.first.sequence && last.record > stream.first.record &&
         !last.previous.empty()) {
    const auto known = stream.links.find(last.previous);
    if (known != stream.links.end()) {
      if (known->second.record >= last.record) break;
      last = known->second;
      continue;
    }
    v1::GetRecordRequest request;
    request.set_leaf_hash(last.previous);
    ASSIGN_OR_RETURN(const v1::Record before, client_->GetRecord(request));
    auto link = LinkOf(before);
    if (!link.has_value() || link->second.record >= last.record) break;
    last = std::move(link->second);
    ASSIGN_OR_RETURN(const std::string proof, ProofOf(last.record, checkpoint_));
    RETURN_IF_ERROR(writer->AddRecord(RecordIndex(last.record), proof));
    RETURN_IF_ERROR(AddEventsOf(before, {.items = {}, .whole = whole_}, writer));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> EvidenceCollector::ProofOf(uint64_t record,
                                                       const std::string& under) const {
  v1::GetProofRequest request;
  request.mutable_record()->set_record_index(record);
  request.set_under_checkpoint(under);
  if (under.empty()) {
    request.set_wait_millis(wait_millis_);
    for (const std::string& witness : witnesses_) request.add_witnessed_by(witness);
  }
  ASSIGN_OR_RETURN(v1::Proof proof, client_->GetProof(request, nullptr));
  return std::move(*proof.mutable_file());
}

// What leads from genesis to the epoch that `note` is cosigned in; empty when that is the first.
// Nothing is checked: whoever reads the file walks it from the policy that they trust.
absl::StatusOr<std::string> EvidenceCollector::EpochsOf(const std::string& note) const {
  ASSIGN_OR_RETURN(const ledger::SignedCheckpoint head, ledger::DecodeSignedCheckpoint(note));
  uint64_t epoch = 1;
  for (const ledger::NoteSignature& line : head.note.signatures) {
    epoch = std::max(epoch, ledger::EpochOfCosigner(head.checkpoint.origin, line.name).value_or(1));
  }
  if (epoch == 1) return std::string();
  std::vector<ledger::EpochAnchor> anchors;
  while (anchors.size() + 1 < epoch) {
    v1::GetEpochChainRequest request;
    request.set_after_epoch(anchors.size());
    ASSIGN_OR_RETURN(const v1::EpochChain answer, client_->GetEpochChain(request));
    ASSIGN_OR_RETURN(std::vector<ledger::EpochAnchor> more,
                     ledger::DecodeEpochChain(AsBytes(answer.file())));
    if (more.empty()) break;
    for (ledger::EpochAnchor& anchor : more) anchors.push_back(std::move(anchor));
  }
  return ledger::EncodeEpochChain(anchors);
}

absl::StatusOr<std::string> EvidenceCollector::Finish(const ledger::EvidenceQuestion& question,
                                                      std::string genesis) {
  // The last record needs the largest tree.
  ASSIGN_OR_RETURN(const std::string last, ProofOf(wanted_.rbegin()->first, ""));
  ASSIGN_OR_RETURN(const ledger::TlogProof head, ledger::DecodeTlogProof(last));
  checkpoint_ = head.checkpoint;
  ledger::EvidenceWriter writer(question, head.checkpoint, std::move(genesis));
  for (const auto& [record, wanted] : wanted_) {
    RETURN_IF_ERROR(Gather(record, wanted, &writer));
  }
  // All of it lies below the last record.
  for (const auto& [name, stream] : streams_) RETURN_IF_ERROR(GatherBetween(stream, &writer));
  if (!model_.empty()) RETURN_IF_ERROR(writer.AddModel(model_));
  ASSIGN_OR_RETURN(std::string epochs, EpochsOf(head.checkpoint));
  if (!epochs.empty()) RETURN_IF_ERROR(writer.AddEpochs(std::move(epochs)));
  return writer.Finish();
}

}  // namespace vigil::client
