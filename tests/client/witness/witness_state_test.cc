#include "client/witness/witness_state.h"

#include "ledger/crypto/sha256.h"
#include "tests/client/witness/test_log.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

const std::vector<std::string> kOrigins = {"log.example/one", "log.example/two"};

std::string PathOf(const std::string& origin) {
  return "w/state/" + ledger::Sha256(AsBytes(origin)).ToHex();
}

Hash TestRoot(uint8_t value) {
  Hash root;
  root.bytes.fill(value);
  return root;
}

// A folder in which size 5 of the first origin was cosigned, closed again.
struct Folder {
  Folder() {
    REQUIRE(WitnessFolder::Init(&files, "w").ok());
    auto folder = WitnessFolder::Open(&files, "w", kOrigins);
    REQUIRE(folder.ok());
    REQUIRE((*folder)->Find(kOrigins[0])->Write({.size = 5, .root = TestRoot(1)}).ok());
  }
  ledger::FaultyFileSystem files{3};
};

TEST_CASE("witness state: what was written is there after a restart") {
  Folder made;
  auto folder = WitnessFolder::Open(&made.files, "w", kOrigins);
  REQUIRE(folder.ok());
  const auto one = (*folder)->Find(kOrigins[0])->Read();
  REQUIRE(one.ok());
  CHECK(*one == ledger::WitnessedState{.size = 5, .root = TestRoot(1)});
  CHECK((*folder)->Find(kOrigins[1])->Read().value().size == 0);
  CHECK((*folder)->Find("log.example/three") == nullptr);
}

TEST_CASE("witness state: an origin that is no longer watched keeps its state") {
  Folder made;
  REQUIRE(WitnessFolder::Open(&made.files, "w", {}).ok());
  auto folder = WitnessFolder::Open(&made.files, "w", kOrigins);
  REQUIRE(folder.ok());
  CHECK((*folder)->Find(kOrigins[0])->Read().value().size == 5);
}

TEST_CASE("witness state: a missing file is refused and named") {
  Folder made;
  const std::string gone =
      GENERATE(PathOf(kOrigins[0]), PathOf(kOrigins[1]), std::string("w/origins"));
  REQUIRE(made.files.Remove(gone).ok());
  const absl::Status status = WitnessFolder::Open(&made.files, "w", kOrigins).status();
  CHECK(absl::IsDataLoss(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains(gone));
  CHECK(absl::IsDataLoss(ListOrigins(&made.files, "w").status()));
}

TEST_CASE("witness state: any flipped bit of any file is refused") {
  Folder made;
  const std::string path = GENERATE(PathOf(kOrigins[0]), std::string("w/origins"));
  const uint64_t size = made.files.Size(path).value();
  for (uint64_t offset = 0; offset < size; ++offset) {
    for (int bit = 0; bit < 8; ++bit) {
      REQUIRE(made.files.FlipBit(path, offset, bit).ok());
      REQUIRE(absl::IsDataLoss(WitnessFolder::Open(&made.files, "w", kOrigins).status()));
      REQUIRE(made.files.FlipBit(path, offset, bit).ok());
    }
  }
  CHECK(WitnessFolder::Open(&made.files, "w", kOrigins).ok());
}

TEST_CASE("witness state: any cut or extended file is refused") {
  Folder made;
  const std::string path = PathOf(kOrigins[0]);
  const std::string whole = made.files.ReadAll(path).value();
  for (size_t size = 0; size < whole.size(); ++size) {
    REQUIRE(made.files.WriteAtomically(path, AsBytes(whole.substr(0, size))).ok());
    REQUIRE(absl::IsDataLoss(WitnessFolder::Open(&made.files, "w", kOrigins).status()));
  }
  REQUIRE(made.files.WriteAtomically(path, AsBytes(whole + "\n")).ok());
  CHECK(absl::IsDataLoss(WitnessFolder::Open(&made.files, "w", kOrigins).status()));
}

TEST_CASE("witness state: the file of another origin is refused") {
  Folder made;
  const std::string other = made.files.ReadAll(PathOf(kOrigins[1])).value();
  REQUIRE(made.files.WriteAtomically(PathOf(kOrigins[0]), AsBytes(other)).ok());
  const absl::Status status = WitnessFolder::Open(&made.files, "w", kOrigins).status();
  CHECK(absl::IsDataLoss(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains(kOrigins[1]));
}

TEST_CASE("witness state: a file that goes back under a running witness is refused") {
  Folder made;
  auto folder = WitnessFolder::Open(&made.files, "w", kOrigins);
  REQUIRE(folder.ok());
  OriginState* state = (*folder)->Find(kOrigins[0]);
  const std::string earlier = made.files.ReadAll(PathOf(kOrigins[0])).value();
  REQUIRE(state->Write({.size = 6, .root = TestRoot(2)}).ok());
  REQUIRE(made.files.WriteAtomically(PathOf(kOrigins[0]), AsBytes(earlier)).ok());
  CHECK(absl::IsDataLoss(state->Read().status()));
}

TEST_CASE("witness state: a folder serves one witness at a time") {
  Folder made;
  auto first = WitnessFolder::Open(&made.files, "w", kOrigins);
  REQUIRE(first.ok());
  CHECK(absl::IsAlreadyExists(WitnessFolder::Open(&made.files, "w", kOrigins).status()));
  CHECK(ListOrigins(&made.files, "w").ok());
  first->reset();
  CHECK(WitnessFolder::Open(&made.files, "w", kOrigins).ok());
}

TEST_CASE("witness state: a folder that was never made is refused") {
  ledger::FaultyFileSystem files(1);
  REQUIRE(files.MakeDirs("w").ok());
  CHECK(absl::IsDataLoss(WitnessFolder::Open(&files, "w", kOrigins).status()));
}

TEST_CASE("witness state: the listing gives every origin with its size") {
  Folder made;
  const auto listed = ListOrigins(&made.files, "w");
  REQUIRE(listed.ok());
  REQUIRE(listed->size() == 2);
  CHECK((*listed)[0].origin == kOrigins[0]);
  CHECK((*listed)[0].state.size == 5);
  CHECK((*listed)[0].state.root == TestRoot(1));
}

TEST_CASE("witness state: the file is the text that the documentation draws") {
  Folder made;
  CHECK(made.files.ReadAll(PathOf(kOrigins[1])).value() ==
        "vigil-witness-state/v1\nlog.example/two\n0\n"
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\ncrc32c 62ee8cb0\n");
  CHECK(made.files.ReadAll("w/origins").value() ==
        "vigil-witness-origins/v1\nlog.example/one\nlog.example/two\ncrc32c 41cce482\n");
}

}  // namespace
}  // namespace vigil::client
