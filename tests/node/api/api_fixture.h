// A real node of one validator with its API on a port of loopback, and a client of it.
#ifndef VIGIL_TESTS_NODE_API_API_FIXTURE_H_
#define VIGIL_TESTS_NODE_API_API_FIXTURE_H_

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/lib/client.h"
#include "ledger/storage/faulty_file_system.h"
#include "ledger/storage/memory_store.h"
#include "node/api/api_server.h"
#include "node/driver/node.h"
#include "tests/sim/test_network.h"
#include "tests/support/catch.h"

namespace vigil::node {

class NoPeers final : public Transport {
 public:
  bool Send(ValidatorIndex, OutFrame) override { return false; }
  bool IsConnected(ValidatorIndex) const override { return false; }
};

// One validator, its API on a port of loopback, and a client of it.
class Fixture {
 public:
  // More than one validator makes a network without a quorum, since nobody else is there.
  explicit Fixture(uint32_t validators = 1, uint32_t election_ticks_max = 20,
                   uint32_t block_bytes_max = 256 * 1024, const std::string& detector_rules = "",
                   const ledger::DetectorParameters& detector = {})
      : network_({.validators = validators,
                  .max_block_bytes = block_bytes_max,
                  .detector = detector,
                  .detector_rules = detector_rules}),
        files_(1) {
    REQUIRE(Node::Init(&files_, "/data", network_.journal_id(0)).ok());
    NodeConfig config;
    config.data_dir = "/data";
    config.consensus_key = &network_.consensus_key(0);
    config.record_key = &network_.record_key(0);
    config.log_key = &network_.log_key(0);
    config.cosigner_key = &network_.cosigner_key(0);
    config.reveal_seed = network_.reveal_seed(0);
    config.election_timeout_ticks_min = 11;
    config.election_timeout_ticks_max = election_ticks_max;
    NodeSeams seams;
    seams.files = &files_;
    seams.clock = SystemClock();
    seams.transport = &peers_;
    seams.open_store = [](absl::string_view,
                          bool) -> absl::StatusOr<std::unique_ptr<ledger::Store>> {
      return std::make_unique<ledger::MemoryStore>();
    };
    node_ = *Node::Open(network_.genesis(), config, seams);
    node_->Start();
    server_ = *ApiServer::Start("127.0.0.1:0", grpc::InsecureServerCredentials(), node_.get());
    client::ClientOptions options;
    options.endpoints = {absl::StrCat("127.0.0.1:", server_->port())};
    options.insecure = true;
    client_ = *client::Client::Make(options);
  }
  ~Fixture() {
    server_.reset();
    node_->Stop();
  }

  sim::SensorStream Stream(uint32_t sensor = 0, const std::string& name = "conn") {
    return sim::SensorStream(&network_.genesis(), &network_.sensor_key(sensor), name, 7 + sensor);
  }
  // As SIGTERM does: the API first, then the node.
  void StopApi() { server_->Stop(); }
  // Submissions that wait for an answer.
  size_t waiting() const { return node_->waiting_submissions(); }
  const ledger::SigningKey& sensor_key(uint32_t sensor) const {
    return network_.sensor_key(sensor);
  }
  Node* node() { return node_.get(); }
  client::Client* client() { return client_.get(); }
  const ledger::Genesis& genesis() const { return network_.genesis(); }
  const sim::TestNetwork& network() const { return network_; }

  absl::StatusOr<v1::Receipt> Submit(const ledger::Record& record,
                                     v1::AckLevel ack = v1::ACK_COMMITTED) {
    const auto response = client_->Submit(RequestOf(record, 0, ack));
    if (!response.ok()) return response.status();
    return response->receipt();
  }
  static v1::SubmitRequest RequestOf(const ledger::Record& record, uint64_t tag,
                                     v1::AckLevel ack = v1::ACK_COMMITTED) {
    v1::SubmitRequest request;
    request.set_tag(tag);
    request.set_leaf(record.leaf);
    request.set_payload(record.payload);
    request.set_ack(ack);
    return request;
  }

 private:
  sim::TestNetwork network_;
  ledger::FaultyFileSystem files_;
  NoPeers peers_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace vigil::node

#endif  // VIGIL_TESTS_NODE_API_API_FIXTURE_H_
