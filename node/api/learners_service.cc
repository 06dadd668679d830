#include "node/api/learners_service.h"

#include <algorithm>
#include <string>
#include <vector>

namespace vigil::node {

grpc::ServerUnaryReactor* LearnersService::ListNewcomers(
    grpc::CallbackServerContext* context, const v1::ListNewcomersRequest* /*request*/,
    v1::ListNewcomersResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::StatusOr<std::vector<NewcomerStanding>> standings = services_->Newcomers();
  if (!standings.ok()) {
    reactor->Finish(grpc::Status(static_cast<grpc::StatusCode>(standings.status().code()),
                                 std::string(standings.status().message())));
    return reactor;
  }
  response->set_validator(services_->Status().validator);
  for (const NewcomerStanding& standing : *standings) {
    v1::Newcomer* const one = response->add_newcomers();
    one->set_proposal_index(standing.newcomer.proposal.value());
    one->set_identity(standing.newcomer.entry.identity());
    one->set_consensus_key(ToString(standing.newcomer.entry.consensus_key.span()));
    one->set_learns(standing.learns);
    one->set_caught_up(standing.caught_up);
    one->set_height(standing.height.value());
    one->set_behind(standing.behind);
    one->set_silent_millis(
        static_cast<uint64_t>(std::max<int64_t>(standing.silent_micros, 0) / 1000));
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace vigil::node
