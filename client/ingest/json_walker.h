// Walks the fields of one JSON object with simdjson (on demand: one pass, numbers kept as written).
//
// Belongs to one thread; one walker is reused for all lines. Nested objects become paths with dots;
// a list of scalars is one field with several values; lists of objects are walked when the plan has
// fields below them, and else kept as JSON text. A line that is not one well-formed object is
// refused as a whole, except that text inside lists kept as JSON is not looked into.
#ifndef VIGIL_CLIENT_INGEST_JSON_WALKER_H_
#define VIGIL_CLIENT_INGEST_JSON_WALKER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/ingest/mapper.h"

namespace vigil::client {

class JsonWalker {
 public:
  // Objects nested deeper are kept as JSON text.
  static constexpr int kDepthMax = 8;
  static constexpr size_t kListValuesMax = 256;

  JsonWalker();
  ~JsonWalker();
  JsonWalker(const JsonWalker&) = delete;
  JsonWalker& operator=(const JsonWalker&) = delete;

  // Copies `line` and indexes it. Errors: kInvalidArgument with the parser's words.
  absl::Status Open(absl::string_view line);
  // The text at a key of the outermost object; nullopt when there is none. After Open.
  std::optional<std::string> TopText(absl::string_view key);
  // The keys of the outermost object; empty when the line is not an object. After Open.
  std::vector<std::string> TopKeys();
  // Puts every field into `mapper`, which has begun an event. Once after Open.
  // Errors: kInvalidArgument when the line turns out not to be one well-formed object.
  absl::Status Walk(Mapper* mapper);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

// `line` with invalid UTF-8 and the escapes of lone surrogates replaced by U+FFFD.
std::string RepairJsonText(absl::string_view line);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_JSON_WALKER_H_
