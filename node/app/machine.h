// What a process asks of the machine that it runs on: stores on its disk, and descriptors.
#ifndef VIGIL_NODE_APP_MACHINE_H_
#define VIGIL_NODE_APP_MACHINE_H_

#include <string>

#include "absl/status/statusor.h"
#include "node/driver/derived_stores.h"
#include "node/driver/log.h"
#include "node/net/descriptors.h"

namespace vigil::node {

StoreFactory StoresIn(const std::string& data_dir, size_t cache_bytes, int files_max);

// Strangers who connect must never take the descriptors that journal and stores need.
// Errors: kFailedPrecondition when the limit is too low, with the remedy.
absl::StatusOr<DescriptorShares> PrepareDescriptors(const LogFunction& log);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_MACHINE_H_
