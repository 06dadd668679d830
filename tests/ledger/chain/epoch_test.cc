// Bytes of validator sets and epoch chains, addresses, and which header belongs to which epoch.
#include "ledger/chain/epoch.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/limits.h"
#include "ledger/chain/epoch_chain.h"
#include "ledger/crypto/keys.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

GenesisValidator MakeValidator(uint8_t number) {
  const auto key = [&](uint8_t use) {
    std::array<uint8_t, 32> seed{};
    seed[0] = number;
    seed[1] = use;
    return SigningKey::FromSeed(seed).public_key();
  };
  GenesisValidator validator;
  validator.org = "acme";
  validator.name = absl::StrCat("v", number);
  validator.consensus_key = key(1);
  validator.log_key = key(2);
  validator.cosigner_key = key(3);
  validator.record_key = key(4);
  validator.reveal_anchor.bytes.fill(number);
  validator.reveal_length = 1000;
  validator.journal_id.bytes.fill(number);
  return validator;
}

std::vector<GenesisValidator> SetOf(uint8_t first, uint8_t count) {
  std::vector<GenesisValidator> set;
  for (uint8_t i = 0; i < count; ++i) set.push_back(MakeValidator(static_cast<uint8_t>(first + i)));
  return set;
}

// Why `set` is none; empty: it is one, and reads as it was written.
std::string SetProblem(const std::vector<GenesisValidator>& set) {
  const std::string bytes = EncodeValidatorSet(set);
  const auto decoded = DecodeValidatorSet(AsBytes(bytes));
  if (!decoded.ok()) return std::string(decoded.status().message());
  CHECK(*decoded == set);
  return "";
}

TEST_CASE("epoch: a validator set reads as it was written and in no other way", "[epochs]") {
  const std::string bytes = EncodeValidatorSet(SetOf(1, 3));
  REQUIRE(SetProblem(SetOf(1, 3)).empty());
  for (size_t size = 0; size < bytes.size(); ++size) {
    INFO(size);
    CHECK(!DecodeValidatorSet(AsBytes(bytes.substr(0, size))).ok());
  }
  CHECK(absl::IsInvalidArgument(DecodeValidatorSet(AsBytes(bytes + '\0')).status()));
  std::string other_tag = bytes;
  other_tag[3] ^= 1;
  CHECK(absl::StrContains(DecodeValidatorSet(AsBytes(other_tag)).status().message(), "no tag"));
  std::string fewer = bytes;  // The count says one less than there are.
  fewer[fewer.find('\0') + 4] = 2;
  CHECK(!DecodeValidatorSet(AsBytes(fewer)).ok());
}

TEST_CASE("epoch: what no validator set may hold is refused by name", "[epochs]") {
  CHECK(absl::StrContains(SetProblem({}), "0 validators, 1 to 7"));
  CHECK(SetProblem(SetOf(1, 7)).empty());
  CHECK(absl::StrContains(SetProblem(SetOf(1, 8)), "8 validators, 1 to 7"));
  const auto with = [](const auto& change) {
    std::vector<GenesisValidator> set = SetOf(1, 3);
    change(&set[1]);
    return SetProblem(set);
  };
  const std::string longest(kNameBytesMax, 'n');
  CHECK(with([&](GenesisValidator* v) { v->name = longest; }).empty());
  CHECK(with([&](GenesisValidator* v) { v->org = longest; }).empty());
  for (const std::string& bad : {std::string(), std::string("V2"), std::string("v 2"),
                                 std::string("v/2"), std::string("v.2"), longest + "n"}) {
    INFO(bad);
    CHECK(!with([&](GenesisValidator* v) { v->name = bad; }).empty());
    CHECK(!with([&](GenesisValidator* v) { v->org = bad; }).empty());
  }
  CHECK(absl::StrContains(with([](GenesisValidator* v) { v->name = "V2"; }), "is no \"<org>"));
  CHECK(absl::StrContains(with([](GenesisValidator* v) { v->org = "Acme"; }), "is no \"<org>"));
  CHECK(with([](GenesisValidator* v) { v->reveal_length = kRevealLengthMax; }).empty());
  CHECK(absl::StrContains(
      with([](GenesisValidator* v) { v->reveal_length = kRevealLengthMax + 1; }), "reveal length"));
  CHECK(absl::StrContains(with([](GenesisValidator* v) { v->log_key = PublicKey(); }),
                          "is no Ed25519 key"));
  CHECK(absl::StrContains(with([](GenesisValidator* v) { v->name = "v1"; }), "stands there twice"));
  CHECK(absl::StrContains(
      with([](GenesisValidator* v) { v->journal_id = MakeValidator(3).journal_id; }),
      "is used twice"));
  // Of another validator, and of its own.
  CHECK(absl::StrContains(with([](GenesisValidator* v) { v->log_key = MakeValidator(3).log_key; }),
                          "is used twice"));
  CHECK(absl::StrContains(with([](GenesisValidator* v) { v->log_key = v->consensus_key; }),
                          "is used twice"));
}

