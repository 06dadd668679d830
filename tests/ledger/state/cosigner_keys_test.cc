// Announcements of cosigner keys: which stand in the next set, and what others try.
#include "ledger/state/cosigner_keys.h"

#include <array>

#include "absl/strings/match.h"
#include "ledger/crypto/keys.h"
#include "tests/ledger/state/council.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

SigningKey FreshKey(uint8_t number) {
  std::array<uint8_t, 32> seed{};
  seed.fill(0xC0);
  seed[0] = number;
  return SigningKey::FromSeed(seed);
}

struct Cosigners : Council {
  Cosigners() : Council(4) {}

  CosignerKeyBody Body(const std::string& who, const SigningKey& key, uint32_t number,
                       uint64_t epoch = 1) const {
    CosignerKeyBody body;
    body.epoch = epoch;
    body.number = number;
    body.cosigner_key = key.public_key();
    body.proof = key.Sign(AsBytes(
        CosignerKeyMessage(network.genesis().chain_id, epoch, number, network.key(who).id())));
    return body;
  }
  Record Announcement(const std::string& who, const SigningKey& key, uint32_t number,
                      uint64_t epoch = 1) const {
    return network.Sign(Body(who, key, number, epoch), who);
  }
  ResultCode Announce(const std::string& who, const SigningKey& key, uint32_t number,
                      uint64_t epoch = 1) {
    return chain.CommitOne(Announcement(who, key, number, epoch)).code;
  }
  const PublicKey& KeyOf(const std::string& identity) const {
    return chain_genesis()
        .validators[chain_genesis().FindValidator(identity)->value()]
        .cosigner_key;
  }
  AnnouncedKeys Announced() const {
    const ChainReader reader = chain.reader();
    const StateView view(&reader.state());
    return AnnouncedIn(view);
  }
};

TEST_CASE("cosigner keys: the last one announced before the approval stands in the next set",
          "[cosigners]") {
  Cosigners test;
  const Genesis first = test.chain_genesis();
  const std::vector<GenesisValidator> proposed = test.With(test.newcomer);
  const SigningKey lost = FreshKey(1);
  const SigningKey kept = FreshKey(2);
  const SigningKey late = FreshKey(3);
  const RecordIndex proposal = test.Propose("acme/root", proposed);
  CHECK(test.Announce("acme/v0", lost, 1) == ResultCode::kOk);
  CHECK(test.Announce("acme/v0", kept, 2) == ResultCode::kOk);
  CHECK(test.Announced() == AnnouncedKeys{{"acme/v0", kept.public_key()}});
  // In the block of the approval: before it, and after it.
  const ExecutedBlock deciding =
      test.chain.Commit({test.Announcement("acme/v2", FreshKey(4), 1),
                         test.Ballot("globex/root", proposal, BallotChoice::kApprove),
                         test.Announcement("globex/v1", late, 1)});
  CHECK(deciding.results[0].code == ResultCode::kOk);
  CHECK(deciding.results[1].code == ResultCode::kOk);
  CHECK(deciding.results[2].code == ResultCode::kStale);
  const BlockPtr sealing = test.chain.Commit({}).block;
  REQUIRE(Seals(sealing->header()));

  const Genesis& now = test.chain_genesis();
  REQUIRE(now.epoch == Epoch(2));
  CHECK(test.KeyOf("acme/v0") == kept.public_key());
  CHECK(test.KeyOf("acme/v2") == FreshKey(4).public_key());
  CHECK(test.KeyOf("globex/v1") == first.validators[1].cosigner_key);
  CHECK(test.KeyOf("globex/v3") == first.validators[3].cosigner_key);
  CHECK(now.validators[4] == test.newcomer);
  CHECK(sealing->header().next_validator_set_hash == now.validator_set_hash);
  CHECK(now.validator_set_hash != HashValidatorSet(proposed));
  CHECK(CosignerKeySince(now, now.validators[0]) == Epoch(2));
  CHECK(CosignerKeySince(now, now.validators[1]) == Epoch(1));
  CHECK(CosignerKeySince(now, now.validators[4]) == Epoch(2));
  // What was voted on stays what it was, and announcements end with their epoch.
  const auto row = ReadRow<ProposalRow>(test.chain.reader().state(), ProposalKey(proposal));
  CHECK(row->value().next_set == EncodeValidatorSet(proposed));
  CHECK(test.Announced().empty());
  CHECK(test.Announce("globex/v1", late, 1, 2) == ResultCode::kOk);
  CHECK(CheckSucceedingSet(first, now.validators).ok());
  CHECK_FALSE(CheckNextSet(first, now.validators).ok());
}

