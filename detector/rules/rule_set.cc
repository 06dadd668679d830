#include "detector/rules/rule_set.h"

#include <algorithm>

#include "detector/features/codec.h"

namespace vigil::detector {
namespace {

uint64_t OfWindow(Measure measure, const WindowCounts& window) {
  switch (measure) {
    case Measure::kEvents:
      return window.events;
    case Measure::kFailed:
      return window.failed;
    case Measure::kFailedPermille:
      // At most eight slots of 32 bits: no overflow.
      return window.events == 0 ? 0 : window.failed * 1000 / window.events;
    case Measure::kLogonFailures:
      return window.logon_failures;
    case Measure::kBytesOut:
      return window.bytes_out;
    case Measure::kPeers:
      return window.peers;
    case Measure::kPorts:
      return window.ports;
    default:
      return window.names;
  }
}

// Neither private, local nor reserved (RFC 6890), as far as one event tells.
bool IsPublic(std::span<const uint8_t> ip) {
  if (ip.size() == 4) {
    const bool is_private = ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
                            (ip[0] == 192 && ip[1] == 168) ||
                            (ip[0] == 100 && (ip[1] & 0xc0) == 64);
    const bool is_local = ip[0] == 0 || ip[0] == 127 || (ip[0] == 169 && ip[1] == 254);
    return !is_private && !is_local && ip[0] < 224;
  }
  return ip.size() == 16 && (ip[0] & 0xe0) == 0x20;  // 2000::/3.
}

}  // namespace

uint64_t Measured(const Condition& condition, const Entity& entity) {
  constexpr uint64_t kMillisPerSecond = 1000;
  switch (condition.measure) {
    case Measure::kSightings:
      return entity.sightings();
    case Measure::kAgeSeconds:
      return (entity.latest_millis() - entity.first_millis()) / kMillisPerSecond;
    case Measure::kRegular:
      return entity.rhythm().regular;
    case Measure::kIntervalSeconds:
      return entity.rhythm().median_millis / kMillisPerSecond;
    case Measure::kNewPeerSeconds:
      return entity.new_peer_after_millis() / kMillisPerSecond;
    default:
      return OfWindow(condition.measure, entity.Window(condition.span));
  }
}

bool Rule::Concerns(const EventView& event, EventType type) const {
  constexpr uint32_t kSuccess = 1;  // OCSF status_id.
  constexpr uint32_t kFailure = 2;
  if (types != 0 && (types >> static_cast<uint32_t>(type) & 1) == 0) return false;
  if (status == StatusFilter::kSuccess && event.status_id != kSuccess) return false;
  if (status == StatusFilter::kFailure && event.status_id != kFailure) return false;
  if (!ports.empty() && std::count(ports.begin(), ports.end(), event.dst.port) == 0) return false;
  return !to_public || IsPublic(event.dst.ip);
}

const Rule* RuleSet::Find(uint32_t number) const {
  for (const Rule& rule : rules) {
    if (rule.number == number) return &rule;
  }
  return nullptr;
}

Digest RulesDigest(std::string_view file, Hash32 hash) {
  LittleEndianWriter writer;
  writer.Tag("vigil/detector/rules/v1");
  writer.Raw({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  return hash(writer.bytes());
}

Digest RuleDigest(const Digest& rules_digest, uint32_t number, Hash32 hash) {
  LittleEndianWriter writer;
  writer.Tag("vigil/detector/rule/v1").Raw(rules_digest).U32(number);
  return hash(writer.bytes());
}

}  // namespace vigil::detector
