#include "ledger/proof/facts.h"

#include "absl/strings/str_cat.h"

namespace vigil::ledger {
namespace {

class FactList {
 public:
  void Add(absl::string_view name, const std::string& text) { facts_.emplace_back(name, text); }
  void Add(absl::string_view name, uint64_t number) { Add(name, absl::StrCat(number)); }

  void Add(const ProvenHead& head) {
    Add("origin", EscapedFact(head.checkpoint.origin));
    Add("tree_size", head.checkpoint.size);
    Add("root", head.checkpoint.root.ToHex());
    for (const ProvenWitness& witness : head.witnesses) {
      Add("witness", absl::StrCat(EscapedFact(witness.name), " ", witness.unix_seconds));
    }
  }
  void Add(const ProvenRecord& record) {
    Add("index", record.index.value());
    Add("leaf_hash", record.leaf_hash.ToHex());
    Add("kind", std::string(KindOf(record.kind).name));
    Add("author", record.author.ToHex());
    Add("author_key", record.author_key.ToHex());
    if (record.sequence == 0) return;
    Add("stream", EscapedFact(record.stream));
    Add("sequence", record.sequence);
  }
  void Add(const ProvenBlock& block) {
    Add("block_height", block.height.value());
    Add("block_hash", block.hash.ToHex());
    Add("block_epoch", block.epoch.value());
    Add("block_time_unix_ms", block.time_unix_millis);
    Add("block_proposer", block.proposer.value());
    Add("block_first", block.first.value());
    Add("block_records", block.record_count);
  }
  void Add(const RecordResult& result) {
    Add("result", std::string(ResultCodeName(result.code)));
    Add("signer", EscapedFact(result.signer));
  }
  void Add(const ProvenEvent& event) {
    Add("item", event.item.value());
    Add("item_count", event.item_count);
    Add("event_leaf_hash", event.leaf_hash.ToHex());
    if (event.bytes.empty()) return;
    const EventView fields = event.Fields();
    Add("event_bytes", event.bytes.size());
    Add("event_time_unix_ns", fields.time_unix_nano);
    Add("event_type_uid", fields.type_uid);
    Add("event_source", EscapedFact({fields.source.data(), fields.source.size()}));
  }
  template <typename Part>
  void AddIfThere(const std::optional<Part>& part) {
    if (part.has_value()) Add(*part);
  }
  std::vector<ProofFact> Take() && { return std::move(facts_); }

 private:
  std::vector<ProofFact> facts_;
};

}  // namespace

std::string EscapedFact(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '\\') {
      out.push_back(c);
    } else {
      absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return out;
}

std::vector<ProofFact> ProofFacts(const ProofReport& report) {
  FactList facts;
  facts.AddIfThere(report.head);
  if (report.subject.has_value()) {
    facts.Add("subject", std::string(ProofSubjectName(*report.subject)));
  }
  facts.AddIfThere(report.record);
  facts.AddIfThere(report.block);
  facts.AddIfThere(report.result);
  facts.AddIfThere(report.event);
  return std::move(facts).Take();
}

}  // namespace vigil::ledger
