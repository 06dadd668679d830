#include "ledger/state/view.h"

#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "ledger/base/random.h"
#include "ledger/crypto/sha256.h"
#include "ledger/state/tables.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::ledger {
namespace {

class MapState final : public StateBase {
 public:
  std::map<std::string, std::string> map;
  absl::Status fails;

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    if (!fails.ok()) return fails;
    const auto found = map.find(std::string(key));
    if (found == map.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  absl::Status Scan(absl::string_view prefix, const StateVisitor& visit) const override {
    if (!fails.ok()) return fails;
    for (const auto& [key, value] : map) {
      if (absl::StartsWith(key, prefix) && !visit(key, value)) break;
    }
    return absl::OkStatus();
  }
};

std::vector<std::string> KeysOf(const StateView& view, absl::string_view prefix, size_t limit) {
  std::vector<std::string> seen;
  view.Scan(prefix, [&](absl::string_view key, absl::string_view value) {
    seen.push_back(absl::StrCat(key, "=", value));
    return seen.size() < limit;
  });
  return seen;
}

std::string RandomKey(SplitMix64* random) {
  std::string key;
  for (uint64_t i = 1 + random->Below(3); i > 0; --i) {
    key.push_back("ab\xff"[random->Below(3)]);
  }
  return key;
}

}  // namespace

TEST_CASE("a view reads and scans as a map to which its writes were applied", "[state]") {
  VIGIL_TEST_SEED(seed, 11);
  SplitMix64 random(seed);
  for (int round = 0; round < 300; ++round) {
    MapState base;
    for (uint64_t i = random.Below(12); i > 0; --i) base.map[RandomKey(&random)] = "base";
    StateView view(&base);
    std::map<std::string, std::string> model = base.map;
    for (uint64_t i = random.Below(12); i > 0; --i) {
      const std::string key = RandomKey(&random);
      if (random.Chance(400)) {
        view.Delete(key);
        model.erase(key);
      } else {
        view.Put(key, "new");
        model[key] = "new";
      }
    }
    for (const std::string prefix : {"", "a", "b\xff", "\xff"}) {
      std::vector<std::string> expected;
      for (const auto& [key, value] : model) {
        if (absl::StartsWith(key, prefix)) expected.push_back(key + "=" + value);
      }
      REQUIRE(KeysOf(view, prefix, 1000) == expected);
      const size_t limit = 1 + random.Below(3);
      if (expected.size() > limit) expected.resize(limit);
      REQUIRE(KeysOf(view, prefix, limit) == expected);
    }
    const std::string key = RandomKey(&random);
    const auto found = model.find(key);
    REQUIRE(view.Get(key).has_value() == (found != model.end()));
    REQUIRE(view.status().ok());
  }
}

TEST_CASE("a view keeps the first disk error and reads nothing", "[state]") {
  MapState base;
  base.map["a"] = "1";
  base.fails = absl::UnavailableError("disk");
  StateView view(&base);
  CHECK(!view.Get("a").has_value());
  base.fails = absl::DataLossError("later");
  CHECK(KeysOf(view, "", 10).empty());
  CHECK(absl::IsUnavailable(view.status()));
}

TEST_CASE("a write set is laid out as documented and hashed with its tag", "[state]") {
  const WriteSet writes = {{"a", std::string("xy")}, {"b", std::nullopt}, {"c", std::string()}};
  const std::string expected = std::string("\0\0\0\1a\1\0\0\0\2xy", 12) +
                               std::string("\0\0\0\1b\0\0\0\0\0", 10) +
                               std::string("\0\0\0\1c\1\0\0\0\0", 10);
  CHECK(EncodeWriteSet(writes) == expected);
  CHECK(DecodeWriteSet(AsBytes(expected)).value() == writes);
  const Hash set_hash = Sha256(AsBytes(std::string("vigil/write-set/v1\0", 19) + expected));
  CHECK(WriteSetHash(writes) == set_hash);
  Hash previous;
  previous.bytes.fill(7);
  const std::string message =
      std::string("vigil/state/v1\0", 15) + ToString(previous.span()) + ToString(set_hash.span());
  CHECK(NextStateDigest(previous, writes) == Sha256(AsBytes(message)));
}

TEST_CASE("a write set that no encoder makes is refused", "[state]") {
  const std::string good = EncodeWriteSet({{"a", std::string("x")}, {"b", std::nullopt}});
  REQUIRE(DecodeWriteSet(AsBytes(good)).ok());
  for (size_t cut = 1; cut < good.size(); ++cut) {
    if (cut == 11) continue;  // Exactly the first entry.
    CHECK(!DecodeWriteSet(AsBytes(good.substr(0, cut))).ok());
  }
  std::string unknown_op = good;
  unknown_op[5] = 2;
  CHECK(!DecodeWriteSet(AsBytes(unknown_op)).ok());
  std::string not_ascending = good;
  not_ascending[15] = 'a';
  CHECK(!DecodeWriteSet(AsBytes(not_ascending)).ok());
  std::string hostile_length = good;
  hostile_length[0] = '\x7f';
  CHECK(!DecodeWriteSet(AsBytes(hostile_length)).ok());
}

TEST_CASE("the end of a prefix is the smallest string above all that have it", "[state]") {
  CHECK(PrefixEnd("ab") == "ac");
  CHECK(PrefixEnd("a\xff\xff") == "b");
  CHECK(PrefixEnd("\xff").empty());
  CHECK(PrefixEnd("").empty());
}

TEST_CASE("state keys of different fields never collide and sort by number", "[state]") {
  CHECK(StreamHeadKey("a/b", "c") != StreamHeadKey("a/bc", ""));
  CHECK(StreamHeadKey("ab", "c") != StreamHeadKey("a", "bc"));
  CHECK(AlertKey(RecordIndex(255)) < AlertKey(RecordIndex(256)));
  CHECK(AlertInStateKey(AlertState::kProposed, RecordIndex(9)).size() == 10);
  CHECK(IdentityAtEnd(VerdictKey(RecordIndex(3), "acme/v0"), 9).value() == "acme/v0");
  CHECK(!IdentityAtEnd(VerdictKey(RecordIndex(3), "acme/v0") + "x", 9).ok());
  CHECK(!IdentityAtEnd("short", 9).ok());
}

TEST_CASE("a state value of another layout is data loss and never half read", "[state]") {
  AlertRow alert;
  alert.proposer = "acme/v0";
  alert.reasons = {{1, 2}, {3, 4}};
  const std::string value = EncodeRow(alert);
  REQUIRE(DecodeRow<AlertRow>(value).ok());
  for (size_t cut = 0; cut < value.size(); ++cut) {
    CHECK(absl::IsDataLoss(DecodeRow<AlertRow>(value.substr(0, cut)).status()));
  }
  CHECK(absl::IsDataLoss(DecodeRow<AlertRow>(value + "x").status()));
  std::string unknown_state = value;
  unknown_state[8] = 9;
  CHECK(absl::IsDataLoss(DecodeRow<AlertRow>(unknown_state).status()));
  MapState base;
  base.map["k"] = "?";
  const StateView view(&base);
  CHECK(!ReadRow<KeyRow>(view, "k").has_value());
  CHECK(absl::IsDataLoss(view.status()));
}

}  // namespace vigil::ledger
