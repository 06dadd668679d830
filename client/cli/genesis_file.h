// The genesis file that the user trusts.
#ifndef VIGIL_CLIENT_CLI_GENESIS_FILE_H_
#define VIGIL_CLIENT_CLI_GENESIS_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "ledger/chain/genesis.h"

namespace vigil::client {

// Errors: kInvalidArgument beginning with the path when it is no genesis file; of the disk.
absl::StatusOr<ledger::Genesis> LoadGenesis(const std::string& path);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_GENESIS_FILE_H_
