// `vigild testnet`: everything for a local network in one folder: genesis, keys, certificates,
// configuration files, empty journals.
//
//   DIR/genesis.json  ca.pem  ca.key
//   DIR/<validator>/vigild.toml  tls.pem  tls.key  keys/*.key  keys/reveal.seed  data/
//   DIR/clients/<sensor>.key  admin-<org>.key  tls.pem  tls.key  vigil.toml
#ifndef VIGIL_NODE_APP_TESTNET_H_
#define VIGIL_NODE_APP_TESTNET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ledger/storage/file.h"

namespace vigil::node {

struct TestnetOptions {
  std::string directory;
  std::string network = "vigil-local";
  uint32_t validators = 4;       // 1 to 7. One organisation each: org-1, org-2 ...
  uint32_t sensors_per_org = 1;  // 0 to 64.
  std::vector<std::string> hosts = {"127.0.0.1"};  // Addresses: one of all, or one of each.
  // Ports: base is the first validator's API; validator i uses base + 10 i (API), + 1 (peers), + 2
  // (HTTP).
  uint32_t base_port = 7400;
  uint32_t heartbeat_millis = 10'000;
  uint64_t reveal_length = 1 << 22;
  uint32_t detector_period_events = 4096;
  uint32_t detector_window_rows = 8192;
  // Rules of the detectors (docs/detecting.md): "built-in", "none", or a rule file.
  std::string detector_rules = "built-in";
};

// Errors: kAlreadyExists when the folder holds anything; kInvalidArgument naming the option; errors
// of the disk. After an error nothing that was made is left.
absl::Status MakeTestnet(ledger::FileSystem* files, const TestnetOptions& options);

}  // namespace vigil::node

#endif  // VIGIL_NODE_APP_TESTNET_H_
