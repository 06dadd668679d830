#include "client/cli/rules_trial.h"

#include <utility>
#include <vector>

#include "ledger/crypto/sha256_bytes.h"

namespace vigil::client {

RulesTrial::Side::Side(detector::RuleSet rules)
    : table(&ledger::Sha256Bytes), matcher(std::move(rules)) {}

RulesTrial::RulesTrial(detector::RuleSet present, detector::RuleSet proposed)
    : present_(std::move(present)), proposed_(std::move(proposed)) {}

void RulesTrial::BeginBlock(Height height, uint64_t millis) {
  millis_ = millis;
  for (Side* side : {&present_, &proposed_}) side->matcher.BeginBlock(height.value());
}

void RulesTrial::OnEvent(const EventView& event, RecordIndex record, ItemIndex item) {
  ++events_;
  const detector::EventType type = detector::TypeOf(event);
  for (Side* side : {&present_, &proposed_}) {
    const detector::EntityTable::Touched touched = side->table.Observe(event, type, millis_);
    side->matcher.OnEvent(event, type, record.value(), item.value(), touched);
  }
}

void RulesTrial::EndBlock() {
  for (Side* side : {&present_, &proposed_}) {
    for (const detector::RuleMatch& match : side->matcher.EndBlock()) {
      Count& count = side->counts[match.rule];
      ++count.matches;
      count.record = RecordIndex(match.record_index);
      count.item = ItemIndex(match.item);
    }
  }
}

std::optional<RulesTrial::Count> RulesTrial::Of(const Side& side, uint32_t number) {
  if (side.matcher.rules().Find(number) == nullptr) return std::nullopt;
  const auto found = side.counts.find(number);
  return found == side.counts.end() ? Count() : found->second;
}

}  // namespace vigil::client
