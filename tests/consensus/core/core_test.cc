#include "consensus/core/core.h"

#include <set>
#include <string>

#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

TEST_CASE("core: every role has a name of its own", "[consensus]") {
  std::set<std::string> names;
  for (const CoreRole role : {CoreRole::kFollower, CoreRole::kPreCandidate, CoreRole::kCandidate,
                              CoreRole::kLeader, CoreRole::kNonVoter}) {
    names.insert(std::string(CoreRoleName(role)));
  }
  CHECK(names.size() == 5);
  CHECK(names.count("unknown") == 0);
}

TEST_CASE("core: a value outside the enumeration is unknown", "[consensus]") {
  CHECK(CoreRoleName(static_cast<CoreRole>(200)) == "unknown");
}

}  // namespace
}  // namespace vigil::consensus
