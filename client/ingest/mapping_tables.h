// The mappings that ship with the client. docs/ingesting.md shows them as tables.
#ifndef VIGIL_CLIENT_INGEST_MAPPING_TABLES_H_
#define VIGIL_CLIENT_INGEST_MAPPING_TABLES_H_

#include "client/ingest/mapping.h"

namespace vigil::client {

// Zeek logs (docs.zeek.org, Log Files), TSV and JSON alike.
const MappingFamily& ZeekFamily();
// Suricata EVE JSON (docs.suricata.io, EVE JSON Format).
const MappingFamily& SuricataFamily();
// The event itself as readable JSON; one mapping, "event".
const MappingFamily& VigilFamily();

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_MAPPING_TABLES_H_
