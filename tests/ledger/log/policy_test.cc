#include "ledger/log/policy.h"

#include <bit>

#include "absl/strings/match.h"
#include "tests/ledger/log/test_log.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

std::string LogLine(uint8_t number) {
  return absl::StrCat("log ", EncodeNoteKey(TestLogKey(number)), "\n");
}
std::string WitnessLine(absl::string_view name, uint8_t number) {
  return absl::StrCat("witness ", name, " ", EncodeNoteKey(TestWitnessKey(number)), "\n");
}

// The example of the specification, with keys.
std::string ExampleText() {
  return absl::StrCat(LogLine(1), "\n", WitnessLine("X1", 1), WitnessLine("X2", 2),
                      WitnessLine("X3", 3), "group X-witnesses 2 X1 X2 X3\n\n",
                      WitnessLine("Y1", 4), WitnessLine("Y2", 5), WitnessLine("Y3", 6),
                      "group Y-witnesses any Y1 Y2 Y3\n\n",
                      "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n");
}

Policy MustParse(const std::string& text) {
  absl::StatusOr<Policy> policy = ParsePolicy(text);
  INFO(text << policy.status());
  REQUIRE(policy.ok());
  return *std::move(policy);
}

// Refused, at `line`, with a message that has `part` in it.
void CheckRefused(const std::string& text, int line, absl::string_view part) {
  const absl::Status status = ParsePolicy(text).status();
  INFO(text << "\n" << status);
  CHECK(absl::IsInvalidArgument(status));
  CHECK(absl::StartsWith(status.message(), absl::StrCat("policy: line ", line, ": ")));
  CHECK(absl::StrContains(status.message(), part));
}

TEST_CASE("policy: the example of the specification is read", "[log]") {
  const Policy policy = MustParse(ExampleText());
  REQUIRE(policy.logs.size() == 1);
  CHECK(policy.logs[0].key == TestLogKey(1));
  REQUIRE(policy.witnesses.size() == 6);
  CHECK(policy.witnesses[3] == PolicyWitness{.name = "Y1", .key = TestWitnessKey(4), .url = ""});
  REQUIRE(policy.groups.size() == 3);
  CHECK(policy.groups[0].threshold == 2);
  CHECK(policy.groups[1].threshold == 1);
  CHECK(policy.groups[2].threshold == 2);
  CHECK(policy.groups[2].members == std::vector<std::string>{"X-witnesses", "Y-witnesses"});
  CHECK(policy.quorum == "X-and-Y");
  CHECK(MustParse(EncodePolicy(policy)) == policy);
}

TEST_CASE(
    "policy: space and comments and URLs and opaque names may stand where the specification says",
    "[log]") {
  const Policy policy = MustParse(absl::StrCat(
      "# comment\n  \t\n\t # another, \xff\n", "\t log  ", EncodeNoteKey(TestLogKey(1)),
      "\thttps://log.example/ \n", "witness \xff\xe2\x84\xaa# ", EncodeNoteKey(TestWitnessKey(1)),
      " https://w.example/\n", "quorum \xff\xe2\x84\xaa#\n", "# after\n", LogLine(2)));
  REQUIRE(policy.logs.size() == 2);
  CHECK(policy.logs[0].url == "https://log.example/");
  CHECK(policy.logs[1].url.empty());
  CHECK(policy.witnesses[0].url == "https://w.example/");
  CHECK(policy.quorum == "\xff\xe2\x84\xaa#");
  CHECK(MustParse(EncodePolicy(policy)) == policy);
}

TEST_CASE("policy: a quorum alone is one", "[log]") {
  CHECK(MustParse("quorum none\n") ==
        Policy{.logs = {}, .witnesses = {}, .groups = {}, .quorum = "none"});
}

TEST_CASE("policy: one log may have several keys and one key may be log and witness", "[log]") {
  NoteKey both = TestWitnessKey(1);
  both.type = NoteKeyType::kEd25519;
  const Policy policy = MustParse(absl::StrCat(LogLine(1), LogLine(2), "log ", EncodeNoteKey(both),
                                               "\n", WitnessLine("w", 1), "quorum w\n"));
  CHECK(policy.logs.size() == 3);
  CHECK(policy.logs[0].key.name == policy.logs[1].key.name);
}

