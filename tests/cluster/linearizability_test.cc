#include "tests/cluster/linearizability.h"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "tests/cluster/records.h"
#include "tests/cluster/sessions.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::cluster {
namespace {

using Catch::Matchers::Contains;

std::string LeafOf(const std::string& stream, uint64_t sequence) {
  return absl::StrCat("leaf-", stream, "-", sequence);
}

Operation At(int64_t invoked, int64_t returned) {
  Operation operation;
  operation.invoked_nanos = invoked;
  operation.returned_nanos = returned;
  operation.outcome = returned == kNever ? Outcome::kOpen : Outcome::kOk;
  operation.endpoint = 1;
  return operation;
}

Operation Append(const std::string& stream, uint64_t sequence, int64_t invoked, int64_t returned,
                 uint64_t position) {
  Operation operation = At(invoked, returned);
  operation.stream = stream;
  operation.sequence = sequence;
  operation.leaf = LeafOf(stream, sequence);
  operation.position = position;
  operation.height = position;
  return operation;
}

Operation Duplicate(Operation append) {
  append.duplicate = true;
  return append;
}

Operation Refused(Operation append) {
  append.outcome = Outcome::kFail;
  return append;
}

Operation Open(const std::string& stream, uint64_t sequence, int64_t invoked) {
  return Append(stream, sequence, invoked, kNever, 0);
}

Operation ReadHead(const std::string& stream, int64_t invoked, int64_t returned, uint64_t sequence,
                   uint64_t position) {
  Operation operation = At(invoked, returned);
  operation.action = Action::kReadHead;
  operation.stream = stream;
  operation.sequence = sequence;
  operation.leaf = sequence == 0 ? "" : LeafOf(stream, sequence);
  operation.position = position;
  return operation;
}

Operation ReadRecord(const std::string& stream, uint64_t sequence, int64_t invoked,
                     int64_t returned, uint64_t position) {
  Operation operation = ReadHead(stream, invoked, returned, sequence, position);
  operation.action = Action::kReadRecord;
  return operation;
}

Operation ReadTip(int64_t invoked, int64_t returned, uint64_t height) {
  Operation operation = At(invoked, returned);
  operation.action = Action::kReadTip;
  operation.height = height;
  return operation;
}

History Of(std::vector<Operation> operations) {
  History history{.operations = std::move(operations), .downs = {}};
  for (size_t i = 0; i < history.operations.size(); ++i) history.operations[i].process = i;
  SortByInvocation(&history);
  return history;
}

void CheckGood(std::vector<Operation> operations) {
  const LinearizabilityReport report = CheckLinearizability(Of(std::move(operations)));
  INFO(report.why);
  CHECK(report.verdict == Verdict::kLinearizable);
}

// Refused, and the explanation names what a person looks for.
void CheckBad(std::vector<Operation> operations, const std::string& says) {
  const LinearizabilityReport report = CheckLinearizability(Of(std::move(operations)));
  CHECK(report.verdict == Verdict::kNot);
  CHECK_THAT(report.why, Contains(says));
}

TEST_CASE("linearizability: one client after the other fits") {
  CheckGood({});
  CheckGood({ReadHead("a", 1, 2, 0, 0), Append("a", 1, 3, 4, 10), ReadHead("a", 5, 6, 1, 10),
             Append("b", 1, 7, 8, 11), Append("a", 2, 9, 10, 12), ReadHead("a", 11, 12, 2, 12),
             ReadRecord("a", 1, 13, 14, 10), ReadTip(15, 16, 12)});
}

TEST_CASE("linearizability: a read beside an append may give either") {
  CheckGood({Append("a", 1, 1, 10, 5), ReadHead("a", 2, 3, 0, 0)});
  CheckGood({Append("a", 1, 1, 10, 5), ReadHead("a", 2, 3, 1, 5)});
  CheckGood({Append("a", 1, 1, 10, 5), ReadTip(2, 3, 4)});
  CheckGood({Append("a", 1, 1, 10, 5), ReadTip(2, 3, 5)});
  CheckGood({Append("a", 1, 1, 10, 5), ReadRecord("a", 1, 2, 3, 0)});
}

TEST_CASE("linearizability: what was never answered may have happened late or never") {
  CheckGood({Open("a", 1, 1), ReadHead("a", 2, 3, 0, 0), ReadHead("a", 4, 5, 0, 0)});
  CheckGood({Open("a", 1, 1), ReadHead("a", 2, 3, 0, 0), ReadHead("a", 4, 5, 1, 7)});
  // Sent again, answered as a duplicate, and an older try stays open for ever.
  CheckGood({Open("a", 1, 1), Open("a", 1, 5), Duplicate(Append("a", 1, 8, 9, 7)),
             Append("a", 2, 10, 11, 8)});
  // The first answer is lost, and others append in between.
  CheckGood({Open("a", 1, 1), Append("b", 1, 3, 4, 20), Append("a", 1, 5, 6, 12)});
}

TEST_CASE("linearizability: a stale read is refused") {
  CheckBad({Append("a", 1, 1, 2, 5), ReadHead("a", 3, 4, 0, 0)},
           "the head of the stream is #1 by then");
  CheckBad({Append("a", 1, 1, 2, 5), Append("a", 2, 3, 4, 6), ReadHead("a", 5, 6, 1, 5)},
           "read-head (linearizable) a at endpoint 1 -> #1 position 5");
  CheckBad({Append("a", 1, 1, 2, 5), ReadTip(3, 4, 4)}, "height 5 is there by then");
  CheckBad({ReadTip(1, 2, 6), Append("a", 1, 3, 4, 6)}, "a read gave height 6 before");
}

TEST_CASE("linearizability: a lost append is refused") {
  CheckBad({Append("a", 1, 1, 2, 5), ReadRecord("a", 1, 3, 4, 0)}, "the record is there by then");
  // Another record took its place, and the stream goes on as if nothing had been there.
  CheckBad({Append("a", 1, 1, 2, 5), Append("a", 2, 3, 4, 6), ReadHead("a", 5, 6, 1, 5),
            Append("a", 2, 7, 8, 7)},
           "one record has two positions");
}

TEST_CASE("linearizability: an append that happened twice is refused") {
  CheckBad({Append("a", 1, 1, 2, 5), Append("a", 1, 3, 4, 9)}, "one record has two positions");
  CheckBad({Append("a", 1, 1, 2, 5), Duplicate(Append("a", 1, 3, 4, 6))},
           "one record has two positions");
  CheckBad({Duplicate(Append("a", 1, 1, 2, 5))}, "so it is no duplicate");
  CheckBad({Append("a", 1, 1, 2, 5), Append("b", 1, 3, 4, 5)}, "one position has two records");
}

TEST_CASE("linearizability: appends against the order of time are refused") {
  CheckBad({Append("a", 1, 1, 2, 9), Append("b", 1, 3, 4, 5)}, "position 5 must come first");
  CheckBad({Append("a", 2, 1, 2, 5), Append("a", 1, 3, 4, 6)},
           "the head of the stream is #0 by then");
  // Beside each other they may have either order.
  CheckGood({Append("a", 1, 1, 4, 9), Append("b", 1, 2, 3, 5)});
}

TEST_CASE("linearizability: reads that go backwards are refused") {
  CheckBad({Append("a", 1, 1, 20, 5), ReadHead("a", 2, 3, 1, 5), ReadHead("a", 4, 5, 0, 0)},
           "the head of the stream is #1 by then");
  CheckBad({Open("a", 1, 1), ReadHead("a", 2, 3, 1, 5), ReadHead("a", 4, 5, 0, 0)},
           "the head of the stream is #1 by then");
  CheckBad({ReadTip(1, 2, 8), ReadTip(3, 4, 7)}, "height 8 is there by then");
}

TEST_CASE("linearizability: what nobody has written is refused") {
  CheckBad({ReadHead("a", 1, 2, 1, 5)}, "nobody had submitted");
  CheckBad({ReadHead("a", 1, 2, 1, 5), Append("a", 1, 3, 4, 5)}, "nobody had submitted");
  CheckBad({Refused(Append("a", 1, 1, 2, 0)), ReadHead("a", 3, 4, 1, 5)}, "nobody had submitted");
  Operation other = ReadHead("a", 3, 4, 1, 5);
  other.leaf = "leaf-of-somebody-else";
  CheckBad({Append("a", 1, 1, 2, 5), other}, "other bytes than those of the record");
}

TEST_CASE("linearizability: the search says when it gives up") {
  std::vector<Operation> operations;
  for (int i = 0; i < 12; ++i) operations.push_back(Open(absl::StrCat("s", i), 1, 1));
  operations.push_back(ReadHead("t", 2, 3, 0, 0));
  operations.push_back(Append("u", 2, 4, 5, 9));  // Never possible: #1 is not there.
  const LinearizabilityReport report = CheckLinearizability(Of(operations), /*states_max=*/100);
  CHECK(report.verdict == Verdict::kUnknown);
  CHECK_THAT(report.why, Contains("gave up after 100 states"));
  CHECK(CheckLinearizability(Of(operations)).verdict == Verdict::kNot);
}

// An independent slow version: tries every order of the answered operations, and of whichever open
// ones, against the definition.
class EveryOrder {
 public:
  explicit EveryOrder(const History& history) : history_(history) {}
  bool Fits() { return Records(history_).violations().empty() && Go({}); }

