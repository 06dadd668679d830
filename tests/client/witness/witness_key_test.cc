#include "client/witness/witness_key.h"

#include <sys/stat.h>

#include <fstream>

#include "client/witness/witness_state.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace vigil::client {
namespace {

ledger::FileSystem* Files() { return ledger::PosixFileSystem(); }

TEST_CASE("witness key: what init makes can be loaded and signs under the name") {
  const testing::TempFolder temp;
  const std::string folder = temp / "deep/w";
  const auto made = InitWitness(Files(), folder, "witness.example/w1");
  REQUIRE(made.ok());
  CHECK(made->name == "witness.example/w1");
  CHECK(made->type == ledger::NoteKeyType::kCosignatureV1);
  const auto loaded = LoadWitnessKey(*Files(), folder);
  REQUIRE(loaded.ok());
  CHECK(loaded->note == *made);
  CHECK(loaded->signing.public_key() == made->key);
  CHECK(LoadWitnessVkey(*Files(), folder).value() == *made);
  struct stat info;
  REQUIRE(stat((folder + "/key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(WitnessFolder::Open(Files(), folder, {}).ok());
}

TEST_CASE("witness key: init never overwrites a witness") {
  const testing::TempFolder temp;
  const auto made = InitWitness(Files(), temp / "w", "one.example");
  REQUIRE(made.ok());
  CHECK(absl::IsAlreadyExists(InitWitness(Files(), temp / "w", "two.example").status()));
  CHECK(LoadWitnessVkey(*Files(), temp / "w").value() == *made);
}

TEST_CASE("witness key: init completes a folder that was left half made") {
  const testing::TempFolder temp;
  const auto made = InitWitness(Files(), temp / "w", "one.example");
  REQUIRE(made.ok());
  REQUIRE(Files()->Remove(temp / "w/vkey").ok());
  CHECK(absl::IsNotFound(LoadWitnessKey(*Files(), temp / "w").status()));
  CHECK(InitWitness(Files(), temp / "w", "one.example").value() == *made);
}

TEST_CASE("witness key: names that cannot stand on a signature line are refused") {
  const testing::TempFolder temp;
  for (const char* name : {"", "two words", "a+b", "line\n"}) {
    const absl::Status status = InitWitness(Files(), temp / "w", name).status();
    CHECK(absl::IsInvalidArgument(status));
  }
  CHECK(absl::IsInvalidArgument(InitWitness(Files(), temp / "w", std::string(1000, 'x')).status()));
}

TEST_CASE("witness key: a missing key and halves of two keys are refused with the remedy") {
  const testing::TempFolder temp;
  const absl::Status none = LoadWitnessKey(*Files(), temp / "w").status();
  CHECK(absl::IsNotFound(none));
  CHECK_THAT(std::string(none.message()), Catch::Contains("vigil witness init"));
  REQUIRE(InitWitness(Files(), temp / "w", "one.example").ok());
  REQUIRE(InitWitness(Files(), temp / "other", "one.example").ok());
  REQUIRE(Files()->Rename(temp / "other/key", temp / "w/key").ok());
  CHECK_THAT(std::string(LoadWitnessKey(*Files(), temp / "w").status().message()),
             Catch::Contains("two different keys"));
  REQUIRE(Files()->Remove(temp / "w/key").ok());
  CHECK(absl::IsNotFound(LoadWitnessKey(*Files(), temp / "w").status()));
}

TEST_CASE("witness key: a vkey that is none is refused") {
  const testing::TempFolder temp;
  REQUIRE(InitWitness(Files(), temp / "w", "one.example").ok());
  std::ofstream(temp / "w/vkey") << "nonsense\n";
  CHECK(absl::IsInvalidArgument(LoadWitnessVkey(*Files(), temp / "w").status()));
}

}  // namespace
}  // namespace vigil::client
