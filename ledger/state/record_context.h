// What a module sees of the record it executes.
#ifndef VIGIL_LEDGER_STATE_RECORD_CONTEXT_H_
#define VIGIL_LEDGER_STATE_RECORD_CONTEXT_H_

#include <string>
#include <utility>
#include <vector>

#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/result.h"
#include "ledger/state/tables.h"
#include "ledger/state/view.h"

namespace vigil::ledger {

// The signer is known and bears the role that the record's kind asks for. Everything pointed to
// outlives the call; a module writes to `view` and `effects` only.
struct RecordContext {
  const Genesis* genesis = nullptr;
  Height height;
  uint64_t time_unix_millis = 0;  // Of the block.
  RecordIndex index;
  RecordIndex seal;  // Of the block, after its last record.
  Hash leaf_hash;
  const KeyRow* signer = nullptr;
  StateView* view = nullptr;
  std::vector<Effect>* effects = nullptr;

  void Emit(EffectType type, uint64_t subject, std::string detail = "") const {
    effects->push_back({.type = type, .subject = subject, .detail = std::move(detail)});
  }
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_RECORD_CONTEXT_H_