 private:
  bool Go(std::vector<const Operation*> order) {
    if (!Replay(order)) return false;
    bool complete = true;
    for (const Operation& next : history_.operations) {
      if (std::count(order.begin(), order.end(), &next) > 0) continue;
      if (next.outcome == Outcome::kFail) continue;
      if (next.outcome == Outcome::kOk) complete = false;
      bool in_time = true;
      for (const Operation& other : history_.operations) {
        if (std::count(order.begin(), order.end(), &other) == 0 && other.outcome == Outcome::kOk &&
            other.returned_nanos < next.invoked_nanos) {
          in_time = false;
        }
      }
      if (!in_time) continue;
      order.push_back(&next);
      if (Go(order)) return true;
      order.pop_back();
    }
    return complete;
  }

  // What answers tell of the position or height of a record, 0: nothing.
  uint64_t Told(const Operation& append, uint64_t Operation::*what) const {
    for (const Operation& one : history_.operations) {
      if (one.outcome == Outcome::kOk && one.action != Action::kReadTip &&
          one.stream == append.stream && one.sequence == append.sequence && one.*what > 0)
        return one.*what;
    }
    return 0;
  }

  bool Replay(const std::vector<const Operation*>& order) const {
    std::map<std::string, uint64_t> heads;
    uint64_t last = 0;
    uint64_t height = 0;
    uint64_t tip = 0;
    for (const Operation* one : order) {
      uint64_t& head = heads[one->stream];
      if (one->action == Action::kReadTip) {
        if (one->height < std::max(height, tip)) return false;
        tip = one->height;
      } else if (one->action == Action::kReadHead) {
        if (head != one->sequence) return false;
      } else if (one->action == Action::kReadRecord) {
        if ((head >= one->sequence) != (one->position > 0)) return false;
      } else if (one->sequence == head + 1) {
        if (one->duplicate) return false;
        ++head;
        const uint64_t position = Told(*one, &Operation::position);
        if (position > 0 && position <= last) return false;
        last = std::max(last, position);
        const uint64_t own_height = Told(*one, &Operation::height);
        if (own_height > 0 && own_height <= tip) return false;
        height = std::max(height, own_height);
      } else if (one->sequence > head + 1) {
        if (one->outcome == Outcome::kOk) return false;
      }
    }
    return true;
  }

