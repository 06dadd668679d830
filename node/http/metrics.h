// The node's metrics in Prometheus text, gathered from NodeServices when asked.
#ifndef VIGIL_NODE_HTTP_METRICS_H_
#define VIGIL_NODE_HTTP_METRICS_H_

#include <string>

#include "node/driver/services.h"

namespace vigil::node {

// Families vigil_* as listed in docs/operating.md.
std::string MetricsText(const NodeServices& services);

}  // namespace vigil::node

#endif  // VIGIL_NODE_HTTP_METRICS_H_
