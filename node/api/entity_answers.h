// What the API says of entities and of rules' alerts. Free of gRPC's reactors.
#ifndef VIGIL_NODE_API_ENTITY_ANSWERS_H_
#define VIGIL_NODE_API_ENTITY_ANSWERS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "detector/entities/entity_key.h"
#include "detector/rules/rule_set.h"
#include "ledger/base/event_view.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/rule_book.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

// The rules with this digest; null where they were never the network's, or do not parse here.
// Errors: kDataLoss; those of the state.
absl::StatusOr<ledger::RuleSetPtr> RulesWith(ledger::RuleBook* book,
                                             const ledger::ChainReader& reader, const Hash& digest);

struct NamedEntity {
  detector::EntityKind kind = detector::EntityKind::kSource;
  std::string key;
  std::string name;  // As EntityText() writes it.
};
// Whoever may be meant by "KIND:NAME", or by a name alone (a source, destination, host or user).
// Names: an address, host or user name, "A>B" for pair, "tcp/22" or "22" for port (TCP and UDP).
// Errors: kInvalidArgument with what was expected.
absl::StatusOr<std::vector<NamedEntity>> ParseEntityName(absl::string_view text);

// Whether the event with these bytes names one of `entities`. False for bytes that are none.
bool NamesAny(absl::string_view event, const std::vector<NamedEntity>& entities);

// The entity of an event as people write it; empty where the event has none.
std::string EntityText(detector::EntityKind kind, const EventView& event);

// Fills `out` for an alert of a rule, by the rules that it names; `event` are the event's bytes,
// empty where they are gone. Errors: those of RulesWith().
absl::Status FillRule(ledger::RuleBook* book, const ledger::ChainReader& reader,
                      const ledger::AlertInfo& alert, absl::string_view event, v1::Alert* out);

// Errors: kInvalidArgument; kUnavailable while the detector rebuilds its windows, or does not run.
absl::Status FillEntity(const NodeServices& services, const v1::GetEntityRequest& request,
                        v1::EntityReport* out);

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_ENTITY_ANSWERS_H_
