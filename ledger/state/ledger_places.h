// Where the journal of one validator lies, for an offline verification: its data folder, archives
// of its older segments (docs/formats/archive.md), or both.
#ifndef VIGIL_LEDGER_STATE_LEDGER_PLACES_H_
#define VIGIL_LEDGER_STATE_LEDGER_PLACES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"
#include "ledger/state/verify_ledger.h"
#include "ledger/storage/file.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {

struct LedgerPlaces {
  std::string data_directory;         // Empty: none.
  std::vector<std::string> archives;  // Where several have a segment, the first one's is read.
};

struct OpenedLedger {
  // Owned together with whoever reads.
  std::shared_ptr<const JournalReader> journal;
  JournalId journal_id;
};

// Whether `directory` is an archive.
bool IsArchive(const FileSystem& files, const std::string& directory);

// Opens all of it as one journal, of which the data folder's part is read where both have it.
// Every segment of an archive is held against the digest in its manifest. Damage and what is not
// there goes into `options`, so that VerifyLedger() reports it.
// Errors: kNotFound when a place has no journal, or no manifest; kDataLoss when a manifest is
// damaged, of another network, or of another validator than the rest; when nothing can be read.
absl::StatusOr<OpenedLedger> OpenLedger(FileSystem* files, const Genesis& genesis,
                                        const LedgerPlaces& places, VerifyOptions* options);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_LEDGER_PLACES_H_