  const History& history_;
};

Operation RandomOperation(SplitMix64* random) {
  const std::string stream(1, static_cast<char>('a' + random->Below(2)));
  // Whole microseconds, which is what a description shows.
  const int64_t invoked = static_cast<int64_t>(random->Below(12)) * 1000;
  const int64_t returned = invoked + static_cast<int64_t>(random->Below(8)) * 1000 + 1000;
  const uint64_t sequence = random->Below(2) + 1;
  // Mostly one position for each record, so that many histories get past that.
  const uint64_t position =
      random->Below(10) == 0 ? random->Below(6) + 1 : 2 * sequence + (stream == "a" ? 0 : 1);
  switch (random->Below(8)) {
    case 0:
      return ReadHead(stream, invoked, returned, sequence, position);
    case 1:
      return ReadHead(stream, invoked, returned, 0, 0);
    case 2:
      return ReadTip(invoked, returned, random->Below(7) + 1);
    case 3:
      return ReadRecord(stream, sequence, invoked, returned, random->Below(2) * position);
    case 4:
      return Open(stream, sequence, invoked);
    case 5:
      return Duplicate(Append(stream, sequence, invoked, returned, position));
    default:
      return Append(stream, sequence, invoked, returned, position);
  }
}

TEST_CASE("linearizability: small histories are judged as by trying every order") {
  VIGIL_TEST_SEED(seed, 20261128);
  SplitMix64 random(seed);
  int good = 0;
  constexpr int kHistories = 20'000;
  for (int i = 0; i < kHistories; ++i) {
    std::vector<Operation> operations;
    const uint64_t count = random.Below(5) + 2;
    for (uint64_t k = 0; k < count; ++k) operations.push_back(RandomOperation(&random));
    const History history = Of(operations);
    const LinearizabilityReport report = CheckLinearizability(history);
    const bool fits = EveryOrder(history).Fits();
    if (fits != (report.verdict == Verdict::kLinearizable)) {
      std::string text;
      for (const Operation& one : history.operations) absl::StrAppend(&text, Describe(one), "\n");
      FAIL("every order says " << fits << " of\n" << text << report.why);
    }
    good += fits ? 1 : 0;
  }
  CHECK(good > kHistories / 20);
  CHECK(good < kHistories * 19 / 20);
}

// What many clients of a sound log see: the log moves on its own clock, clients see it at one
// moment within each call, and some answers are lost.
History SoundHistory(SplitMix64* random, size_t count) {
  struct Stream {
    uint64_t tried = 1;
    bool applied = false;  // The record `tried` is in.
    std::vector<uint64_t> positions = {0};
  };
  std::vector<Stream> streams(8);
  std::vector<int64_t> free_at(streams.size(), 0);
  std::vector<Operation> operations;
  uint64_t position = 0;
  for (int64_t now = 1'000; operations.size() < count; now += 10) {
    const size_t i = random->Below(streams.size());
    if (free_at[i] > now) continue;
    Stream& own = streams[i];
    const std::string name = absl::StrCat("s", i);
    const int64_t invoked = std::max(free_at[i], now - static_cast<int64_t>(random->Below(200)));
    const int64_t returned = now + static_cast<int64_t>(random->Below(200)) + 1;
    free_at[i] = returned + 1;
    if (random->Below(3) == 0) {
      const size_t other = random->Below(streams.size());
      const Stream& read = streams[other];
      const uint64_t head = read.tried - (read.applied ? 0 : 1);
      operations.push_back(
          random->Below(4) == 0
              ? ReadTip(invoked, returned, std::max<uint64_t>(position, 1))
              : ReadHead(absl::StrCat("s", other), invoked, returned, head, read.positions[head]));
      continue;
    }
    const bool was_there = own.applied;
    const bool reaches = was_there || random->Below(8) != 0;
    if (reaches && !was_there) {
      own.applied = true;
      own.positions.push_back(position += random->Below(3) + 1);
    }
    if (!reaches || random->Below(6) == 0) {
      operations.push_back(Open(name, own.tried, invoked));
      continue;
    }
    Operation append = Append(name, own.tried, invoked, returned, own.positions[own.tried]);
    append.duplicate = was_there;
    operations.push_back(append);
    ++own.tried;
    own.applied = false;
  }
  return Of(operations);
}

TEST_CASE("linearizability: long histories of a sound log fit and one wrong answer is found") {
  VIGIL_TEST_SEED(seed, 20261128);
  SplitMix64 random(seed);
  for (int round = 0; round < 5; ++round) {
    History history = SoundHistory(&random, 5'000);
    const LinearizabilityReport report = CheckLinearizability(history);
    INFO(report.why);
    REQUIRE(report.verdict == Verdict::kLinearizable);
    // A read in the middle gives the head of a while ago.
    for (size_t i = 2'500; i < history.operations.size(); ++i) {
      Operation& read = history.operations[i];
      if (read.action != Action::kReadHead || read.sequence < 30) continue;
      read.sequence -= 20;
      read.leaf = LeafOf(read.stream, read.sequence);
      read.position = 0;
      break;
    }
    CHECK(CheckLinearizability(history).verdict == Verdict::kNot);
  }
}

Operation Local(Operation read, uint64_t endpoint, ReadMode mode = ReadMode::kLocal) {
  read.mode = mode;
  read.endpoint = endpoint;
  return read;
}

TEST_CASE("sessions: local reads may be old but one validator takes nothing back") {
  const auto violations = [](std::vector<Operation> operations, std::vector<Down> downs) {
    History history = Of(std::move(operations));
    history.downs = std::move(downs);
    const std::vector<std::string> found = CheckSessions(history);
    return found.empty() ? std::string() : found.front();
  };
  const Operation append = Append("a", 1, 1, 2, 5);
  CHECK(violations({append, Local(ReadHead("a", 3, 4, 0, 0), 2)}, {}).empty());
  // Read your own writes, where they were acknowledged.
  CHECK_THAT(violations({append, Local(ReadHead("a", 3, 4, 0, 0), 1)}, {}),
             Contains("takes back what it has shown"));
  CHECK_THAT(violations({append, Local(ReadTip(3, 4, 4), 1)}, {}), Contains("takes back"));
  CHECK_THAT(violations({append, Local(ReadRecord("a", 1, 3, 4, 0), 1)}, {}),
             Contains("takes back"));
  const Operation seen = Local(ReadHead("a", 3, 4, 1, 5), 2);
  const Operation older = Local(ReadHead("a", 7, 8, 0, 0), 2);
  CHECK_THAT(violations({append, seen, older}, {}), Contains("takes back"));
  // Killed in between, it may have to execute again; but not if it was killed before.
  CHECK(violations({append, seen, older}, {{.endpoint = 2, .at_nanos = 5}}).empty());
  CHECK_THAT(violations({append, seen, older}, {{.endpoint = 2, .at_nanos = 2}}),
             Contains("takes back"));
  CHECK_THAT(violations({append, seen, older}, {{.endpoint = 1, .at_nanos = 5}}),
             Contains("takes back"));
  // An answer that was under way meanwhile may be from before, and says nothing of the time after.
  CHECK(violations({append, Local(ReadHead("a", 4, 6, 1, 5), 2), older},
                   {{.endpoint = 2, .at_nanos = 5}})
            .empty());
  // What it shows afterwards counts again.
  CHECK_THAT(violations({append, seen, Local(ReadHead("a", 7, 8, 1, 5), 2),
                         Local(ReadHead("a", 9, 10, 0, 0), 2)},
                        {{.endpoint = 2, .at_nanos = 5}}),
             Contains("takes back"));
  // Local reads are no part of the one order.
  CheckGood({append, seen, older});
}

TEST_CASE("sessions: what was acknowledged anywhere is there when all have caught up") {
  const Operation append = Append("a", 2, 1, 2, 5);
  const Operation lost = Local(ReadHead("a", 3, 4, 1, 3), 3, ReadMode::kSettled);
  const std::vector<std::string> found = CheckSessions(Of({append, lost}));
  REQUIRE(found.size() == 1);
  CHECK_THAT(found.front(), Contains("what was acknowledged is lost"));
  CHECK(
      CheckSessions(Of({append, Local(ReadHead("a", 3, 4, 2, 5), 3, ReadMode::kSettled)})).empty());
  CHECK(CheckSessions(Of({append, Local(ReadRecord("a", 2, 3, 4, 0), 3, ReadMode::kSettled)}))
            .size() == 1);
}

TEST_CASE("history: lines become operations and half a last line does not matter") {
  std::stringstream lines(
      R"({"type":"invoke","op":1,"process":4,"endpoint":2,"f":"append","stream":"a","sequence":1,"leaf":"ab","time":5}
{"type":"fault","what":"kill leader","time":6}
{"type":"invoke","op":2,"process":5,"endpoint":1,"f":"read-head","mode":"local","stream":"a","time":6}
{"type":"down","endpoint":2,"time":7}
{"type":"info","op":1,"time":8}
{"type":"ok","op":2,"time":9,"sequence":1,"leaf":"ab","position":3}
{"type":"invo)");
  History history;
  REQUIRE(ReadHistory(&lines, "x", &history).ok());
  REQUIRE(history.operations.size() == 2);
  CHECK(history.operations[0].outcome == Outcome::kOpen);
  CHECK(history.operations[0].returned_nanos == kNever);
  CHECK(history.operations[1].sequence == 1);
  CHECK(history.operations[1].position == 3);
  CHECK(history.operations[1].mode == ReadMode::kLocal);
  REQUIRE(history.downs.size() == 1);
  CHECK(history.downs[0].endpoint == 2);
  for (const char* bad : {"{}\n", "nonsense\n{}\n", R"({"type":"ok","op":7,"time":1})",
                          R"({"type":"invoke","op":7,"f":"dance","time":1})",
                          R"({"type":"invoke","op":7,"f":"read-tip","time":1})"}) {
    std::stringstream line(bad);
    CHECK(!ReadHistory(&line, "x", &history).ok());
  }
}

}  // namespace
}  // namespace vigil::cluster
