// The pieces that the texts of a log are made of: decimals, base64, hash lines, and the proof lines
// that stand above a signed checkpoint. One canonical form each; everything else is refused.
#ifndef VIGIL_LEDGER_LOG_TEXT_H_
#define VIGIL_LEDGER_LOG_TEXT_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"

namespace vigil::ledger {

// Hashes of a path in a tree of at most kTreeSizeMax leaves; also what C2SP tlog-witness allows.
inline constexpr size_t kProofHashesMax = 63;

// `text` for a message: in quotes, escaped, cut when it is long.
std::string Quoted(absl::string_view text);

// ASCII digits without leading zeros. Errors: kInvalidArgument, or above `max`.
absl::StatusOr<uint64_t> DecodeDecimal(absl::string_view text, uint64_t max);

// RFC 4648 section 4, with padding and zero bits behind the last byte. Errors: kInvalidArgument.
absl::StatusOr<std::string> DecodeBase64(absl::string_view text);

std::string EncodeBase64Hash(const Hash& hash);
// Errors: kInvalidArgument when it is not exactly one hash.
absl::StatusOr<Hash> DecodeBase64Hash(absl::string_view text);

// Takes lines off the front of a text and counts them, for messages.
class LineReader {
 public:
  // `what` begins every message; it must outlive the reader.
  LineReader(absl::string_view what, absl::string_view text) : what_(what), rest_(text) {}

  // The next line, without the newline that ends it.
  // Errors: kInvalidArgument when no newline is left.
  absl::StatusOr<absl::string_view> Next();
  // What stands on the next line behind the word `key` and a space.
  // Errors: as Next(), or the line does not begin so.
  absl::StatusOr<absl::string_view> NextAfter(absl::string_view key);
  // The decimal that stands there. Errors: as NextAfter() and DecodeDecimal().
  absl::StatusOr<uint64_t> NextDecimal(absl::string_view key, uint64_t max);
  // Whether NextAfter() will find `key`.
  bool NextIs(absl::string_view key) const;

  // kInvalidArgument "<what>: line <number of the last line taken>: <message>".
  absl::Status Error(absl::string_view message) const;
  absl::string_view rest() const { return rest_; }

 private:
  absl::string_view what_;
  absl::string_view rest_;
  uint64_t line_ = 0;
};

// One line per hash, and the empty line that ends them.
std::string EncodePathLines(std::span<const Hash> path);
// Errors: kInvalidArgument, naming the line; also for more than kProofHashesMax hashes.
absl::StatusOr<std::vector<Hash>> ReadPathLines(LineReader* lines);

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_LOG_TEXT_H_