TEST_CASE("epoch: addresses are as many as validators and each has host and port", "[epochs]") {
  using Parts = std::vector<std::string>;
  CHECK(SplitAddresses("", 2).value() == Parts{"", ""});
  CHECK(SplitAddresses("a:1,[::1]:65535", 2).value() == Parts{"a:1", "[::1]:65535"});
  CHECK(SplitAddresses("a:1,", 2).value() == Parts{"a:1", ""});
  for (const char* bad :
       {"a:1", "a:1,b:2,c:3", "a,b:2", ":1,b:2", "a:0,b:2", "a:65536,b:2", "a:,b:2", "a:-1,b:2",
        "a b:1,b:2", "a\x01:1,b:2", "\xc3\xa9:1,b:2",
        // Numbers to some readers and not to others.
        "a:+1,b:2", "a:01,b:2", "a:0080,b:2", "a: 1,b:2", "a:1 ,b:2", "a:0x1,b:2", "a:1e1,b:2",
        "a:1.0,b:2", "a:1_0,b:2", "a:18446744073709551617,b:2", "a:\xd9\xa1,b:2",
        // No host, and a character that is none.
        "80,b:2", "a\x7f:1,b:2"}) {
    INFO(bad);
    CHECK(absl::IsInvalidArgument(SplitAddresses(bad, 2).status()));
  }
}

Genesis FirstEpoch() {
  Genesis genesis;
  genesis.organisations = {{"acme", "Acme"}};
  genesis.validators = SetOf(1, 4);
  genesis.validator_set_hash = HashValidatorSet(genesis.validators);
  return genesis;
}

// Epoch 1 ends with block 10, epoch 2 with block 20.
Genesis ThirdEpoch() {
  Genesis second = WithNextEpoch(FirstEpoch(), Height(10), SetOf(1, 3), {});
  return WithNextEpoch(second, Height(20), SetOf(2, 2), {});
}

BlockHeader HeaderOf(uint64_t height, uint64_t epoch) {
  const Genesis third = ThirdEpoch();
  const Hash sets[] = {third.past[0].hash, third.past[1].hash, third.validator_set_hash};
  BlockHeader header;
  header.height = Height(height);
  header.epoch = Epoch(epoch);
  header.validator_set_hash = sets[epoch - 1];
  const bool seals = epoch < 3 && height >= epoch * 10;
  header.next_validator_set_hash = sets[seals ? epoch : epoch - 1];
  return header;
}

std::string HeaderProblem(const BlockHeader& header) {
  const auto found = FindHeaderEpoch(ThirdEpoch(), header);
  return found.ok() ? "" : std::string(found.status().message());
}

TEST_CASE("epoch: each header belongs to the epoch that it names or to none", "[epochs]") {
  const Genesis third = ThirdEpoch();
  for (const auto& [height, epoch] :
       std::vector<std::pair<uint64_t, uint64_t>>{{1, 1}, {10, 1}, {11, 2}, {20, 2}, {21, 3}}) {
    const auto found = FindHeaderEpoch(third, HeaderOf(height, epoch));
    REQUIRE(found.ok());
    CHECK(found->base == Height((epoch - 1) * 10));
    CHECK(found->validators->size() == 5 - epoch);
  }
  SECTION("numbers that are not known") {
    BlockHeader header = HeaderOf(5, 1);
    header.epoch = Epoch(0);
    CHECK(absl::StrContains(HeaderProblem(header), "epoch 0, known are 1 to 3"));
    header.epoch = Epoch(4);
    CHECK(absl::StrContains(HeaderProblem(header), "epoch 4, known are 1 to 3"));
  }
  SECTION("below where the epoch begins") {
    BlockHeader header = HeaderOf(11, 2);
    header.height = Height(10);
    CHECK(absl::StrContains(HeaderProblem(header), "begins above height 10"));
    header = HeaderOf(21, 3);
    header.height = Height(20);
    CHECK(absl::StrContains(HeaderProblem(header), "begins above height 20"));
  }
  SECTION("above where it ends is closing blocks only") {
    CHECK(HeaderProblem(HeaderOf(11, 1)).empty());
    CHECK(HeaderProblem(HeaderOf(21, 2)).empty());
    BlockHeader header = HeaderOf(11, 1);
    header.next_validator_set_hash = header.validator_set_hash;
    CHECK(absl::StrContains(HeaderProblem(header), "ends at height 10"));
    header.next_validator_set_hash = ThirdEpoch().validator_set_hash;
    CHECK(absl::StrContains(HeaderProblem(header), "ends at height 10"));
  }
  SECTION("its own set is that of the epoch") {
    for (const auto& [height, epoch] :
         std::vector<std::pair<uint64_t, uint64_t>>{{5, 1}, {15, 2}, {25, 3}}) {
      BlockHeader header = HeaderOf(height, epoch);
      header.validator_set_hash.bytes[0] ^= 1;
      CHECK(absl::StrContains(HeaderProblem(header), "validator set hash"));
    }
  }
  SECTION("the sealing block alone names the next set") {
    BlockHeader early = HeaderOf(9, 1);
    early.next_validator_set_hash = HeaderOf(10, 1).next_validator_set_hash;
    CHECK(absl::StrContains(HeaderProblem(early), "next validator set hash"));
    BlockHeader silent = HeaderOf(10, 1);
    silent.next_validator_set_hash = silent.validator_set_hash;
    CHECK(absl::StrContains(HeaderProblem(silent), "next validator set hash"));
    BlockHeader last = HeaderOf(25, 3);  // Only execution knows.
    last.next_validator_set_hash.bytes[0] ^= 1;
    CHECK(HeaderProblem(last).empty());
  }
}