TEST_CASE("cosigner keys: only a present validator announces its own", "[cosigners]") {
  Cosigners test;
  const SigningKey key = FreshKey(1);
  SECTION("another identity has not the role") {
    CHECK(test.Announce("acme/root", key, 1) == ResultCode::kPermissionDenied);
    CHECK(absl::IsPermissionDenied(test.Admit(test.Announcement("acme/root", key, 1))));
  }
  SECTION("a validator that left has no key here") {
    test.Change(test.Without(3));
    const Record of_old = test.Announcement("globex/v3", key, 1, 2);
    CHECK(absl::IsUnauthenticated(test.Admit(of_old)));
    CHECK_FALSE(test.chain.Add(test.chain.Next({of_old})).ok());
  }
  SECTION("a key that another validator has") {
    CosignerKeyBody body = test.Body("acme/v0", key, 1);
    body.proof = test.Body("globex/v1", key, 1).proof;  // Signed by the key, for another author.
    const Record stolen = test.network.Sign(body, "acme/v0");
    CHECK(test.chain.CommitOne(stolen).code == ResultCode::kInvalid);
    CHECK(absl::IsInvalidArgument(test.Admit(stolen)));
  }
  SECTION("a key that the author has not") {
    CosignerKeyBody body = test.Body("acme/v0", key, 1);
    body.cosigner_key = FreshKey(2).public_key();
    CHECK(test.chain.CommitOne(test.network.Sign(body, "acme/v0")).code == ResultCode::kInvalid);
    body.cosigner_key.bytes.fill(0);
    body.cosigner_key.bytes[0] = 1;  // A point of small order.
    CHECK(test.chain.CommitOne(test.network.Sign(body, "acme/v0")).code == ResultCode::kInvalid);
  }
  SECTION("what another validator announced") {
    CHECK(test.Announce("acme/v0", key, 1) == ResultCode::kOk);
    CHECK(absl::IsAlreadyExists(test.Admit(test.Announcement("globex/v1", key, 1))));
    CHECK(test.Announce("globex/v1", key, 1) == ResultCode::kConflict);
  }
  CHECK_FALSE(test.Announced().contains("globex/v1"));
}

TEST_CASE("cosigner keys: no key that was ever anybody's", "[cosigners]") {
  Cosigners test;
  const auto refused = [&](const std::string& whose, uint64_t epoch) {
    const Record record = test.Announcement("acme/v0", test.network.key(whose), 1, epoch);
    CHECK(absl::StrContains(test.Admit(record).message(), "is or was in use"));
    CHECK(test.chain.CommitOne(record).code == ResultCode::kConflict);
  };
  refused("cosigner/0", 1);  // Its present one.
  refused("cosigner/1", 1);
  refused("consensus/0", 1);
  refused("acme/v0", 1);
  refused("acme/root", 1);
  // Of an epoch that is over, its own and another's.
  const SigningKey second = FreshKey(2);
  CHECK(test.Announce("acme/v0", second, 1) == ResultCode::kOk);
  test.Change(test.Without(3));
  REQUIRE(test.KeyOf("acme/v0") == second.public_key());
  refused("cosigner/0", 2);
  refused("cosigner/3", 2);
}

TEST_CASE("cosigner keys: an announcement counts once in its place and epoch", "[cosigners]") {
  Cosigners test;
  const SigningKey one = FreshKey(1);
  const SigningKey two = FreshKey(2);
  const Record first = test.Announcement("acme/v0", one, 1);
  const auto stale = [&](const Record& record) {
    CHECK(absl::IsAlreadyExists(test.Admit(record)));
    CHECK(test.chain.CommitOne(record).code == ResultCode::kStale);
  };
  CHECK(test.chain.CommitOne(first).code == ResultCode::kOk);
  stale(first);
  CHECK(test.Announce("acme/v0", two, 2) == ResultCode::kOk);
  stale(first);  // Played back, it would name a key that is perhaps lost.
  CHECK(test.Announce("acme/v0", FreshKey(3), 4) == ResultCode::kStale);
  CHECK(test.Announced() == AnnouncedKeys{{"acme/v0", two.public_key()}});
  stale(test.Announcement("acme/v0", FreshKey(4), 3, 2));

  // Nothing after the approval, nor from the epoch before.
  const Record unused = test.Announcement("acme/v2", FreshKey(5), 1);
  const RecordIndex proposal = test.Propose("acme/root", test.Without(3));
  REQUIRE(test.Vote("globex/root", proposal) == ResultCode::kOk);
  stale(unused);
  REQUIRE(test.chain_genesis().epoch == Epoch(2));
  stale(unused);
  CHECK(test.KeyOf("acme/v0") == two.public_key());
}

