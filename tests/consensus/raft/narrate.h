// Raft messages, journal records and status as one line of text each.
#ifndef VIGIL_TESTS_CONSENSUS_RAFT_NARRATE_H_
#define VIGIL_TESTS_CONSENSUS_RAFT_NARRATE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "consensus/core/core.h"

namespace vigil::consensus {

std::string DescribeBlock(const BlockId& block);  // "3@2": height 3, term 2.
std::string DescribeMessage(absl::string_view header, size_t body_count);
std::string DescribeAppends(const std::vector<JournalAppend>& records);
std::string DescribeStatus(const CoreStatus& status);

}  // namespace vigil::consensus

#endif  // VIGIL_TESTS_CONSENSUS_RAFT_NARRATE_H_
