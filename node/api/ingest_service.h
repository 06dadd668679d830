// The Ingest service: ten-line handlers over NodeServices. Runs on gRPC's threads.
#ifndef VIGIL_NODE_API_INGEST_SERVICE_H_
#define VIGIL_NODE_API_INGEST_SERVICE_H_

#include "node/driver/services.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::node {

class IngestService final : public v1::Ingest::CallbackService {
 public:
  // `services` must outlive the service.
  explicit IngestService(NodeServices* services) : services_(services) {}

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override;
  grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitResponse>* SubmitStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetReceipt(grpc::CallbackServerContext* context,
                                       const v1::GetReceiptRequest* request,
                                       v1::Receipt* response) override;
  grpc::ServerUnaryReactor* GetStreamHead(grpc::CallbackServerContext* context,
                                          const v1::GetStreamHeadRequest* request,
                                          v1::StreamHead* response) override;

 private:
  NodeServices* const services_;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_INGEST_SERVICE_H_
