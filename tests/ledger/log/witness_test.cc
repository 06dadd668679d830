#include "ledger/log/witness.h"

#include "absl/strings/match.h"
#include "tests/ledger/log/test_log.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

WitnessLog TestLog() {
  return {.origin = std::string(kTestOrigin),
          .keys = {TestLogKey(1), TestLogKey(2)},
          .required_quorum = std::nullopt};
}

// Both cosigners of the log's own are needed.
WitnessLog StrictLog() {
  WitnessLog log = TestLog();
  Policy policy;
  for (uint8_t number : {1, 2}) policy.logs.push_back({.key = TestLogKey(number), .url = ""});
  policy.witnesses.push_back({.name = "a", .key = TestWitnessKey(1), .url = ""});
  policy.witnesses.push_back({.name = "b", .key = TestWitnessKey(2), .url = ""});
  policy.groups.push_back({.name = "both", .threshold = 2, .members = {"a", "b"}});
  policy.quorum = "both";
  log.required_quorum = policy;
  return log;
}

WitnessedState StateAt(uint64_t size) { return {.size = size, .root = TestCheckpoint(size).root}; }

// From `old_size` to `size`, signed by validator 2.
AddCheckpoint Request(uint64_t old_size, uint64_t size) {
  return {.old_size = old_size,
          .path = old_size == 0 ? std::vector<Hash>() : ConsistencyPath(TestLeaves(size), old_size),
          .checkpoint = TestNote(TestCheckpoint(size), {2}, {})};
}

// A refusal carries a text and nothing to sign or keep.
void CheckRefusal(const WitnessDecision& decision, int http_status, absl::string_view part) {
  INFO(decision.body);
  CHECK(decision.http_status == http_status);
  CHECK(decision.content_type == kWitnessTextType);
  CHECK(absl::StrContains(decision.body, part));
  CHECK(absl::EndsWith(decision.body, "\n"));
  CHECK_FALSE(decision.next.has_value());
  CHECK(decision.checkpoint_text.empty());
}

void CheckConflict(const WitnessDecision& decision, const std::string& body) {
  CHECK(decision.http_status == 409);
  CHECK(decision.content_type == "text/x.tlog.size");
  CHECK(decision.body == body);
  CHECK_FALSE(decision.next.has_value());
  CHECK(decision.checkpoint_text.empty());
}

void CheckCosigns(const WitnessDecision& decision, uint64_t size) {
  INFO(decision.body);
  CHECK(decision.http_status == 200);
  REQUIRE(decision.next.has_value());
  CHECK(*decision.next == StateAt(size));
  CHECK(decision.checkpoint_text == EncodeCheckpoint(TestCheckpoint(size)));
  CHECK(decision.body.empty());
}

TEST_CASE("add-checkpoint: comes back", "[log]") {
  for (const AddCheckpoint& request : {Request(0, 0), Request(0, 9), Request(6, 13)}) {
    const absl::StatusOr<AddCheckpoint> decoded = DecodeAddCheckpoint(EncodeAddCheckpoint(request));
    REQUIRE(decoded.ok());
    CHECK(*decoded == request);
  }
  const AddCheckpoint request = Request(0, 9);
  CHECK(EncodeAddCheckpoint(request) == "old 0\n\n" + request.checkpoint);
}

TEST_CASE("add-checkpoint: the body of the specification's example is read", "[log]") {
  // C2SP tlog-witness, section add-checkpoint.
  const absl::StatusOr<AddCheckpoint> request = DecodeAddCheckpoint(
      "old 20852014\n"
      "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
      "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
      "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
      "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
      "\n"
      "example.com/behind-the-sofa\n"
      "20852163\n"
      "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
      "\n"
      "\xe2\x80\x94 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/"
      "5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
      "\xe2\x80\x94 example.com/behind-the-sofa "
      "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/"
      "V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n");
  REQUIRE(request.ok());
  CHECK(request->old_size == 20'852'014);
  CHECK(request->path.size() == 4);
}

TEST_CASE("add-checkpoint: any other body is refused", "[log]") {
  const std::string hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  const std::string note = TestNote(TestCheckpoint(9), {1}, {});
  REQUIRE(DecodeAddCheckpoint("old 9\n" + hash + "\n" + note).ok());
  std::string many_hashes;
  for (size_t i = 0; i <= kProofHashesMax; ++i) many_hashes += hash;
  for (const std::string& bad : {std::string(),
                                 "\n" + note,
                                 "old\n\n" + note,
                                 "old \n\n" + note,
                                 "Old 9\n\n" + note,
                                 "size 9\n\n" + note,
                                 "old  9\n\n" + note,
                                 "old 09\n\n" + note,
                                 "old +9\n\n" + note,
                                 "old 9 \n\n" + note,
                                 "old -9\n\n" + note,
                                 "old 9\r\n\n" + note,
                                 "old 9223372036854775808\n\n" + note,
                                 "old 9\nold 9\n\n" + note,
                                 "old 9\n" + note,
                                 "old 9\nAAAA\n\n" + note,
                                 "old 9\n" + hash + note,
                                 "old 9\n" + many_hashes + "\n" + note,
                                 "old 9\n" + hash.substr(0, 44) + " \n\n" + note,
                                 std::string("old 9\n\n"),
                                 "old 9\n\n\n" + note,
                                 "old 9\n\n" + note + "\n",
                                 "old 9\n\n" + EncodeCheckpoint(TestCheckpoint(9))}) {
    INFO(bad.substr(0, 500));
    CHECK(absl::IsInvalidArgument(DecodeAddCheckpoint(bad).status()));
  }
  // Before a line is read.
  CHECK(DecodeAddCheckpoint(std::string(kAddCheckpointBytesMax + 1, 'x')).status().message() ==
        "add-checkpoint of 1052673 bytes, at most 1052672");
  const std::string body = EncodeAddCheckpoint(Request(6, 13));
  for (size_t size = 0; size < body.size(); ++size) {
    CHECK(absl::IsInvalidArgument(DecodeAddCheckpoint(body.substr(0, size)).status()));
  }
}

