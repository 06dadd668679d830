#include "consensus/core/core.h"

namespace vigil::consensus {

absl::string_view CoreRoleName(CoreRole role) {
  switch (role) {
    case CoreRole::kFollower:
      return "follower";
    case CoreRole::kPreCandidate:
      return "pre-candidate";
    case CoreRole::kCandidate:
      return "candidate";
    case CoreRole::kLeader:
      return "leader";
    case CoreRole::kNonVoter:
      return "non-voter";
  }
  return "unknown";
}

}  // namespace vigil::consensus
