// Adapters of logs that are one JSON object per line: Suricata EVE, Zeek JSON, our own.
#ifndef VIGIL_CLIENT_INGEST_JSON_ADAPTER_H_
#define VIGIL_CLIENT_INGEST_JSON_ADAPTER_H_

#include <memory>
#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "client/ingest/adapter.h"

namespace vigil::client {

// REQUIRES: `format` is kSuricata, kZeekJson or kVigil.
std::unique_ptr<Adapter> MakeJsonAdapter(Format format, const AdapterOptions& options,
                                         ledger::SaltSource* salts);

// The Zeek log that has such fields ("conn"); empty when they could be of several.
absl::string_view GuessZeekLog(std::span<const std::string> fields);
// "conn" of "conn.log.gz" and "conn.2024-01-01.log"; empty when the name is not that of a log.
absl::string_view ZeekLogOfFileName(absl::string_view file_name);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_JSON_ADAPTER_H_
