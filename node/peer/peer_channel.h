// Connections between validators, and from newcomers to them.
#ifndef VIGIL_NODE_PEER_PEER_CHANNEL_H_
#define VIGIL_NODE_PEER_PEER_CHANNEL_H_

#include <grpcpp/grpcpp.h>

namespace vigil::node {

grpc::ChannelArguments PeerChannelArguments();

}  // namespace vigil::node

#endif  // VIGIL_NODE_PEER_PEER_CHANNEL_H_
