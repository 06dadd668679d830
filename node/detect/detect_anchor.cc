// By what the alerts of one entity are found to belong together.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256_bytes.h"
#include "node/detect/detect_convert.h"
#include "node/detect/detect_driver.h"

namespace vigil::node {
namespace {

using detector::EntityKind;
using ledger::ExecutedBlock;

// The organisation of whoever signed the record of an event of the block.
absl::string_view OrgOf(const ExecutedBlock& executed, const ledger::EventRef& event) {
  const size_t place = event.record_index - executed.results.front().index;
  const absl::string_view signer = executed.results[place].signer;
  return signer.substr(0, signer.find('/'));
}

std::optional<EntityKind> KindOfRule(uint32_t component, uint32_t entity_kind) {
  if (component != ledger::kRuleComponent) return std::nullopt;
  return detector::EntityKindOf(entity_kind);
}

}  // namespace

void DetectDriver::NoteStrange(const ExecutedBlock& executed,
                               const std::vector<BlockEventView>& events,
                               const std::vector<detector::Candidate>& candidates,
                               const std::vector<detector::RuleMatch>& matches) {
  // In the order of the events: an anchor is never later than what cites it.
  std::vector<std::pair<ledger::EventRef, std::optional<EntityKind>>> strange;
  for (const detector::Candidate& candidate : candidates) {
    strange.push_back({{candidate.record_index, candidate.item}, std::nullopt});
  }
  for (const detector::RuleMatch& match : matches) {
    strange.push_back({{RecordIndex(match.record_index), ItemIndex(match.item)}, match.entity});
  }
  std::sort(strange.begin(), strange.end());
  for (const auto& [ref, of_rule] : strange) {
    const auto event = std::lower_bound(
        events.begin(), events.end(), ref,
        [](const BlockEventView& a, const ledger::EventRef& b) { return a.ref < b; });
    if (event == events.end() || event->ref != ref) continue;
    const std::optional<GroupEntity> entity =
        GroupEntityOf(event->view, OrgOf(executed, ref), of_rule);
    if (!entity.has_value()) continue;
    anchors_.Note(*entity, ref, executed.block->header().time_unix_millis);
  }
}

void DetectDriver::SetAnchor(const ExecutedBlock& executed, const BlockEventView& event,
                             ledger::AlertBody* alert) const {
  const std::optional<GroupEntity> entity = GroupEntityOf(
      event.view, OrgOf(executed, event.ref), KindOfRule(alert->component, alert->entity_kind));
  if (!entity.has_value()) return;
  alert->anchor_kind = static_cast<uint32_t>(entity->kind);
  alert->anchor = anchors_.AnchorOf(*entity, event.ref);
}

absl::StatusOr<std::optional<bool>> DetectDriver::AgreesWithAnchor(
    const ledger::ChainReader& reader, const ledger::AlertInfo& alert,
    const ExecutedBlock& executed, const BlockEventView& event) {
  const std::optional<GroupEntity> entity = GroupEntityOf(
      event.view, OrgOf(executed, event.ref), KindOfRule(alert.component, alert.entity_kind));
  if (!entity.has_value()) return std::optional<bool>(alert.anchor_kind == 0);
  if (alert.anchor_kind != static_cast<uint32_t>(entity->kind)) return std::optional<bool>(false);
  if (alert.anchor != alert.event) {
    const absl::StatusOr<ledger::BlockInfo> block = reader.BlockOfRecord(alert.anchor.record_index);
    if (absl::IsNotFound(block.status())) return std::optional<bool>();
    RETURN_IF_ERROR(block.status());
    ASSIGN_OR_RETURN(const ExecutedPtr anchored, LoadReadable(block->height));
    if (anchored == nullptr) return std::optional<bool>();
    ASSIGN_OR_RETURN(const BlockEventView anchor, EventAt(*anchored, alert.anchor));
    const detector::EntityKeys named = detector::KeysOf(anchor.view, &ledger::Sha256Bytes);
    if (named[detector::IndexOf(entity->kind)] != entity->key ||
        OrgOf(*anchored, alert.anchor) != entity->org) {
      return std::optional<bool>(false);
    }
  }
  anchors_.Adopt(*entity, alert.anchor, executed.block->header().time_unix_millis);
  return std::optional<bool>(true);
}

}  // namespace vigil::node
