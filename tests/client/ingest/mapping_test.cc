#include "client/ingest/mapping.h"

#include "client/ingest/mapping_tables.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

TEST_CASE("mapping: every table that ships compiles", "[ingest]") {
  for (const MappingFamily* family : {&ZeekFamily(), &SuricataFamily(), &VigilFamily()}) {
    const PlanSet plans(*family);  // Stops the process when one does not.
    for (const LogMapping& log : family->logs) {
      CHECK(plans.Knows(log.log));
      const Plan& plan = plans.For(log.log);
      CHECK(plan.source() == std::string(family->name) + "." + std::string(log.log));
      CHECK(plan.source().size() <= 64);
    }
    CHECK_FALSE(plans.Knows("no such log"));
    CHECK(plans.For("no such log").class_uid() == kBaseEventClass);
  }
}

TEST_CASE("mapping: an unknown target or a path given twice is refused", "[ingest]") {
  const FieldRule unknown[] = {{"a", "src.planet"}};
  const LogMapping wrong_target{.log = "x", .rules = unknown};
  const FieldRule twice[] = {{"a", "src.ip"}, {"a", "dst.ip"}};
  const LogMapping wrong_path{.log = "x", .rules = twice};
  const MappingFamily family{.name = "test"};
  CHECK(absl::IsInvalidArgument(Plan::Compile(family, wrong_target).status()));
  CHECK(absl::IsInvalidArgument(Plan::Compile(family, wrong_path).status()));
}

TEST_CASE("mapping: the log's own rule wins over the common one", "[ingest]") {
  const FieldRule common[] = {{"a", "src.ip"}, {"b.c", "dst.ip"}};
  const FieldRule own[] = {{"a", "message"}};
  const LogMapping log{.log = "x", .rules = own};
  const auto plan = Plan::Compile({.name = "test", .common_rules = common}, log);
  REQUIRE(plan.ok());
  REQUIRE(plan->Find("a") != nullptr);
  CHECK(plan->Find("a")->target->name == "message");
  CHECK(plan->Find("b.c")->target->name == "dst.ip");
  CHECK(plan->Find("b") == nullptr);
  CHECK(plan->HasChildren("b"));
  CHECK_FALSE(plan->HasChildren("a"));
}

}  // namespace
}  // namespace vigil::client
