// The slow, independent judge of canonical bytes, for tests: protobuf parses and writes again, the
// result must be the same bytes, and reflection compares every field with a table of limits that is
// typed off the comments of event.proto and record.proto. It shares no code with the scanner.
#ifndef VIGIL_TESTS_LEDGER_CHAIN_CANONICAL_ORACLE_H_
#define VIGIL_TESTS_LEDGER_CHAIN_CANONICAL_ORACLE_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "ledger/chain/kinds.h"

namespace vigil::ledger {

struct FieldLimits {
  uint64_t max = 0;  // Value of a number, size of text and bytes.
  uint64_t min = 1;
  bool required = false;
  int count_max = 1;
  bool not_zero = false;  // Bytes.
};

// "Event.salt", "Endpoint.port" ...: every field of every message. Message fields have max 0.
const std::map<std::string, FieldLimits>& AllFieldLimits();

// An empty message of the body type. REQUIRES: an admitted kind.
std::unique_ptr<google::protobuf::Message> NewBody(RecordKind kind);

// Whether `bytes` are canonical as an event or a body.
bool OracleAcceptsEvent(const std::string& bytes);
bool OracleAcceptsBody(RecordKind kind, const std::string& bytes);

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_CHAIN_CANONICAL_ORACLE_H_
