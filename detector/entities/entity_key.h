// Who an event is about: its entities, as short keys.
//
// A key names an entity within its kind. Equal names have equal keys on every validator; different
// names have different ones, as far as nobody finds two with one SHA-256.
//
//   endpoint    04 | address 4        06 | address 16        74 | name, folded, at most 31 bytes
//               68 | SHA-256 of a longer name, folded
//   source      endpoint of src: address, else name, else asset id
//   destination endpoint of dst, likewise
//   host        endpoint of device, but name before address
//   user        74 or 68, of the user's name, else of the user's id
//   pair        u8 size of the source's key | source | destination; the host where none is named
//   port        u8 protocol | u32 destination port, big-endian
//
// An IPv4-mapped address is its IPv4 address. Folding turns A-Z into a-z.
#ifndef VIGIL_DETECTOR_ENTITIES_ENTITY_KEY_H_
#define VIGIL_DETECTOR_ENTITIES_ENTITY_KEY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "detector/features/hash.h"
#include "ledger/base/event_view.h"

namespace vigil::detector {

// Stored: never renumber (AlertBody.entity_kind).
enum class EntityKind : uint8_t {
  kSource = 1,
  kDestination = 2,
  kPair = 3,
  kPort = 4,
  kUser = 5,
  kHost = 6,
};
inline constexpr std::array<EntityKind, 6> kEntityKinds = {
    EntityKind::kSource, EntityKind::kDestination, EntityKind::kPair,
    EntityKind::kPort,   EntityKind::kUser,        EntityKind::kHost};
inline constexpr size_t IndexOf(EntityKind kind) { return static_cast<size_t>(kind) - 1; }

// "source", "destination", "pair", "port", "user", "host".
std::string_view EntityKindName(EntityKind kind);
std::optional<EntityKind> FindEntityKind(std::string_view name);
// Nothing for a number that is no kind.
std::optional<EntityKind> EntityKindOf(uint32_t number);

inline constexpr size_t kEndpointKeyBytesMax = 33;
inline constexpr size_t kEntityKeyBytesMax = 1 + 2 * kEndpointKeyBytesMax;

// By IndexOf(kind); empty where the event has no such entity.
using EntityKeys = std::array<std::string, kEntityKinds.size()>;
EntityKeys KeysOf(const EventView& event, Hash32 hash);

// The pieces, for whoever asks by name. Empty for an address that has neither 4 nor 16 bytes, for
// an empty text, for port 0 and for a pair without both sides.
std::string AddressKey(std::span<const uint8_t> address);
std::string TextKey(std::string_view text, Hash32 hash);
std::string PortKey(uint32_t protocol_num, uint32_t port);
std::string PairKey(std::string_view source, std::string_view destination);

// Whether `key` is one that KeysOf() can make for `kind`.
bool IsEntityKey(EntityKind kind, std::string_view key);

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_ENTITIES_ENTITY_KEY_H_
