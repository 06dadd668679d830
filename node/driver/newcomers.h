// Newcomers: whom proposals for the next set of validators name that is none in the present one
// (docs/protocol.md, L1). Reads of one snapshot.
#ifndef VIGIL_NODE_DRIVER_NEWCOMERS_H_
#define VIGIL_NODE_DRIVER_NEWCOMERS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/tables.h"

namespace vigil::node {

struct Newcomer {
  RecordIndex proposal;
  ledger::ProposalState state = ledger::ProposalState::kOpen;
  Height closed_height;  // 0: open.
  ledger::GenesisValidator entry;
  // The proposal is open, approved, or its set begins as soon as the epoch's end is final.
  bool counts = false;
};

// A newcomer of a proposal, and how far it is.
struct NewcomerStanding {
  Newcomer newcomer;
  bool learns = false;        // It is connected and let in.
  bool caught_up = false;     // It learns, and is little behind.
  Height height;              // That it says it has executed; 0: it has not.
  uint64_t behind = 0;        // Heights, behind what is final here.
  int64_t silent_micros = 0;  // Since it was heard.
};

// Those of proposals that end the epoch of `genesis`, the newest first: all that are open or
// approved, and of the others the newest, so that whoever is turned away can be told why.
// Errors: kDataLoss when a stored value is malformed.
absl::StatusOr<std::vector<Newcomer>> NewcomersOf(const ledger::Genesis& genesis,
                                                  const ledger::ChainReader& reader);

// Why `identity` is not let in with the keys of the journal `journal_id`, of whom no proposal in
// `newcomers` that counts tells: kPermissionDenied when one that is over did, kNotFound otherwise.
absl::Status WhyNotLetIn(const std::vector<Newcomer>& newcomers, absl::string_view identity,
                         const ledger::JournalId& journal_id);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_NEWCOMERS_H_
