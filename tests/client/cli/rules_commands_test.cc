// What people are shown of a change of rules before they sign it, and of a file that is only tried.
#include "client/cli/rules_commands.h"

#include <string>

#include "client/cli/rules_file.h"
#include "client/cli/rules_trial.h"
#include "ledger/base/limits.h"
#include "ledger/chain/genesis.h"
#include "ledger/crypto/sha256_bytes.h"
#include "ledger/storage/file.h"
#include "tests/client/alert/rule_sample.h"
#include "tests/detector/entities/entity_events.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vigil::client {
namespace {

using Lines = std::vector<std::string>;

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("rules: what a file changes is told rule by rule") {
  const std::string before = SampleRules();
  CHECK(RulesDifference(before, before).empty());
  CHECK(RulesDifference(before,
                        "# new comment\n" + Replaced(before, "  score 14", "   score  14 # x"))
            .empty());
  CHECK(RulesDifference(before, Replaced(before, "version 1", "version 2")) ==
        Lines{"~ the file", "    - version 1", "    + version 2"});
  CHECK(RulesDifference(before, Replaced(before, "score 8", "score 9")) ==
        Lines{"~ rule 2 new-host", "    - score 8", "    + score 9"});
  const std::string less = before.substr(0, before.find("rule 3"));
  CHECK(RulesDifference(before, less) == Lines{"- rule 3 account"});
  CHECK(RulesDifference(less, before) == Lines{"+ rule 3 account"});
  CHECK(RulesDifference("", before) ==
        Lines{"+ rule 1 failed-logons", "+ rule 2 new-host", "+ rule 3 account"});
  CHECK(RulesDifference(before, "") ==
        Lines{"- rule 1 failed-logons", "- rule 2 new-host", "- rule 3 account"});
}

TEST_CASE("rules: a file is refused before anything is signed and says where and why") {
  testing::TempFolder folder;
  const std::string path = folder.path() + "/rules.txt";
  const auto read = [&](const std::string& text) {
    REQUIRE(ledger::PosixFileSystem()->WriteAtomically(path, AsBytes(text)).ok());
    return ReadRuleFile(path);
  };
  CHECK(read(SampleRules()).value() == SampleRules());
  const absl::Status wrong = read(Replaced(SampleRules(), "score 14", "score many")).status();
  CHECK(absl::IsInvalidArgument(wrong));
  CHECK(wrong.message().find("rules.txt") != std::string::npos);
  CHECK(wrong.message().find("line 6: rule 1: a score is 1 to 64 bits") != std::string::npos);
  CHECK(absl::IsInvalidArgument(read("").status()));
  CHECK(absl::IsInvalidArgument(read(std::string(ledger::kRuleFileBytesMax + 1, '#')).status()));
  CHECK(absl::IsInvalidArgument(ReadRuleFile(folder.path() + "/none").status()));
}

TEST_CASE("rules: a trial counts what two files would have matched") {
  const auto parse = [](const std::string& file) {
    std::string problem;
    auto rules = detector::ParseRules(file, &ledger::Sha256Bytes, &problem);
    INFO(problem);
    REQUIRE(rules.has_value());
    return *std::move(rules);
  };
  const std::string stricter =
      Replaced(Replaced(SampleRules(), "logon_failures 3", "logon_failures 5"), "rule 3", "rule 4");
  RulesTrial trial(parse(SampleRules()), parse(stricter));
  uint64_t millis = detector::testing::kNoon;
  for (uint64_t height = 1; height <= 3; ++height, millis += 10'000) {
    trial.BeginBlock(Height(height), millis);
    for (uint32_t item = 0; item < (height == 2 ? 6 : 4); ++item) {
      detector::testing::EntityEvent event;
      event.From(203, 9).On("gate").By("root").Logon(2).At(millis);
      trial.OnEvent(event.view, RecordIndex(height * 10), ItemIndex(item));
    }
    trial.EndBlock();
  }
  CHECK(trial.events() == 14);
  CHECK(trial.PresentOf(1)->matches == 3);
  CHECK(trial.PresentOf(1)->record == RecordIndex(30));
  CHECK(trial.PresentOf(1)->item == ItemIndex(2));
  CHECK(trial.ProposedOf(1)->matches == 1);
  CHECK(trial.ProposedOf(1)->record == RecordIndex(20));
  CHECK(trial.ProposedOf(1)->item == ItemIndex(4));
  CHECK(trial.PresentOf(2)->matches == 0);
  CHECK_FALSE(trial.PresentOf(4).has_value());
  CHECK(trial.ProposedOf(4)->matches == 0);
  CHECK_FALSE(trial.ProposedOf(3).has_value());
}

}  // namespace vigil::client
