#include "client/cli/genesis_file.h"

#include "ledger/base/status_macros.h"
#include "ledger/storage/file.h"

namespace vigil::client {

absl::StatusOr<ledger::Genesis> LoadGenesis(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ledger::PosixFileSystem()->ReadAll(path));
  absl::StatusOr<ledger::Genesis> genesis = ledger::ParseGenesis(bytes);
  if (!genesis.ok()) return Annotate(genesis.status(), path);
  return genesis;
}

}  // namespace vigil::client
