// The compiled plans of the Zeek logs, shared by the TSV and the JSON adapter.
#ifndef VIGIL_CLIENT_INGEST_ZEEK_PLANS_H_
#define VIGIL_CLIENT_INGEST_ZEEK_PLANS_H_

#include "client/ingest/mapping_tables.h"

namespace vigil::client {

// Compiled once, on first use; thread-safe.
inline const PlanSet& ZeekPlans() {
  static const PlanSet* const kPlans = new PlanSet(ZeekFamily());
  return *kPlans;
}

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_ZEEK_PLANS_H_