TEST_CASE("policy: lines of another form are refused by their number", "[log]") {
  const std::string quorum = "quorum none\n";
  const std::string vkey = EncodeNoteKey(TestLogKey(1));
  const std::string witness_vkey = EncodeNoteKey(TestWitnessKey(1));
  CheckRefused(quorum + "logs " + vkey + "\n", 2, "unknown keyword 'logs'");
  CheckRefused("\n" + quorum + "Log " + vkey + "\n", 3, "unknown keyword");
  CheckRefused(quorum + "log\n", 2, "log: not");
  CheckRefused(quorum + "log " + vkey + " url more\n", 2, "log: not");
  CheckRefused(quorum + "witness w\n", 2, "witness: not");
  CheckRefused(quorum + "witness w " + witness_vkey + " url more\n", 2, "witness: not");
  CheckRefused(quorum + "group g all\n", 2, "group: not");
  CheckRefused("quorum\n", 1, "quorum: not");
  CheckRefused("quorum none none\n", 1, "quorum: not");
  CheckRefused("quorum none", 1, "not ended");
  CheckRefused(quorum + "#", 2, "not ended");
}

TEST_CASE("policy: octets that are no text are refused even in comments", "[log]") {
  for (const char octet : {'\0', '\1', '\b', '\v', '\f', '\r', '\x1f', '\x7f'}) {
    CheckRefused(absl::StrCat("quorum none\n# ", std::string(1, octet), "\n"), 2, "control");
  }
  CheckRefused("quorum none\r\n", 1, "control");
}

TEST_CASE("policy: keys that no log or witness can have are refused", "[log]") {
  const NoteKey log = TestLogKey(1);
  const NoteKey witness = TestWitnessKey(1);
  CheckRefused("log " + EncodeNoteKey(witness) + "\n", 1, "type 4 where 1");
  CheckRefused("witness w " + EncodeNoteKey(log) + "\n", 1, "type 1 where 4");
  CheckRefused("log " + EncodeNoteKey(log).substr(1) + "\n", 1, "key hash");
  NoteKey no_point = log;
  no_point.key = PublicKey();
  CheckRefused("log " + EncodeNoteKey(no_point) + "\n", 1, "enrolled");
}

TEST_CASE("policy: one public key is one log and one witness whatever its name", "[log]") {
  NoteKey renamed_log = TestLogKey(1);
  renamed_log.name = "other";
  NoteKey renamed_witness = TestWitnessKey(1);
  renamed_witness.name = "other";
  CheckRefused(LogLine(1) + "log " + EncodeNoteKey(renamed_log) + "\n", 2, "already");
  CheckRefused(WitnessLine("a", 1) + "witness b " + EncodeNoteKey(renamed_witness) + "\n", 2,
               "already");
}

TEST_CASE("policy: names are defined once and before they are used", "[log]") {
  const std::string two = WitnessLine("a", 1) + WitnessLine("b", 2);
  CheckRefused(WitnessLine("a", 1) + WitnessLine("a", 2), 2, "'a' is defined already");
  CheckRefused(two + "group a any b\n", 3, "'a' is defined already");
  CheckRefused(two + "group g any a\ngroup g any b\n", 4, "'g' is defined already");
  CheckRefused(two + "group none any a\n", 3, "'none' is defined already");
  CheckRefused(WitnessLine("none", 1), 1, "'none' is defined already");
  CheckRefused(two + "group g any c\n", 3, "'c' is not defined above");
  CheckRefused(two + "group g any g\n", 3, "'g' is not defined above");
  CheckRefused(two + "group g any none\n", 3, "'none' is not defined above");
  CheckRefused(two + "group g any h\ngroup h any a\n", 3, "'h' is not defined above");
  CheckRefused("quorum a\n" + two, 1, "'a' is not defined above");
}

TEST_CASE("policy: a name is a member once", "[log]") {
  const std::string two = WitnessLine("a", 1) + WitnessLine("b", 2);
  CheckRefused(two + "group g 1 a a\n", 3, "'a' is a member already");
  CheckRefused(two + "group g all a b\ngroup h any a\n", 4, "'a' is a member already");
}

TEST_CASE("policy: a threshold is 1 to the number of members", "[log]") {
  const std::string two = WitnessLine("a", 1) + WitnessLine("b", 2);
  for (const char* bad : {"0", "3", "-1", "+1", "01", "x", "ALL", "18446744073709551617"}) {
    CheckRefused(absl::StrCat(two, "group g ", bad, " a b\nquorum g\n"), 3, "");
  }
  CHECK(MustParse(two + "group g 2 a b\nquorum g\n").groups[0].threshold == 2);
}

TEST_CASE("policy: there is exactly one quorum", "[log]") {
  CHECK(ParsePolicy("").status().message() == "policy: no quorum line");
  CHECK(ParsePolicy(LogLine(1)).status().message() == "policy: no quorum line");
  CheckRefused("quorum none\nquorum none\n", 2, "second quorum");
}

