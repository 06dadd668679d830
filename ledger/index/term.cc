#include "ledger/index/term.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "ledger/base/check.h"

namespace vigil::ledger {
namespace {

// All severities from here on share a term, so that "at least 4" asks for few; Matches() tells them
// apart.
constexpr uint32_t kSeverityTermMax = 7;

ByteSpan Bytes(std::string_view text) {
  return ByteSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

}  // namespace

TermHasher::TermHasher(const ShortHashKey& key, uint32_t bits)
    : key_(key), mask_(~uint64_t{0} >> (64 - bits)) {
  VIGIL_CHECK(bits >= 1 && bits <= 64, bits, " bits of hash");
}

uint64_t TermHasher::HashOf(Kind kind, ByteSpan value) const {
  std::array<uint8_t, 1 + kQueryValueBytesMax> term;
  const size_t size = std::min(value.size(), kQueryValueBytesMax);
  term[0] = static_cast<uint8_t>(kind);
  if (size > 0) std::memcpy(term.data() + 1, value.data(), size);
  return ShortHash(key_, ByteSpan(term.data(), 1 + size)) & mask_;
}

uint64_t TermHasher::HashOfNumber(Kind kind, uint32_t number) const {
  std::string bytes;
  ByteWriter(&bytes).U32(number);
  return HashOf(kind, AsBytes(bytes));
}

void TermHasher::AppendEventTerms(const EventView& event, std::vector<uint64_t>* hashes) const {
  const auto begin = static_cast<std::ptrdiff_t>(hashes->size());
  const auto add = [&](Kind kind, ByteSpan value) {
    if (!value.empty()) hashes->push_back(HashOf(kind, value));
  };
  hashes->push_back(HashOfNumber(Kind::kClass, event.class_uid()));
  hashes->push_back(HashOfNumber(Kind::kSeverity, std::min(event.severity_id, kSeverityTermMax)));
  add(Kind::kSource, Bytes(event.source));
  add(Kind::kActor, Bytes(event.user));
  for (const EndpointView* endpoint : {&event.src, &event.dst, &event.device}) {
    add(Kind::kAddress, endpoint->ip);
    add(Kind::kText, Bytes(endpoint->hostname));
  }
  add(Kind::kText, Bytes(event.rule_uid));
  add(Kind::kText, Bytes(event.rule_name));
  add(Kind::kText, Bytes(event.url_or_query));
  std::sort(hashes->begin() + begin, hashes->end());
  hashes->erase(std::unique(hashes->begin() + begin, hashes->end()), hashes->end());
}

std::vector<uint64_t> TermHasher::HashAll(Kind kind, const std::vector<std::string>& values) const {
  std::vector<uint64_t> hashes;
  for (const std::string& value : values) hashes.push_back(HashOf(kind, AsBytes(value)));
  return hashes;
}

std::vector<std::vector<uint64_t>> TermHasher::QueryGroups(const EventQuery& query) const {
  std::vector<std::vector<uint64_t>> groups;
  const auto add = [&](std::vector<uint64_t> group) {
    if (group.empty()) return;
    std::ranges::sort(group);
    group.erase(std::unique(group.begin(), group.end()), group.end());
    groups.push_back(std::move(group));
  };
  add(HashAll(Kind::kText, query.terms));
  add(HashAll(Kind::kAddress, query.addresses));
  add(HashAll(Kind::kActor, query.actors));
  std::vector<uint64_t> classes;
  for (uint32_t class_uid : query.class_uids) {
    classes.push_back(HashOfNumber(Kind::kClass, class_uid));
  }
  add(std::move(classes));
  add(HashAll(Kind::kSource, query.sources));
  std::vector<uint64_t> severities;
  for (uint32_t severity = std::min(query.severity_min, kSeverityTermMax);
       query.severity_min > 0 && severity <= kSeverityTermMax; ++severity) {
    severities.push_back(HashOfNumber(Kind::kSeverity, severity));
  }
  add(std::move(severities));
  return groups;
}

}  // namespace vigil::ledger
