#include "ledger/evidence/stream_case.h"

#include <algorithm>
#include <limits>
#include <map>
#include <variant>

namespace vigil::ledger {
namespace {

// What links a record to the one before it in its stream.
struct Link {
  uint64_t sequence = 0;
  Hash previous;
  uint64_t item_count = 0;
  uint64_t lost_count = 0;
};

// False for kinds without streams.
bool ReadLink(const RecordView& view, Link* out) {
  return std::visit(
      [out](const auto& body) {
        if constexpr (requires { body.previous; }) {
          out->sequence = body.sequence;
          out->previous = body.previous;
          if constexpr (requires { body.item_count; }) out->item_count = body.item_count;
          if constexpr (requires { body.lost_count; }) out->lost_count = body.lost_count;
          return true;
        }
        return false;
      },
      view.body);
}

}  // namespace

std::vector<StreamCase> ReadStreamCases(const std::vector<ShownRecord>& records) {
  struct Open {
    StreamCase found;
    Hash last_leaf;
  };
  std::map<std::pair<std::string, std::string>, Open> streams;
  for (const ShownRecord& record : records) {
    Link link;
    if (!ReadLink(record.Body(), &link)) continue;
    const std::string& stream = record.report.record->stream;
    const auto [at, is_new] = streams.try_emplace({record.signer(), stream});
    StreamCase& found = at->second.found;
    if (is_new) {
      found.sensor = record.signer();
      found.stream = stream;
      found.first_sequence = link.sequence;
    } else if (link.sequence != found.last_sequence + 1 || link.previous != at->second.last_leaf) {
      found.breaks.emplace_back(found.last_sequence, link.sequence);
    }
    found.last_sequence = link.sequence;
    at->second.last_leaf = record.report.record->leaf_hash;
    ++found.records;
    found.events_shown += record.events.size();
    found.events_held += link.item_count;
    // A sensor may claim any number, and many times.
    const uint64_t room = std::numeric_limits<uint64_t>::max() - found.events_lost;
    found.events_lost += std::min(link.lost_count, room);
  }
  std::vector<StreamCase> cases;
  for (auto& [name, open] : streams) cases.push_back(std::move(open.found));
  return cases;
}

}  // namespace vigil::ledger
