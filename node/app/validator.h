// A running validator: node, transport and surfaces, wired from a configuration.
#ifndef VIGIL_NODE_APP_VALIDATOR_H_
#define VIGIL_NODE_APP_VALIDATOR_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "node/app/config.h"
#include "node/driver/log.h"
#include "node/net/descriptors.h"

namespace vigil::node {

class Validator {
 public:
  // Opens data, connects to the peers and serves.
  // Errors: those of the configuration, the keys, the data directory and the ports, each naming the
  // thing and the remedy.
  static absl::StatusOr<std::unique_ptr<Validator>> Start(const LoadedConfig& loaded,
                                                          const LogFunction& log);
  ~Validator();

  // Waits for SIGTERM or SIGINT, for the node to die, or to have joined; then shuts down in order.
  // OK after a signal; what killed the node otherwise. BlockSignals() must have been called before
  // any thread began.
  absl::Status Run();
  // Run() returned because the validator joined: it is to be started anew.
  bool joined() const;
  // Run() returned because the set of validators has changed: it is to be started anew.
  bool epoch_ended() const;
  // Run() returned because the leader's log begins above what the validator has: its journal is to
  // be made anew (RejoinValidator) and it is to be started anew.
  bool behind() const;
  // Blocks the signals that Run() waits for, in this thread and those it starts.
  static void BlockSignals();

 private:
  struct Parts;
  explicit Validator(std::unique_ptr<Parts> parts);
  static absl::Status StartSurfaces(const Config& config, const DescriptorShares& shares,
                                    Parts* parts);
  std::unique_ptr<Parts> parts_;
};

// Makes the data directory of a validator that never ran.
// `epochs`: file of the epoch chain that names it as a validator; empty: genesis does.
// `entry`: file of the entry of a newcomer that no set names yet, which learns until one does
// (node/app/learner.h); empty: it is none.
absl::Status InitValidator(const LoadedConfig& loaded, bool new_network,
                           const std::string& epochs = "", const std::string& entry = "");
// Makes the journal of a validator anew whose folder is lost or damaged (Node::Rejoin). Returns
// where the old one is kept.
absl::StatusOr<std::string> RejoinValidator(const LoadedConfig& loaded, bool even_if_sound);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_VALIDATOR_H_