TEST_CASE("add-checkpoint: the largest signed checkpoint with the longest path fits", "[log]") {
  AddCheckpoint request = Request(0, 9);
  request.old_size = kTreeSizeMax;
  request.path.resize(kProofHashesMax);
  const std::string head = EncodeAddCheckpoint(request);
  CHECK(head.size() - request.checkpoint.size() + kNoteBytesMax <= kAddCheckpointBytesMax);
}

TEST_CASE("witness size: is a decimal and a newline", "[log]") {
  for (uint64_t size : {uint64_t{0}, uint64_t{20'852'014}, kTreeSizeMax}) {
    CHECK(*DecodeWitnessSize(EncodeWitnessSize(size)) == size);
  }
  CHECK(EncodeWitnessSize(7) == "7\n");
  for (const char* bad : {"", "\n", "7", "7\n\n", "07\n", "+7\n", " 7\n", "7 \n", "7\r\n", "x\n",
                          "9223372036854775808\n"}) {
    CHECK(absl::IsInvalidArgument(DecodeWitnessSize(bad).status()));
  }
}

TEST_CASE("witness: finds the log by the checkpoint's origin", "[log]") {
  std::vector<WitnessLog> logs = {TestLog(), TestLog()};
  logs[0].origin = "other";
  CHECK(FindWitnessLog(logs, Request(0, 9).checkpoint) == &logs[1]);
  CHECK(FindWitnessLog(std::span(logs).first(1), Request(0, 9).checkpoint) == nullptr);
  CHECK(FindWitnessLog(logs, "") == nullptr);
}

TEST_CASE("witness: cosigns what follows from what it cosigned", "[log]") {
  const WitnessLog log = TestLog();
  for (uint64_t old_size = 0; old_size <= 20; ++old_size) {
    for (uint64_t size = old_size; size <= 20; ++size) {
      INFO(old_size << " to " << size);
      CheckCosigns(DecideWitness(&log, StateAt(old_size), Request(old_size, size)), size);
    }
  }
}

TEST_CASE("witness: what it never cosigned is a state without a root", "[log]") {
  const WitnessLog log = TestLog();
  CheckCosigns(DecideWitness(&log, WitnessedState{}, Request(0, 0)), 0);
  CheckCosigns(DecideWitness(&log, WitnessedState{}, Request(0, 9)), 9);
}

TEST_CASE("witness: a checkpoint that is none gets 400", "[log]") {
  const WitnessLog log = TestLog();
  AddCheckpoint request = Request(6, 13);
  request.checkpoint += "x";
  CheckRefusal(DecideWitness(&log, StateAt(6), request), 400, "note");
  // Even when nobody knows the log.
  CheckRefusal(DecideWitness(nullptr, StateAt(6), request), 400, "note");
}

TEST_CASE("witness: an unknown origin gets 404", "[log]") {
  CheckRefusal(DecideWitness(nullptr, StateAt(6), Request(6, 13)), 404, "test.example/log");
  WitnessLog other = TestLog();
  other.origin = "other";
  CheckRefusal(DecideWitness(&other, StateAt(6), Request(6, 13)), 404, "test.example/log");
}

TEST_CASE("witness: a checkpoint without a trusted signature gets 403", "[log]") {
  const WitnessLog log = TestLog();
  AddCheckpoint request = Request(6, 13);
  request.checkpoint = TestNote(TestCheckpoint(13), {3, 4}, {1, 2});
  CheckRefusal(DecideWitness(&log, StateAt(6), request), 403, "none of the log's keys");
  // Before anything is said about sizes.
  CheckRefusal(DecideWitness(&log, StateAt(5), request), 403, "none of the log's keys");
}

TEST_CASE("witness: one trusted key is enough and the lines of strangers are ignored", "[log]") {
  const WitnessLog log = TestLog();
  AddCheckpoint request = Request(6, 13);
  request.checkpoint = TestNote(TestCheckpoint(13), {9, 1, 8}, {7});
  CheckCosigns(DecideWitness(&log, StateAt(6), request), 13);
}

