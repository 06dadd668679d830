// StateView: how modules read and write replicated state; they never see a store.
//
// A view lies over a committed base. Writes stay in the view's overlay until the whole block is
// done; the overlay, sorted, is the block's write set. Belongs to one thread.
#ifndef VIGIL_LEDGER_STATE_VIEW_H_
#define VIGIL_LEDGER_STATE_VIEW_H_

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"

namespace vigil::ledger {

// Returns false to end a scan early.
using StateVisitor = std::function<bool(absl::string_view key, absl::string_view value)>;

// Committed state of one height. Keys are state keys (ledger/state/tables.h), without the store's
// own prefix. Errors of the disk only; they stop the replica.
class StateBase {
 public:
  virtual ~StateBase() = default;
  virtual absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const = 0;
  // Keys with `prefix` in ascending order, until `visit` returns false.
  virtual absl::Status Scan(absl::string_view prefix, const StateVisitor& visit) const = 0;
};

// Sorted by key; an empty value means the key is deleted.
using WriteSet = std::map<std::string, std::optional<std::string>>;

// Per entry: u32 key size | key | u8 op (1 put, 0 delete) | u32 value size | value.
std::string EncodeWriteSet(const WriteSet& writes);
// Errors: kInvalidArgument unless `bytes` is what EncodeWriteSet makes (keys strictly ascending).
absl::StatusOr<WriteSet> DecodeWriteSet(ByteSpan bytes);
// SHA-256("vigil/write-set/v1" 00 | encoded write set).
Hash WriteSetHash(const WriteSet& writes);
// SHA-256("vigil/state/v1" 00 | previous digest | write set hash). At height 0 the genesis hash
// stands for the previous digest.
Hash NextStateDigest(const Hash& previous, const WriteSet& writes);

// Scans `base` as if `writes` had been applied to it.
absl::Status ScanOverlay(const WriteSet& writes, const StateBase& base, absl::string_view prefix,
                         const StateVisitor& visit);

// The smallest string above every string that starts with `prefix`; empty when there is none.
std::string PrefixEnd(absl::string_view prefix);

class StateView {
 public:
  // `base` must outlive the view.
  explicit StateView(const StateBase* base) : base_(base) {}

  // The view's own writes first, then the base. A disk error is kept in status() and reads as
  // "not there"; Apply refuses the block when status() is not OK.
  std::optional<std::string> Get(absl::string_view key) const;
  void Put(absl::string_view key, absl::string_view value);
  void Delete(absl::string_view key);
  // Keys with `prefix` in order, merged from overlay and base.
  void Scan(absl::string_view prefix, const StateVisitor& visit) const;

  // Keeps the first error: a value that cannot be decoded, for example.
  void Fail(const absl::Status& status) const;

  const StateBase& base() const { return *base_; }
  const WriteSet& writes() const { return writes_; }
  const absl::Status& status() const { return status_; }

 private:
  const StateBase* base_;
  WriteSet writes_;
  mutable absl::Status status_;
};

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_STATE_VIEW_H_
