// Progress of an ingestion: for people on a terminal, or for whoever wants to know.
#ifndef VIGIL_CLIENT_INGEST_PROGRESS_H_
#define VIGIL_CLIENT_INGEST_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"

namespace vigil::client {

struct IngestProgress {
  std::string input;        // The one being read.
  size_t input_number = 0;  // From 1.
  size_t input_count = 0;
  uint64_t lines = 0;
  uint64_t events = 0;     // Read so far.
  uint64_t delivered = 0;  // Acknowledged by the chain.
  uint64_t quarantined = 0;
  int64_t elapsed_micros = 0;
  std::string trouble;  // Why nothing gets through; empty: it does.
  bool done = false;
};

class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // Called a few times a second, and once at the end.
  virtual void OnProgress(const IngestProgress& progress) = 0;
};

// Says nothing.
class SilentProgress final : public ProgressSink {
 public:
  void OnProgress(const IngestProgress&) override {}
};

// One line on `out` (standard error): rewritten in place on a terminal, else every ten seconds.
class TextProgress final : public ProgressSink {
 public:
  explicit TextProgress(std::FILE* out);
  void OnProgress(const IngestProgress& progress) override;

 private:
  std::FILE* const out_;
  const bool is_terminal_;
  int64_t said_at_micros_ = 0;
  size_t shown_ = 0;
};

// "conn.log (2/16): 120,000 events, 95,000 delivered, 31,000/s, 2 quarantined"
std::string ProgressLine(const IngestProgress& progress);
// 1234567 -> "1,234,567".
std::string WithCommas(uint64_t number);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_PROGRESS_H_
