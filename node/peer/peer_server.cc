#include "node/peer/peer_server.h"

#include <chrono>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "vigil/v1/peer.grpc.pb.h"

namespace vigil::node {
namespace {

class RefusingReactor final : public grpc::ServerReadReactor<v1::PeerFrame> {
 public:
  explicit RefusingReactor(grpc::Status status) { Finish(status); }
  void OnDone() override { delete this; }
};

// One peer's stream. Deletes itself when gRPC is done with it.
class StreamReactor final : public grpc::ServerReadReactor<v1::PeerFrame> {
 public:
  StreamReactor(ValidatorIndex from, FrameReceiver* receiver) : from_(from), receiver_(receiver) {
    StartRead(&frame_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    receiver_->OnFrame(from_, std::move(*frame_.mutable_frame()));
    StartRead(&frame_);
  }
  void OnDone() override { delete this; }

 private:
  const ValidatorIndex from_;
  FrameReceiver* const receiver_;
  v1::PeerFrame frame_;
};

}  // namespace

class PeerServer::Service final : public v1::Peer::CallbackService {
 public:
  Service(const ledger::Genesis* genesis, FrameReceiver* receiver)
      : genesis_(genesis), receiver_(receiver) {}

  grpc::ServerReadReactor<v1::PeerFrame>* Stream(grpc::CallbackServerContext* context,
                                                 v1::PeerStreamEnd* /*end*/) override {
    const std::string identity = ValidatorOfCaller(*context->auth_context());
    const std::optional<ValidatorIndex> from = genesis_->FindValidator(identity);
    if (!from.has_value()) {
      return new RefusingReactor(grpc::Status(
          grpc::StatusCode::PERMISSION_DENIED,
          absl::StrCat("'", identity, "' is no validator of network ", genesis_->network,
                       "; the certificate needs a URI spiffe://<org>/validator/<name>")));
    }
    return new StreamReactor(*from, receiver_);
  }

 private:
  const ledger::Genesis* const genesis_;
  FrameReceiver* const receiver_;
};

PeerServer::PeerServer() = default;
PeerServer::~PeerServer() { Stop(); }

absl::StatusOr<std::unique_ptr<PeerServer>> PeerServer::Start(const std::string& address,
                                                              const TlsFiles& tls,
                                                              const ledger::Genesis* genesis,
                                                              FrameReceiver* receiver) {
  std::unique_ptr<PeerServer> server(new PeerServer);
  server->service_ = std::make_unique<Service>(genesis, receiver);
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kGrpcMessageBytesMax);
  // Without this a second process silently shares the port.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(address, ServerTls(tls), &server->port_);
  builder.RegisterService(server->service_.get());
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || server->port_ == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen for validators on ", address,
                     ": the port is taken or the address is not this machine's; change "
                     "listen.peer or end the other process"));
  }
  return server;
}

void PeerServer::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  server_->Wait();
  server_.reset();
}

}  // namespace vigil::node
