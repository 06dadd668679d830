#include "tests/sim/trace_writer.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace vigil::sim {
namespace {

std::string LineOf(const TraceEntry& entry) {
  const std::string at = absl::StrFormat("%11.6f ", static_cast<double>(entry.micros) / 1e6);
  switch (entry.kind) {
    case TraceEntry::Kind::kFault:
      return absl::StrCat(at, "*** ", entry.text);
    case TraceEntry::Kind::kLog:
      return absl::StrCat(at, "n", entry.node, " says: ", entry.text);
    case TraceEntry::Kind::kFrame:
      return absl::StrCat(at, "n", entry.node, " -> n", entry.to, " ", entry.text);
    case TraceEntry::Kind::kAnswer:
      return absl::StrCat(at, "n", entry.node, " ", entry.text);
    case TraceEntry::Kind::kWrong:
      return absl::StrCat(at, "WRONG: ", entry.text);
  }
  return at;
}

// What fills a diagram without saying much.
bool IsDull(const TraceEntry& entry) {
  if (entry.kind != TraceEntry::Kind::kFrame) return entry.kind == TraceEntry::Kind::kLog;
  return absl::StartsWith(entry.text, "heartbeat") || absl::StartsWith(entry.text, "fetch") ||
         absl::StartsWith(entry.text, "cosignature");
}

// Mermaid ends a text at these.
std::string Plain(const std::string& text) {
  return absl::StrReplaceAll(text.substr(0, 160),
                             {{";", ","}, {"#", "no "}, {"\n", " "}, {"%%", "% %"}});
}

std::string ArrowOf(const TraceEntry& entry) {
  const std::string text =
      absl::StrFormat("%.4f s: ", static_cast<double>(entry.micros) / 1e6) + Plain(entry.text);
  if (entry.kind == TraceEntry::Kind::kFrame) {
    return absl::StrCat("    n", entry.node, "->>n", entry.to, ": ", text, "\n");
  }
  if (entry.kind == TraceEntry::Kind::kAnswer) {
    return absl::StrCat("    n", entry.node, "-->>clients: ", text, "\n");
  }
  const std::string over = entry.concerns_all ? "clients" : absl::StrCat("n", entry.node);
  return absl::StrCat("    Note over ", over, ": ", text, "\n");
}

}  // namespace

TraceWriter::TraceWriter(const std::string& trace_path, const std::string& mermaid_path)
    : trace_path_(trace_path), mermaid_path_(mermaid_path) {
  if (!trace_path_.empty()) trace_.open(trace_path_, std::ios::trunc);
  ok_ = trace_path_.empty() || trace_.good();
}

void TraceWriter::Add(const TraceEntry& entry) {
  // An abort must not take the last lines with it.
  if (!trace_path_.empty()) trace_ << LineOf(entry) << std::endl;
  const bool healed =
      entry.kind == TraceEntry::Kind::kFault && entry.text == "everything is healed";
  const bool wrong = entry.kind == TraceEntry::Kind::kWrong;
  if (mermaid_path_.empty() || IsDull(entry)) return;
  if (frozen_ && !wrong) return;
  if (entry.kind == TraceEntry::Kind::kFrame) {  // The same words again say nothing.
    std::string& said = said_[{entry.node, entry.to}];
    if (said == entry.text) return;
    said = entry.text;
  }
  last_.push_back(entry);
  if (last_.size() > kDiagramEntriesMax) last_.pop_front();
  frozen_ = healed;
}

void TraceWriter::Finish() {
  if (mermaid_path_.empty()) return;
  std::set<uint32_t> nodes;
  for (const TraceEntry& entry : last_) {
    if (entry.kind == TraceEntry::Kind::kFrame) nodes.insert({entry.node, entry.to});
    if (entry.kind == TraceEntry::Kind::kAnswer || !entry.concerns_all) nodes.insert(entry.node);
  }
  std::ofstream file(mermaid_path_, std::ios::trunc);
  file << "sequenceDiagram\n    participant clients\n";
  for (const uint32_t node : nodes) file << "    participant n" << node << "\n";
  for (const TraceEntry& entry : last_) file << ArrowOf(entry);
  ok_ = ok_ && file.good();
}

}  // namespace vigil::sim
