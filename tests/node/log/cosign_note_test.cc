#include "node/log/cosign_note.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "node/log/cosign_guard.h"
#include "tests/node/log/cosign_support.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

const Hash kRoot = RootAt(7);

TEST_CASE("cosign note: what a validator signs is accepted byte for byte") {
  const CosignNetwork network(4);
  const SignedCheckpoint note = network.Sign(2, 7, kRoot);
  const std::string text = EncodeSignedCheckpoint(note);
  const auto checked = CheckSignedCheckpoint(network.keys(), ValidatorIndex(2), text);
  REQUIRE(checked.ok());
  CHECK(*checked == note);
  CHECK(EncodeSignedCheckpoint(*checked) == text);
}

TEST_CASE("cosign note: a note is refused unless it is the sender's and whole and for this log") {
  const CosignNetwork network(4);
  const SignedCheckpoint note = network.Sign(2, 7, kRoot);
  const auto check = [&](const std::string& text, uint32_t from = 2) {
    return CheckSignedCheckpoint(network.keys(), ValidatorIndex(from), text).status();
  };
  SECTION("in another validator's name") {
    CHECK(absl::IsPermissionDenied(check(EncodeSignedCheckpoint(note), 1)));
  }
  SECTION("from nobody") { CHECK(absl::IsInvalidArgument(check(EncodeSignedCheckpoint(note), 4))); }
  SECTION("with another's cosignature") {
    SignedCheckpoint mixed = note;
    mixed.cosignature = network.Sign(1, 7, kRoot).cosignature;
    CHECK(absl::IsPermissionDenied(check(EncodeSignedCheckpoint(mixed))));
  }
  SECTION("with another's log line") {
    SignedCheckpoint mixed = note;
    mixed.log_line = network.Sign(1, 7, kRoot).log_line;
    CHECK(absl::IsPermissionDenied(check(EncodeSignedCheckpoint(mixed))));
  }
  SECTION("with a signature of another size or root") {
    SignedCheckpoint forged = note;
    forged.checkpoint.size = 8;
    CHECK(absl::IsPermissionDenied(check(EncodeSignedCheckpoint(forged))));
    forged.checkpoint.size = 7;
    forged.checkpoint.root = RootAt(8);
    CHECK(absl::IsPermissionDenied(check(EncodeSignedCheckpoint(forged))));
  }
  SECTION("with a broken signature") {
    SignedCheckpoint broken = note;
    broken.cosignature.signature[20] ^= 1;
    CHECK(absl::IsPermissionDenied(check(EncodeSignedCheckpoint(broken))));
  }
  SECTION("with its lines the other way round, or with one, or three") {
    SignedCheckpoint turned = note;
    std::swap(turned.log_line, turned.cosignature);
    CHECK_FALSE(check(EncodeSignedCheckpoint(turned)).ok());
    const std::string text = ledger::EncodeCheckpoint(note.checkpoint);
    CHECK(absl::IsInvalidArgument(
        check(ledger::EncodeNote({.text = text, .signatures = {note.log_line}}))));
    CHECK(absl::IsInvalidArgument(check(ledger::EncodeNote(
        {.text = text, .signatures = {note.log_line, note.cosignature, note.log_line}}))));
  }
  SECTION("of another log") {
    CosignNetwork other(4);
    ledger::LogKeys keys = network.keys();
    keys.origin = "other/" + std::string(64, 'b');
    const auto status =
        CheckSignedCheckpoint(keys, ValidatorIndex(2), EncodeSignedCheckpoint(note)).status();
    CHECK(absl::IsInvalidArgument(status));
  }
  SECTION("of any other bytes") {
    CHECK(absl::IsInvalidArgument(check("")));
    CHECK(absl::IsInvalidArgument(check(std::string(kCosignNoteBytesMax + 1, 'x'))));
  }
}

Cosigned Collect(const CosignNetwork& network, std::initializer_list<uint32_t> validators) {
  Cosigned cosigned;
  for (const uint32_t i : validators) cosigned[ValidatorIndex(i)] = network.Sign(i, 7, kRoot);
  return cosigned;
}