TEST_CASE("epoch: nothing that was in use before is taken into a next set", "[epochs]") {
  // Epoch 3 of 2 and 3; 1 and 4 were validators before.
  Genesis genesis = ThirdEpoch();
  genesis.identities = {
      {.name = "ann", .org = "acme", .roles = 1, .key = MakeValidator(50).log_key}};
  const auto problem = [&](const GenesisValidator& coming) {
    std::vector<GenesisValidator> next = genesis.validators;
    next.push_back(coming);
    return std::string(CheckNextSet(genesis, next).message());
  };
  CHECK(problem(MakeValidator(9)).empty());
  // Who left comes back under new keys only, and with another journal.
  CHECK(absl::StrContains(problem(MakeValidator(1)), "is or was in use"));
  GenesisValidator again = MakeValidator(60);
  again.name = "v1";
  CHECK(problem(again).empty());
  again.journal_id = MakeValidator(1).journal_id;
  CHECK(absl::StrContains(problem(again), "journal id"));
  // Each of the four keys, under whichever use it had.
  for (const uint8_t of : {uint8_t{1}, uint8_t{2}, uint8_t{4}}) {
    for (PublicKey GenesisValidator::*key :
         {&GenesisValidator::consensus_key, &GenesisValidator::log_key,
          &GenesisValidator::cosigner_key, &GenesisValidator::record_key}) {
      GenesisValidator coming = MakeValidator(9);
      coming.log_key = MakeValidator(of).*key;
      INFO(int{of});
      CHECK(absl::StrContains(problem(coming), "is or was in use"));
    }
  }
  GenesisValidator of_ann = MakeValidator(9);
  of_ann.consensus_key = genesis.identities[0].key;
  CHECK(absl::StrContains(problem(of_ann), "is or was in use"));
}

TEST_CASE("epoch: a quorum of the next set stays with all its keys", "[epochs]") {
  const Genesis genesis = FirstEpoch();  // Four.
  const auto problem = [&](std::vector<GenesisValidator> next) {
    return std::string(CheckNextSet(genesis, next).message());
  };
  std::vector<GenesisValidator> half = SetOf(1, 2);
  half.push_back(MakeValidator(8));
  half.push_back(MakeValidator(9));
  CHECK(absl::StrContains(problem(half), "only 2 of 4"));
  std::vector<GenesisValidator> quorum = SetOf(1, 3);
  quorum.push_back(MakeValidator(9));
  CHECK(problem(quorum).empty());
  CHECK(absl::StrContains(problem(SetOf(1, 4)), "is the present one"));
  // Other keys under the same name is somebody new.
  std::vector<GenesisValidator> renewed = SetOf(1, 2);
  renewed[1] = MakeValidator(9);
  renewed[1].name = "v2";
  CHECK(absl::StrContains(problem(renewed), "only 1 of 2"));
}

TEST_CASE("epoch: a chain of anchors reads as it was written and in no other way", "[epochs]") {
  EpochAnchor anchor;
  anchor.seal_leaf = "seal";
  anchor.path.resize(2);
  anchor.checkpoint = "checkpoint";
  anchor.next_set = "set";
  anchor.addresses = "a:1";
  const std::vector<EpochAnchor> anchors = {anchor, anchor};
  const std::string bytes = EncodeEpochChain(anchors);
  CHECK(DecodeEpochChain(AsBytes(bytes)).value() == anchors);
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(!DecodeEpochChain(AsBytes(bytes.substr(0, size))).ok());
  }
  CHECK(absl::IsInvalidArgument(DecodeEpochChain(AsBytes(bytes + "x")).status()));
  std::string other_tag = bytes;
  other_tag[3] ^= 1;
  CHECK(absl::StrContains(DecodeEpochChain(AsBytes(other_tag)).status().message(), "no tag"));
  anchor.path.resize(64);
  CHECK(DecodeEpochChain(AsBytes(EncodeEpochChain({&anchor, 1}))).ok());
  anchor.path.resize(65);
  CHECK(absl::StrContains(
      DecodeEpochChain(AsBytes(EncodeEpochChain({&anchor, 1}))).status().message(),
      "path of 65, at most 64"));
  const std::vector<EpochAnchor> most(kEpochAnchorsMax);
  CHECK(DecodeEpochChain(AsBytes(EncodeEpochChain(most))).ok());
  const std::vector<EpochAnchor> too_many(kEpochAnchorsMax + 1);
  CHECK(absl::StrContains(DecodeEpochChain(AsBytes(EncodeEpochChain(too_many))).status().message(),
                          "4097 anchors, at most 4096"));
}

}  // namespace
}  // namespace vigil::ledger