TEST_CASE("policy: limits hold", "[log]") {
  std::string logs;
  std::string witnesses;
  std::string groups;
  for (size_t i = 0; i <= kPolicyNamesMax; ++i) {
    std::array<uint8_t, 32> seed{};
    seed[0] = static_cast<uint8_t>(i);
    seed[1] = static_cast<uint8_t>(1 + i / 256);
    NoteKey key{
        .name = "k", .type = NoteKeyType::kEd25519, .key = SigningKey::FromSeed(seed).public_key()};
    if (i == kPolicyNamesMax) {
      CHECK(ParsePolicy(logs + witnesses + groups + "quorum none\n").ok());
    }
    absl::StrAppend(&logs, "log ", EncodeNoteKey(key), "\n");
    key.type = NoteKeyType::kCosignatureV1;
    absl::StrAppend(&witnesses, "witness w", i, " ", EncodeNoteKey(key), "\n");
    absl::StrAppend(&groups, "group g", i, " any ", i == 0 ? "w" : "g", i == 0 ? 0 : i - 1, "\n");
  }
  CheckRefused(logs, 257, "more than 256 logs");
  CheckRefused(witnesses, 257, "more than 256 witnesses");
  CheckRefused(WitnessLine("w0", 1) + groups, 258, "more than 256 groups");
  const std::string long_text = "#" + std::string(kPolicyBytesMax - 13, 'x') + "\nquorum none\n";
  CHECK(absl::IsInvalidArgument(ParsePolicy(long_text).status()));
  CHECK(ParsePolicy("#" + long_text.substr(3)).ok());
}

TEST_CASE("policy: every cut of a policy is refused", "[log]") {
  const std::string text = EncodePolicy(MustParse(ExampleText()));
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK(absl::IsInvalidArgument(ParsePolicy(text.substr(0, size)).status()));
  }
}

TEST_CASE("checkpoint under a policy: says who signed and who cosigned when", "[log]") {
  const Policy policy = MustParse(ExampleText());
  const Checkpoint checkpoint = TestCheckpoint(7);
  const absl::StatusOr<CheckpointVerdict> verdict =
      CheckCheckpoint(policy, TestNote(checkpoint, {1}, {4, 3, 1}));
  REQUIRE(verdict.ok());
  CHECK(verdict->checkpoint == checkpoint);
  CHECK(verdict->log_key_name == kTestOrigin);
  CHECK(verdict->log_vkeys == std::vector<std::string>{EncodeNoteKey(TestLogKey(1))});
  CHECK(verdict->witnesses == std::vector<std::string>{"X1", "X3", "Y1"});
  CHECK(verdict->times == std::map<std::string, uint64_t>{{"X1", kTestSeconds},
                                                          {"X3", kTestSeconds + 2},
                                                          {"Y1", kTestSeconds + 3}});
  CHECK(verdict->quorum);
  CHECK(verdict->missing.empty());
}

TEST_CASE("checkpoint under a policy: the quorum is that of the groups", "[log]") {
  const Policy policy = MustParse(ExampleText());
  // All 64 sets of witnesses; the rule is the specification's sentence about its example.
  for (uint32_t bits = 0; bits < 64; ++bits) {
    std::vector<uint8_t> witnesses;
    for (uint8_t i = 0; i < 6; ++i) {
      if ((bits >> i & 1) != 0) witnesses.push_back(static_cast<uint8_t>(i + 1));
    }
    const auto verdict = CheckCheckpoint(policy, TestNote(TestCheckpoint(7), {1}, witnesses));
    REQUIRE(verdict.ok());
    const bool expected = std::popcount(bits & 7u) >= 2 && std::popcount(bits >> 3) >= 1;
    CHECK(verdict->quorum == expected);
    CHECK(verdict->missing.empty() == expected);
  }
}

TEST_CASE("checkpoint under a policy: what is missing is told from the quorum down", "[log]") {
  const auto verdict =
      CheckCheckpoint(MustParse(ExampleText()), TestNote(TestCheckpoint(7), {1}, {1, 4}));
  REQUIRE(verdict.ok());
  CHECK(verdict->missing ==
        "group X-and-Y has 1 of 2, without X-witnesses; group X-witnesses has 1 of 2, without X2, "
        "X3");
  const Policy one = MustParse(LogLine(1) + WitnessLine("w", 1) + "quorum w\n");
  CHECK(CheckCheckpoint(one, TestNote(TestCheckpoint(7), {1}, {2}))->missing == "witness w");
  CHECK(CheckCheckpoint(one, TestNote(TestCheckpoint(7), {1}, {1}))->quorum);
  const Policy none = MustParse(LogLine(1) + WitnessLine("w", 1) + "quorum none\n");
  CHECK(CheckCheckpoint(none, TestNote(TestCheckpoint(7), {1}, {}))->quorum);
}

