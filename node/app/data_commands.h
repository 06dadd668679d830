// `vigild data ...` and `vigild reindex`: a stopped validator's folder, on the machine's files.
//
// Each prints its result to standard output and returns the process's exit code.
#ifndef VIGIL_NODE_APP_DATA_COMMANDS_H_
#define VIGIL_NODE_APP_DATA_COMMANDS_H_

#include <cstdint>
#include <string>

namespace vigil::node {

struct DataCommand {
  std::string data_dir;
  std::string genesis;      // Path of the file that the caller trusts.
  std::string guard;        // Path of the rollback guard, where it is asked for.
  std::string older_than;   // Age of payloads to drop.
  std::string other;        // Target or source of a backup, file of an export, archive.
  uint64_t keep_bytes = 0;  // Of the journal, when archiving.
};

// 0: all is sound. 8: something is missing, torn or will be built anew. 6: damaged; the validator
// must not vote.
int RunDataCheck(const DataCommand& command);
int RunDataBackup(const DataCommand& command);
int RunDataRestore(const DataCommand& command);
int RunDataExport(const DataCommand& command);
int RunDataPrune(const DataCommand& command);
// 8: the journal is still above the limit, and why is printed.
int RunDataArchive(const DataCommand& command);
int RunReindex(const DataCommand& command);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_DATA_COMMANDS_H_
