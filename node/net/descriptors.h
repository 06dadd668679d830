// How many file descriptors the process may have open, and who may use how many of them.
//
// Strangers can open connections, and journal, guard and stores must be able to open a file at any
// moment: a failed open stops the node. So connections have shares that leave the rest to files.
#ifndef VIGIL_NODE_NET_DESCRIPTORS_H_
#define VIGIL_NODE_NET_DESCRIPTORS_H_

#include <cstddef>
#include <cstdint>

namespace vigil::node {

// Below this many, a validator works, but serves few clients.
inline constexpr uint64_t kDescriptorsWanted = 4096;
// Below this many, a validator does not start.
inline constexpr uint64_t kDescriptorsMin = 256;

// Raises the soft limit of open files to the hard one. Returns the limit that holds now.
uint64_t RaiseDescriptorLimit();

// Shares of `limit`. From 512 on, all shares together leave an eighth of it for journal and guard;
// below, this holds while the stores are small, since LevelDB keeps up to 64 tables open whatever
// it is told.
struct DescriptorShares {
  size_t api_connections_max = 0;
  size_t peer_connections_max = 0;
  size_t http_connections_max = 0;
  int store_files_max = 0;  // Of each of the three stores.
  // A connection whose descriptor has this number or a higher one is closed: descriptors are given
  // out lowest first, so everything below is in use.
  int descriptor_max = 0;
};
// REQUIRES: limit >= kDescriptorsMin.
DescriptorShares ShareDescriptors(uint64_t limit);

}  // namespace vigil::node

#endif  // VIGIL_NODE_NET_DESCRIPTORS_H_