TEST_CASE("checkpoint under a policy: any listed key of the origin signs for the log", "[log]") {
  const Policy policy = MustParse(LogLine(1) + LogLine(2) + LogLine(3) + "quorum none\n");
  const auto verdict = CheckCheckpoint(policy, TestNote(TestCheckpoint(7), {3, 9, 2}, {}));
  REQUIRE(verdict.ok());
  CHECK(verdict->log_vkeys ==
        std::vector<std::string>{EncodeNoteKey(TestLogKey(2)), EncodeNoteKey(TestLogKey(3))});
}

TEST_CASE("checkpoint under a policy: without a listed key of the origin it is denied", "[log]") {
  const Policy policy = MustParse(ExampleText());
  const auto code = [&](const std::string& note) {
    return CheckCheckpoint(policy, note).status().code();
  };
  CHECK(code(TestNote(TestCheckpoint(7), {2}, {1, 2, 4})) == absl::StatusCode::kPermissionDenied);
  CHECK(code(TestNote(TestCheckpoint(7), {}, {1, 2, 4})) == absl::StatusCode::kPermissionDenied);
  // A valid line of a listed log says nothing about a log of another name.
  Checkpoint other = TestCheckpoint(7);
  other.origin = "other.example/log";
  CHECK(code(TestNote(other, {1}, {1, 2, 4})) == absl::StatusCode::kPermissionDenied);
}

TEST_CASE("checkpoint under a policy: a listed key's line that does not verify spoils it",
          "[log]") {
  const Policy policy = MustParse(absl::StrCat(LogLine(2), ExampleText()));
  const SignedNote good = *DecodeNote(TestNote(TestCheckpoint(7), {1, 2}, {1, 2, 4}));
  REQUIRE(CheckCheckpoint(policy, EncodeNote(good))->quorum);
  for (size_t i = 0; i < good.signatures.size(); ++i) {
    SignedNote bad = good;
    bad.signatures[i].signature.back() ^= 1;
    CHECK(absl::IsDataLoss(CheckCheckpoint(policy, EncodeNote(bad)).status()));
    // Also behind a good line of the same key.
    bad = good;
    bad.signatures.push_back(bad.signatures[i]);
    bad.signatures.back().signature.front() ^= 1;
    CHECK(absl::IsDataLoss(CheckCheckpoint(policy, EncodeNote(bad)).status()));
  }
}

TEST_CASE("checkpoint under a policy: a key with several lines counts once at its latest time",
          "[log]") {
  const Policy policy = MustParse(absl::StrCat(LogLine(1), WitnessLine("a", 1), WitnessLine("b", 2),
                                               "group g 2 a b\nquorum g\n"));
  SignedNote note = *DecodeNote(TestNote(TestCheckpoint(7), {1, 1}, {1}));
  for (uint64_t seconds : {kTestSeconds + 50, kTestSeconds + 9}) {
    note.signatures.push_back(
        CosignNote(TestWitnessSecret(1), TestWitnessKey(1).name, note.text, seconds));
  }
  const auto verdict = CheckCheckpoint(policy, EncodeNote(note));
  REQUIRE(verdict.ok());
  CHECK(verdict->log_vkeys.size() == 1);
  CHECK(verdict->witnesses == std::vector<std::string>{"a"});
  CHECK(verdict->times.at("a") == kTestSeconds + 50);
  CHECK_FALSE(verdict->quorum);
}

TEST_CASE("checkpoint under a policy: what is no signed checkpoint is refused", "[log]") {
  const Policy policy = MustParse(ExampleText());
  const std::string note = TestNote(TestCheckpoint(7), {1}, {1, 2, 4});
  CHECK(absl::IsInvalidArgument(CheckCheckpoint(policy, "").status()));
  CHECK(absl::IsInvalidArgument(CheckCheckpoint(policy, note + "x").status()));
  SignedNote text{.text = "no\ncheckpoint\n", .signatures = {}};
  text.signatures.push_back(SignNote(TestKey(1), kTestOrigin, text.text));
  CHECK(absl::IsInvalidArgument(CheckCheckpoint(policy, EncodeNote(text)).status()));
}

}  // namespace
}  // namespace vigil::ledger