TEST_CASE("cosign note: the note of a quorum is read back and nothing less") {
  const CosignNetwork network(4);
  const Cosigned cosigned = Collect(network, {0, 1, 3});
  const std::string text = EncodeCosigned(cosigned);
  const auto checked = CheckCosigned(network.keys(), text);
  REQUIRE(checked.ok());
  CHECK(*checked == cosigned);

  CHECK(absl::IsPermissionDenied(
      CheckCosigned(network.keys(), EncodeCosigned(Collect(network, {0, 3}))).status()));
  SECTION("one validator's lines twice are no two validators") {
    const SignedCheckpoint note = network.Sign(0, 7, kRoot);
    ledger::SignedNote twice{.text = ledger::EncodeCheckpoint(note.checkpoint),
                             .signatures = {note.log_line, note.log_line, note.log_line,
                                            note.cosignature, note.cosignature, note.cosignature}};
    CHECK_FALSE(CheckCosigned(network.keys(), ledger::EncodeNote(twice)).ok());
  }
  SECTION("one bad signature spoils it") {
    Cosigned bad = cosigned;
    bad[ValidatorIndex(1)].cosignature.signature[30] ^= 4;
    CHECK_FALSE(CheckCosigned(network.keys(), EncodeCosigned(bad)).ok());
  }
  SECTION("a size that was changed spoils it") {
    CHECK_FALSE(
        CheckCosigned(network.keys(), absl::StrReplaceAll(text, {{"\n7\n", "\n9\n"}})).ok());
  }
}

TEST_CASE("cosign note: the policy of a genesis trusts what its validators sign") {
  ledger::Genesis genesis;
  genesis.network = "test-net";
  genesis.mode = "raft";
  for (uint8_t i = 0; i < 4; ++i) {
    ledger::GenesisValidator validator;
    validator.name = absl::StrCat("v", i);
    validator.org = "acme";
    validator.log_key = KeyOf(1, i).public_key();
    validator.cosigner_key = KeyOf(2, i).public_key();
    genesis.validators.push_back(validator);
  }
  const ledger::LogKeys keys = ledger::LogKeysOf(genesis);
  CHECK(keys.quorum == 3);
  CHECK(keys.cosigners[2].name == keys.origin + "/v/acme/v2/1");
  const ledger::Policy policy = ledger::LogPolicyOf(genesis);
  const auto parsed = ledger::ParsePolicy(ledger::EncodePolicy(policy));
  REQUIRE(parsed.ok());
  CHECK(*parsed == policy);

  Cosigned cosigned;
  const auto add = [&](uint8_t i) {
    cosigned[ValidatorIndex(i)] =
        SignCheckpoint(keys, ValidatorIndex(i), KeyOf(1, i), KeyOf(2, i),
                       {.origin = keys.origin, .size = 7, .root = kRoot}, /*unix_seconds=*/77);
  };
  add(0);
  add(3);
  const auto short_of_it = ledger::CheckCheckpoint(policy, EncodeCosigned(cosigned));
  REQUIRE(short_of_it.ok());
  CHECK_FALSE(short_of_it->quorum);
  add(1);
  const auto verdict = ledger::CheckCheckpoint(policy, EncodeCosigned(cosigned));
  REQUIRE(verdict.ok());
  CHECK(verdict->quorum);
  CHECK(verdict->witnesses == std::vector<std::string>{"acme/v0", "acme/v1", "acme/v3"});
  CHECK(verdict->times.at("acme/v1") == 77);
}

TEST_CASE("cosigner's guard: what the journal keeps is read back and nothing else") {
  const CosignGuard guard{.size = 77, .root = kRoot, .floor = Height(5)};
  const std::string bytes = EncodeCosignGuard(guard);
  CHECK(bytes.size() == 50);
  const auto decoded = DecodeCosignGuard(bytes);
  REQUIRE(decoded.ok());
  CHECK(*decoded == guard);
  CHECK(absl::IsDataLoss(DecodeCosignGuard(bytes.substr(1)).status()));
  CHECK(absl::IsDataLoss(DecodeCosignGuard(bytes + "x").status()));
  CHECK(absl::IsDataLoss(DecodeCosignGuard("\x01" + bytes.substr(1)).status()));
}

}  // namespace
}  // namespace vigil::node