TEST_CASE("witness: a trusted key's line that does not verify gets 403", "[log]") {
  const WitnessLog log = TestLog();
  AddCheckpoint request = Request(6, 13);
  SignedNote note = *DecodeNote(TestNote(TestCheckpoint(13), {1, 2}, {}));
  note.signatures[0].signature[5] ^= 1;
  request.checkpoint = EncodeNote(note);
  CheckRefusal(DecideWitness(&log, StateAt(6), request), 403, "bad signature");
}

TEST_CASE("witness: without the quorum that it demands of the log it answers 403", "[log]") {
  const WitnessLog log = StrictLog();
  AddCheckpoint request = Request(6, 13);
  CheckRefusal(DecideWitness(&log, StateAt(6), request), 403, "group both has 0 of 2");
  request.checkpoint = TestNote(TestCheckpoint(13), {2}, {1});
  CheckRefusal(DecideWitness(&log, StateAt(6), request), 403, "without b");
  request.checkpoint = TestNote(TestCheckpoint(13), {2}, {1, 2});
  CheckCosigns(DecideWitness(&log, StateAt(6), request), 13);
  SignedNote note = *DecodeNote(request.checkpoint);
  note.signatures.back().signature.back() ^= 1;
  request.checkpoint = EncodeNote(note);
  CheckRefusal(DecideWitness(&log, StateAt(6), request), 403, "bad signature");
}

TEST_CASE("witness: an old size above the checkpoint's gets 400", "[log]") {
  const WitnessLog log = TestLog();
  AddCheckpoint request = Request(6, 13);
  request.old_size = 14;
  // Whatever the state is.
  CheckRefusal(DecideWitness(&log, StateAt(6), request), 400, "14");
  CheckRefusal(DecideWitness(&log, StateAt(14), request), 400, "14");
}

TEST_CASE("witness: an old size that is not its last gets 409 and the one that is", "[log]") {
  const WitnessLog log = TestLog();
  CheckConflict(DecideWitness(&log, StateAt(6), Request(5, 13)), "6\n");
  CheckConflict(DecideWitness(&log, StateAt(6), Request(7, 13)), "6\n");
  CheckConflict(DecideWitness(&log, StateAt(6), Request(0, 13)), "6\n");
  CheckConflict(DecideWitness(&log, WitnessedState{}, Request(6, 13)), "0\n");
  // The log went back behind what was cosigned.
  CheckConflict(DecideWitness(&log, StateAt(13), Request(6, 9)), "13\n");
}

TEST_CASE("witness: the last size is checked before the path is", "[log]") {
  const WitnessLog log = TestLog();
  AddCheckpoint request = Request(5, 13);
  request.path[0].bytes[0] ^= 1;
  CheckConflict(DecideWitness(&log, StateAt(6), request), "6\n");
}

TEST_CASE("witness: another root at the same size gets 409 without a size", "[log]") {
  const WitnessLog log = TestLog();
  for (uint64_t size : {uint64_t{0}, uint64_t{6}}) {
    Checkpoint fork = TestCheckpoint(size);
    fork.root.bytes[31] ^= 1;
    AddCheckpoint request = Request(size, size);
    request.checkpoint = TestNote(fork, {2}, {});
    CheckRefusal(DecideWitness(&log, StateAt(size), request), 409, "another root");
    // A path does not help.
    request.path.resize(1);
    CheckRefusal(DecideWitness(&log, StateAt(size), request), 409, "another root");
  }
}

TEST_CASE("witness: a path that does not lead from its root to the new one gets 422", "[log]") {
  const WitnessLog log = TestLog();
  const AddCheckpoint good = Request(6, 13);
  CheckCosigns(DecideWitness(&log, StateAt(6), good), 13);
  for (size_t i = 0; i < good.path.size(); ++i) {
    AddCheckpoint bad = good;
    bad.path[i].bytes[7] ^= 1;
    CheckRefusal(DecideWitness(&log, StateAt(6), bad), 422, "another root");
    bad = good;
    bad.path.erase(bad.path.begin() + static_cast<std::ptrdiff_t>(i));
    CheckRefusal(DecideWitness(&log, StateAt(6), bad), 422, "hashes");
  }
  AddCheckpoint longer = good;
  longer.path.push_back(Hash());
  CheckRefusal(DecideWitness(&log, StateAt(6), longer), 422, "hashes");
  // The witness saw another tree of that size.
  WitnessedState forked = StateAt(6);
  forked.root.bytes[0] ^= 1;
  CheckRefusal(DecideWitness(&log, forked, good), 422, "another root");
}

TEST_CASE("witness: a path from nothing or to the same tree gets 422", "[log]") {
  const WitnessLog log = TestLog();
  for (const auto& [old_size, size] :
       std::vector<std::pair<uint64_t, uint64_t>>{{0, 9}, {0, 0}, {9, 9}}) {
    AddCheckpoint request = Request(old_size, size);
    request.path.push_back(Hash());
    CheckRefusal(DecideWitness(&log, StateAt(old_size), request), 422, "hashes");
  }
}

}  // namespace
}  // namespace vigil::ledger