TEST_CASE("cosigner keys: a validator announces so often in an epoch and no more", "[cosigners]") {
  Cosigners test;
  for (uint32_t number = 1; number <= kCosignerKeyAnnouncementsMax; ++number) {
    REQUIRE(test.Announce("acme/v0", FreshKey(static_cast<uint8_t>(number)), number) ==
            ResultCode::kOk);
  }
  // A number above is no body at all, so it is made from one of the right size.
  CosignerKeyBody body = test.Body("acme/v0", FreshKey(99), kCosignerKeyAnnouncementsMax);
  std::string leaf = test.network.Sign(body, "acme/v0").leaf;
  const size_t number_at = 6 + 2 + KeyId::size() + 2 + 1;
  REQUIRE(leaf[number_at] == static_cast<char>(kCosignerKeyAnnouncementsMax));
  leaf[number_at] = static_cast<char>(kCosignerKeyAnnouncementsMax + 1);
  CHECK(absl::StrContains(DecodeRecord(AsBytes(leaf)).status().message(), "number"));
}

TEST_CASE("cosigner keys: a set that names an announced key for a newcomer still begins",
          "[cosigners]") {
  Cosigners test;
  const SigningKey contested = FreshKey(1);
  test.newcomer.log_key = contested.public_key();
  const std::vector<GenesisValidator> proposed = test.With(test.newcomer);
  const PublicKey before = test.KeyOf("acme/v0");
  const RecordIndex proposal = test.Propose("acme/root", proposed);
  CHECK(test.Announce("acme/v0", contested, 1) == ResultCode::kOk);
  REQUIRE(test.Vote("globex/root", proposal) == ResultCode::kOk);
  REQUIRE(Seals(test.chain.Commit({}).block->header()));
  CHECK(test.KeyOf("acme/v0") == before);
  CHECK(test.chain_genesis().validators[4] == test.newcomer);
  CHECK(DecodeValidatorSet(AsBytes(EncodeValidatorSet(test.chain_genesis().validators))).ok());
}

TEST_CASE("cosigner keys: they are wanted while a set is proposed and none approved",
          "[cosigners]") {
  Cosigners test;
  const auto wanted = [&] {
    return *WantsCosignerKeys(test.chain_genesis(), test.chain.reader().state());
  };
  CHECK_FALSE(wanted());
  const RecordIndex proposal = test.Propose("acme/root", test.Without(3));
  CHECK(wanted());
  SECTION("rejected") {
    REQUIRE(test.Vote("globex/root", proposal, BallotChoice::kReject) == ResultCode::kOk);
    CHECK_FALSE(wanted());
  }
  SECTION("approved") {
    REQUIRE(test.Vote("globex/root", proposal) == ResultCode::kOk);
    CHECK_FALSE(wanted());
    test.chain.Commit({});
    CHECK_FALSE(wanted());
  }
  // One organisation decides with its proposal, which leaves no time.
  Genesis alone = test.network.genesis();
  for (GenesisValidator& validator : alone.validators) validator.org = "acme";
  CHECK(*WantsCosignerKeys(alone, TestChain(&test.network).reader().state()));
}

TEST_CASE("cosigner keys: what follows a set has its keys but cosigner keys that are new",
          "[cosigners]") {
  Cosigners test;
  const Genesis& genesis = test.chain_genesis();
  std::vector<GenesisValidator> next = test.With(test.newcomer);
  REQUIRE(CheckSucceedingSet(genesis, next).ok());
  next[1].cosigner_key = FreshKey(1).public_key();
  CHECK(CheckSucceedingSet(genesis, next).ok());
  SECTION("a key that is another's") {
    next[0].cosigner_key = genesis.validators[2].cosigner_key;
    next[2].cosigner_key = FreshKey(2).public_key();
    CHECK(absl::StrContains(CheckSucceedingSet(genesis, next).message(), "is or was in use"));
  }
  SECTION("another key with it") {
    next[1].log_key = FreshKey(2).public_key();
    CHECK_FALSE(CheckSucceedingSet(genesis, next).ok());
  }
  SECTION("a key of an epoch that is over") {
    const PublicKey first = genesis.validators[1].cosigner_key;
    const Genesis second = WithNextEpoch(genesis, Height(5), next, {});
    std::vector<GenesisValidator> third = next;
    third.pop_back();
    REQUIRE(CheckSucceedingSet(second, third).ok());
    third[1].cosigner_key = first;
    CHECK(absl::StrContains(CheckSucceedingSet(second, third).message(), "is or was in use"));
  }
}

}  // namespace
}  // namespace vigil::ledger
