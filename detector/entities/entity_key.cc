#include "detector/entities/entity_key.h"

#include <algorithm>

namespace vigil::detector {
namespace {

constexpr std::array<std::string_view, kEntityKinds.size()> kNames = {
    "source", "destination", "pair", "port", "user", "host"};
// First bytes of endpoint keys. Stored: never renumber.
constexpr char kFour = 0x04;
constexpr char kSixteen = 0x06;
constexpr char kText = 't';
constexpr char kHashed = 'h';

constexpr size_t kTextBytesMax = 31;
constexpr size_t kDigestBytes = 32;
constexpr size_t kPortKeyBytes = 5;
constexpr uint32_t kPortMax = 65'535;

bool IsMapped(std::span<const uint8_t> address) {
  constexpr size_t kPrefix = 12;
  if (address.size() != 16 || address[10] != 0xff || address[11] != 0xff) return false;
  return std::all_of(address.begin(), address.begin() + (kPrefix - 2),
                     [](uint8_t byte) { return byte == 0; });
}

bool IsFolded(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::string NameOrAddress(const EndpointView& endpoint, Hash32 hash, bool name_first) {
  if (name_first && !endpoint.hostname.empty()) return TextKey(endpoint.hostname, hash);
  std::string key = AddressKey(endpoint.ip);
  if (key.empty()) key = TextKey(endpoint.hostname, hash);
  return key.empty() ? TextKey(endpoint.uid, hash) : key;
}

bool IsTextKey(std::string_view key) {
  if (key.empty()) return false;
  const size_t rest = key.size() - 1;
  if (key[0] == kText) return rest >= 1 && rest <= kTextBytesMax && IsFolded(key.substr(1));
  return key[0] == kHashed && rest == kDigestBytes;
}

bool IsEndpointKey(std::string_view key) {
  if (key.empty()) return false;
  if (key[0] == kFour) return key.size() == 1 + 4;
  if (key[0] != kSixteen) return IsTextKey(key);
  if (key.size() != 1 + 16) return false;
  return !IsMapped({reinterpret_cast<const uint8_t*>(key.data()) + 1, 16});
}

}  // namespace

std::string_view EntityKindName(EntityKind kind) { return kNames[IndexOf(kind)]; }

std::optional<EntityKind> FindEntityKind(std::string_view name) {
  for (const EntityKind kind : kEntityKinds) {
    if (EntityKindName(kind) == name) return kind;
  }
  return std::nullopt;
}

std::optional<EntityKind> EntityKindOf(uint32_t number) {
  if (number < 1 || number > kEntityKinds.size()) return std::nullopt;
  return static_cast<EntityKind>(number);
}

std::string AddressKey(std::span<const uint8_t> address) {
  if (IsMapped(address)) address = address.last(4);
  if (address.size() != 4 && address.size() != 16) return {};
  std::string key(1, address.size() == 4 ? kFour : kSixteen);
  key.append(reinterpret_cast<const char*>(address.data()), address.size());
  return key;
}

std::string TextKey(std::string_view text, Hash32 hash) {
  if (text.empty()) return {};
  std::string key(1, kText);
  key.append(text);
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (text.size() <= kTextBytesMax) return key;
  const Digest digest = hash({reinterpret_cast<const uint8_t*>(key.data()) + 1, text.size()});
  key.assign(1, kHashed);
  key.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return key;
}

std::string PortKey(uint32_t protocol_num, uint32_t port) {
  if (port == 0) return {};
  std::string key(1, static_cast<char>(protocol_num));
  for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(port >> shift));
  return key;
}

std::string PairKey(std::string_view source, std::string_view destination) {
  if (source.empty() || destination.empty()) return {};
  std::string key(1, static_cast<char>(source.size()));
  key.append(source);
  key.append(destination);
  return key;
}

EntityKeys KeysOf(const EventView& event, Hash32 hash) {
  EntityKeys keys;
  std::string& source = keys[IndexOf(EntityKind::kSource)];
  std::string& destination = keys[IndexOf(EntityKind::kDestination)];
  std::string& host = keys[IndexOf(EntityKind::kHost)];
  source = NameOrAddress(event.src, hash, /*name_first=*/false);
  destination = NameOrAddress(event.dst, hash, /*name_first=*/false);
  host = NameOrAddress(event.device, hash, /*name_first=*/true);
  keys[IndexOf(EntityKind::kPair)] = PairKey(source, destination.empty() ? host : destination);
  keys[IndexOf(EntityKind::kPort)] = PortKey(event.protocol_num, event.dst.port);
  keys[IndexOf(EntityKind::kUser)] =
      TextKey(event.user.empty() ? event.user_uid : event.user, hash);
  return keys;
}

bool IsEntityKey(EntityKind kind, std::string_view key) {
  switch (kind) {
    case EntityKind::kSource:
    case EntityKind::kDestination:
    case EntityKind::kHost:
      return IsEndpointKey(key);
    case EntityKind::kUser:
      return IsTextKey(key);
    case EntityKind::kPort: {
      if (key.size() != kPortKeyBytes) return false;
      uint32_t port = 0;
      for (const char c : key.substr(1)) port = port << 8 | static_cast<uint8_t>(c);
      return port >= 1 && port <= kPortMax;
    }
    case EntityKind::kPair:
      break;
  }
  if (key.empty()) return false;
  const size_t size = static_cast<uint8_t>(key[0]);
  return key.size() > 1 + size && IsEndpointKey(key.substr(1, size)) &&
         IsEndpointKey(key.substr(1 + size));
}

}  // namespace vigil::detector
