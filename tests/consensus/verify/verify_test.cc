#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "consensus/verify/evidence.h"
#include "consensus/verify/header_link.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/header.h"
#include "ledger/crypto/keys.h"
#include "tests/support/catch.h"

namespace vigil::consensus {
namespace {

using ledger::BlockHeader;
using ledger::BlockId;
using ledger::Genesis;
using ledger::SigningKey;

Hash HashOf(uint8_t value) {
  Hash hash;
  hash.bytes.fill(value);
  return hash;
}

SigningKey KeyOf(uint8_t validator) {
  std::array<uint8_t, 32> seed{};
  seed[0] = static_cast<uint8_t>(validator + 1);
  return SigningKey::FromSeed(seed);
}

Genesis SmallGenesis() {
  Genesis genesis;
  for (uint8_t i = 0; i < 3; ++i) {
    genesis.validators.emplace_back();
    genesis.validators.back().consensus_key = KeyOf(i).public_key();
  }
  genesis.genesis_hash = HashOf(1);
  genesis.chain_id = HashOf(2);
  genesis.validator_set_hash = HashOf(3);
  return genesis;
}

const BlockId kParent{Height(9), View(4), HashOf(7)};

BlockHeader ChildHeader() {
  BlockHeader header;
  header.chain_id = HashOf(2);
  header.view = View(5);
  header.height = Height(10);
  header.parent_hash = kParent.hash;
  header.parent_view = kParent.view;
  header.executed_height = Height(8);
  header.validator_set_hash = HashOf(3);
  header.next_validator_set_hash = HashOf(3);
  header.proposer = ValidatorIndex(1);
  return header;
}

Signature SignatureOver(const BlockHeader& header, uint8_t signer) {
  const Hash hash = ledger::HeaderHash(AsBytes(ledger::EncodeHeader(header)));
  return KeyOf(signer).Sign(AsBytes(ledger::ProposalSigningMessage(hash)));
}

SignedHeader Signed(const BlockHeader& header, uint8_t signer) {
  return SignedHeader{ledger::EncodeHeader(header), SignatureOver(header, signer)};
}

TEST_CASE("header link: a signed child of its parent is accepted", "[consensus]") {
  const BlockHeader header = ChildHeader();
  CHECK(VerifyHeaderLink(SmallGenesis(), kParent, header, SignatureOver(header, 1)).ok());
}

TEST_CASE("header link: the first block hangs on genesis", "[consensus]") {
  const Genesis genesis = SmallGenesis();
  BlockHeader header = ChildHeader();
  header.height = Height(1);
  header.parent_hash = genesis.genesis_hash;
  header.parent_view = View(0);
  header.executed_height = Height(0);
  const BlockId parent = GenesisBlockId(genesis.genesis_hash);
  CHECK(VerifyHeaderLink(genesis, parent, header, SignatureOver(header, 1)).ok());
}

TEST_CASE("header link: each field that does not fit is refused though it is signed",
          "[consensus]") {
  BlockHeader header = ChildHeader();
  SECTION("chain") { header.chain_id = HashOf(9); }
  SECTION("epoch") { header.epoch = Epoch(2); }
  SECTION("height") { header.height = Height(11); }
  SECTION("parent") { header.parent_hash = HashOf(8); }
  SECTION("parent view") { header.parent_view = View(3); }
  SECTION("view below the parent's") { header.view = View(3); }
  SECTION("executed at its own height") { header.executed_height = Height(10); }
  SECTION("validator set") { header.validator_set_hash = HashOf(9); }
  SECTION("proposer outside the set") { header.proposer = ValidatorIndex(3); }
  const absl::Status status =
      VerifyHeaderLink(SmallGenesis(), kParent, header, SignatureOver(header, 1));
  CHECK(absl::IsInvalidArgument(status));
}

TEST_CASE("header link: which block seals an epoch is checked where the next epoch is known",
          "[consensus]") {
  BlockHeader header = ChildHeader();
  header.next_validator_set_hash = HashOf(9);
  CHECK(VerifyHeaderLink(SmallGenesis(), kParent, header, SignatureOver(header, 1)).ok());
  Genesis later = ledger::WithNextEpoch(SmallGenesis(), Height(50), SmallGenesis().validators, {});
  CHECK(
      absl::IsInvalidArgument(VerifyHeaderLink(later, kParent, header, SignatureOver(header, 1))));
  later = ledger::WithNextEpoch(SmallGenesis(), header.height, SmallGenesis().validators, {});
  CHECK(
      absl::IsInvalidArgument(VerifyHeaderLink(later, kParent, header, SignatureOver(header, 1))));
  header.next_validator_set_hash = later.validator_set_hash;
  CHECK(VerifyHeaderLink(later, kParent, header, SignatureOver(header, 1)).ok());
}

TEST_CASE("header link: execution may lag by 64 heights and no more", "[consensus]") {
  const BlockId parent{Height(99), View(4), HashOf(7)};
  BlockHeader header = ChildHeader();
  header.height = Height(100);
  header.executed_height = Height(36);
  CHECK(VerifyHeaderLink(SmallGenesis(), parent, header, SignatureOver(header, 1)).ok());
  header.executed_height = Height(35);
  CHECK_FALSE(VerifyHeaderLink(SmallGenesis(), parent, header, SignatureOver(header, 1)).ok());
}

TEST_CASE("header link: only the proposer's own signature counts", "[consensus]") {
  const BlockHeader header = ChildHeader();
  SECTION("another validator's") {
    const auto status = VerifyHeaderLink(SmallGenesis(), kParent, header, SignatureOver(header, 2));
    CHECK(absl::IsUnauthenticated(status));
  }
  SECTION("of another header") {
    BlockHeader other = header;
    other.time_unix_millis = 1;
    const auto status = VerifyHeaderLink(SmallGenesis(), kParent, header, SignatureOver(other, 1));
    CHECK(absl::IsUnauthenticated(status));
  }
  SECTION("with any bit flipped") {
    const Signature signature = SignatureOver(header, 1);
    for (size_t bit = 0; bit < 8 * Signature::size(); bit += 7) {
      Signature damaged = signature;
      damaged.bytes[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
      CHECK_FALSE(VerifyHeaderLink(SmallGenesis(), kParent, header, damaged).ok());
    }
  }
}

TEST_CASE("evidence: two blocks of one view and height convict their signer", "[consensus]") {
  const BlockHeader first = ChildHeader();
  BlockHeader second = first;
  second.time_unix_millis = 77;
  const auto culprit =
      VerifyTwoHeaders(SmallGenesis(), EncodeTwoHeaders(Signed(first, 1), Signed(second, 1)));
  REQUIRE(culprit.ok());
  CHECK(*culprit == ValidatorIndex(1));
}

TEST_CASE("evidence: what does not exclude each other convicts nobody", "[consensus]") {
  const BlockHeader first = ChildHeader();
  BlockHeader second = first;
  second.time_unix_millis = 77;
  uint8_t signer = 1;
  SECTION("one header twice") { second = first; }
  SECTION("another view") { second.view = View(6); }
  SECTION("another height") { second.height = Height(11); }
  SECTION("another epoch") { second.epoch = Epoch(2); }
  SECTION("another chain") { second.chain_id = HashOf(9); }
  SECTION("another proposer") {
    second.proposer = ValidatorIndex(2);
    signer = 2;
  }
  SECTION("a signature that is not the proposer's") { signer = 2; }
  CHECK_FALSE(
      VerifyTwoHeaders(SmallGenesis(), EncodeTwoHeaders(Signed(first, 1), Signed(second, signer)))
          .ok());
  CHECK_FALSE(
      VerifyTwoHeaders(SmallGenesis(), EncodeTwoHeaders(Signed(second, signer), Signed(first, 1)))
          .ok());
}

TEST_CASE("evidence: truncated or extended bytes are refused", "[consensus]") {
  const BlockHeader first = ChildHeader();
  BlockHeader second = first;
  second.time_unix_millis = 77;
  const std::string evidence = EncodeTwoHeaders(Signed(first, 1), Signed(second, 1));
  for (size_t size = 0; size < evidence.size(); ++size) {
    CHECK_FALSE(VerifyTwoHeaders(SmallGenesis(), evidence.substr(0, size)).ok());
  }
  CHECK_FALSE(VerifyTwoHeaders(SmallGenesis(), evidence + "x").ok());
}

}  // namespace
}  // namespace vigil::consensus
