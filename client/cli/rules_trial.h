// Holds two rule files against the same events, to see what another one would have matched.
//
// Pure. What entities did before the first event is not known, so matches that rest on it are
// missing at first, as they are of a network's first hour.
#ifndef VIGIL_CLIENT_CLI_RULES_TRIAL_H_
#define VIGIL_CLIENT_CLI_RULES_TRIAL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "detector/entities/entity_table.h"
#include "detector/rules/rule_matcher.h"
#include "ledger/base/bytes.h"
#include "ledger/base/event_view.h"
#include "ledger/base/strong_id.h"

namespace vigil::client {

class RulesTrial {
 public:
  struct Count {
    uint64_t matches = 0;
    RecordIndex record;  // Of the last event that matched, as is the next.
    ItemIndex item;
  };

  RulesTrial(detector::RuleSet present, detector::RuleSet proposed);

  // Blocks come in order; one without events may be left out.
  void BeginBlock(Height height, uint64_t millis);
  void OnEvent(const EventView& event, RecordIndex record, ItemIndex item);
  void EndBlock();

  uint64_t events() const { return events_; }
  const detector::RuleSet& present() const { return present_.matcher.rules(); }
  const detector::RuleSet& proposed() const { return proposed_.matcher.rules(); }
  // How often rule `number` matched; nothing where the file has it not.
  std::optional<Count> PresentOf(uint32_t number) const { return Of(present_, number); }
  std::optional<Count> ProposedOf(uint32_t number) const { return Of(proposed_, number); }

 private:
  struct Side {
    explicit Side(detector::RuleSet rules);
    detector::EntityTable table;
    detector::RuleMatcher matcher;
    std::map<uint32_t, Count> counts;
  };
  static std::optional<Count> Of(const Side& side, uint32_t number);

  Side present_;
  Side proposed_;
  uint64_t millis_ = 0;
  uint64_t events_ = 0;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_RULES_TRIAL_H_
