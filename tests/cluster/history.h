// What concurrent clients of a cluster saw: one operation per line pair of an NDJSON history.
//
//   {"type":"invoke","op":7,"process":2,"endpoint":1,"f":"append","stream":"s-2","sequence":4,
//    "leaf":"91ab...","time":1200300}                     something was asked, at `time`
//   {"type":"ok","op":7,"time":1290400,"position":57,"height":12,"duplicate":false}
//   {"type":"fail","op":7,"time":...}                      it was refused: it never takes effect
//   {"type":"info","op":7,"time":...}                      nobody knows: it stays open for ever
//   {"type":"down","endpoint":1,"time":...}                that validator forgot what it had
//   executed
//
// `f` is "append", "read-head" (of `stream`; ok: "sequence", "leaf", "position"), "read-record" (of
// `leaf`; ok: "position", 0 when it is not there) or "read-tip" (ok: "height"). Reads bear "mode":
// "linearizable", "local" or "settled" (local, after every validator has caught up). Times are
// nanoseconds of one monotonic clock. An operation without its second line is open.
#ifndef VIGIL_TESTS_CLUSTER_HISTORY_H_
#define VIGIL_TESTS_CLUSTER_HISTORY_H_

#include <cstdint>
#include <istream>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vigil::cluster {

enum class Action { kAppend, kReadHead, kReadRecord, kReadTip };
enum class ReadMode { kLinearizable, kLocal, kSettled };
enum class Outcome { kOk, kFail, kOpen };

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct Operation {
  uint64_t id = 0;
  uint64_t process = 0;   // One has one operation under way at a time.
  uint64_t endpoint = 0;  // The validator that was asked, from 1.
  Action action = Action::kAppend;
  ReadMode mode = ReadMode::kLinearizable;  // Of reads.
  Outcome outcome = Outcome::kOpen;
  int64_t invoked_nanos = 0;
  int64_t returned_nanos = kNever;  // kNever unless it ended with kOk or kFail.
  std::string stream;
  uint64_t sequence =
      0;             // Appends: what is appended; head reads: the answer, 0 for an empty stream.
  std::string leaf;  // Leaf hash of that record, in hex.
  uint64_t position = 0;   // Record index in the log, from the answer; 0: unknown, or not there.
  uint64_t height = 0;     // Of the record's block, or the tip; 0: unknown.
  bool duplicate = false;  // The answer said that the record was there already.
};

// A validator lost what it had executed but not synced.
struct Down {
  uint64_t endpoint = 0;
  int64_t at_nanos = 0;
};

struct History {
  std::vector<Operation> operations;  // By invocation.
  std::vector<Down> downs;
};

// Adds the lines of one file. Operation ids are of that file.
// Errors: kInvalidArgument naming the line.
absl::Status ReadHistory(std::istream* lines, absl::string_view name, History* history);
// REQUIRES before a check: operations by invocation.
void SortByInvocation(History* history);

// "process 2 append s-2#4 at endpoint 1 -> position 57, height 12 [0.001200, 0.001290]": seconds.
std::string Describe(const Operation& operation);

}  // namespace vigil::cluster

#endif  // VIGIL_TESTS_CLUSTER_HISTORY_H_
