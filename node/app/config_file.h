// The TOML file: the one place with toml++.
#ifndef VIGIL_NODE_APP_CONFIG_FILE_H_
#define VIGIL_NODE_APP_CONFIG_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "node/app/config.h"

namespace vigil::node {

// Errors: kNotFound; kInvalidArgument "path:line:column: what".
absl::Status ReadConfigFile(const std::string& path, LoadedConfig* loaded);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_CONFIG_FILE_H_
