// What a submission is answered with.
#ifndef VIGIL_NODE_DRIVER_SUBMIT_H_
#define VIGIL_NODE_DRIVER_SUBMIT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/chain/result.h"

namespace vigil::node {

// An error for a client: stable code, what happened, what to do next. Codes are listed in
// docs/operating.md.
struct ServiceError {
  absl::StatusCode status = absl::StatusCode::kOk;
  std::string code;  // "stream.conflict", "lane.full", "record.malformed" ...
  std::string what;
  std::string remedy;
  uint32_t retry_after_millis = 0;  // 0: do not retry as it is.
  uint64_t expected_sequence = 0;
  Hash expected_previous;

  bool ok() const { return status == absl::StatusCode::kOk; }
};

inline ServiceError MakeError(absl::StatusCode status, absl::string_view code, std::string what,
                              std::string remedy, uint32_t retry_after_millis = 0) {
  return {.status = status,
          .code = std::string(code),
          .what = std::move(what),
          .remedy = std::move(remedy),
          .retry_after_millis = retry_after_millis,
          .expected_previous = {}};
}

struct SubmitReceipt {
  Hash leaf_hash;
  RecordIndex record_index;
  Height height;
  Hash block_hash;
  ledger::ResultCode result = ledger::ResultCode::kOk;
};

struct SubmitOutcome {
  ServiceError error;  // ok(): `receipt` is set.
  SubmitReceipt receipt;
};
using SubmitDone = std::function<void(const SubmitOutcome&)>;

// Names one caller that waits for a record. Number 0: nobody waits, the answer was given at once.
struct SubmitTicket {
  Hash leaf_hash;
  uint64_t number = 0;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_SUBMIT_H_
