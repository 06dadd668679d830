#include "ledger/chain/genesis.h"

#include <functional>
#include <string>

#include "ledger/chain/header.h"
#include "ledger/chain/kinds.h"
#include "ledger/crypto/sha256.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

using samples::KeyNumber;
using samples::SampleGenesis;

std::string ParseError(const std::string& file) {
  return std::string(ParseGenesis(file).status().message());
}

// What ParseGenesis() says after `change` to a good genesis.
std::string ErrorAfter(const std::function<void(Genesis*)>& change) {
  Genesis genesis = SampleGenesis();
  change(&genesis);
  return ParseError(WriteGenesis(genesis));
}

// What ParseGenesis() says after a change to the text of a good genesis.
std::string ErrorAfterReplacing(const std::string& from, const std::string& to) {
  std::string file = WriteGenesis(SampleGenesis());
  const size_t at = file.find(from);
  REQUIRE(at != std::string::npos);
  return ParseError(file.replace(at, from.size(), to));
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("genesis: what was written parses to the same", "[genesis]") {
  Genesis genesis = SampleGenesis();
  genesis.detector.trees = 77;
  genesis.detector.threshold_floor_q8 = 0;
  const absl::StatusOr<Genesis> parsed = ParseGenesis(WriteGenesis(genesis));
  REQUIRE(parsed.ok());
  CHECK(parsed->network == "test.vigil");
  CHECK(parsed->time_unix_millis == 1'700'000'000'000);
  CHECK(parsed->mode == "raft");
  CHECK(parsed->max_block_bytes == 2 * 1024 * 1024);
  CHECK(parsed->heartbeat_millis == 10'000);
  CHECK(parsed->detector == genesis.detector);
  REQUIRE(parsed->organisations.size() == 2);
  CHECK(parsed->organisations[0].id == "acme");
  CHECK(parsed->organisations[0].name == "Acme Corporation");
  REQUIRE(parsed->validators.size() == 3);
  const GenesisValidator& validator = parsed->validators[1];
  CHECK(validator.identity() == "acme/v1");
  CHECK(validator.consensus_key == KeyNumber(5).public_key());
  CHECK(validator.log_key == KeyNumber(6).public_key());
  CHECK(validator.cosigner_key == KeyNumber(7).public_key());
  CHECK(validator.record_key == KeyNumber(8).public_key());
  CHECK(validator.reveal_anchor == samples::HashOf(0xA1));
  CHECK(validator.reveal_length == 1000);
  CHECK(validator.journal_id == genesis.validators[1].journal_id);
  REQUIRE(parsed->identities.size() == 2);
  CHECK(parsed->identities[1].identity() == "acme/root");
  CHECK(parsed->identities[1].roles ==
        (static_cast<uint32_t>(Role::kAdmin) | static_cast<uint32_t>(Role::kAnalyst)));
  CHECK(parsed->identities[1].key == KeyNumber(101).public_key());
}

TEST_CASE("genesis: validators are found by identity", "[genesis]") {
  const Genesis genesis = SampleGenesis();
  CHECK(genesis.FindValidator("acme/v1") == ValidatorIndex(1));
  CHECK(genesis.FindValidator("globex/v2") == ValidatorIndex(2));
  CHECK(genesis.FindValidator("acme/v2") == std::nullopt);
  CHECK(genesis.FindValidator("acme/fw-1") == std::nullopt);
}

TEST_CASE("genesis: hashes cover the exact bytes of the file", "[genesis]") {
  const std::string file = WriteGenesis(SampleGenesis());
  const Genesis genesis = *ParseGenesis(file);
  const Hash expected = Sha256(AsBytes(std::string("vigil/genesis/v1\0", 17) + file));
  CHECK(genesis.genesis_hash == expected);
  CHECK(genesis.chain_id ==
        Sha256({AsBytes(std::string("vigil/chain-id/v1\0", 18)), expected.span()}));
  const Genesis spaced = *ParseGenesis(file + "\n");
  CHECK(spaced.genesis_hash != genesis.genesis_hash);
  CHECK(spaced.chain_id != genesis.chain_id);
  CHECK(spaced.validator_set_hash == genesis.validator_set_hash);
}

TEST_CASE("genesis: the validator set hash covers every field and the order", "[genesis]") {
  const Hash good = SampleGenesis().validator_set_hash;
  const std::function<void(Genesis*)> kChanges[] = {
      [](Genesis* genesis) { genesis->validators[0].name = "w0"; },
      [](Genesis* genesis) { genesis->validators[0].org = "globex"; },
      [](Genesis* genesis) { genesis->validators[0].consensus_key = KeyNumber(50).public_key(); },
      [](Genesis* genesis) { genesis->validators[0].log_key = KeyNumber(50).public_key(); },
      [](Genesis* genesis) { genesis->validators[0].cosigner_key = KeyNumber(50).public_key(); },
      [](Genesis* genesis) { genesis->validators[0].record_key = KeyNumber(50).public_key(); },
      [](Genesis* genesis) { genesis->validators[0].reveal_anchor.bytes[0] ^= 1; },
      [](Genesis* genesis) { genesis->validators[0].reveal_length += 1; },
      [](Genesis* genesis) { genesis->validators[0].journal_id.bytes[0] ^= 1; },
      [](Genesis* genesis) { std::swap(genesis->validators[0], genesis->validators[1]); },
      [](Genesis* genesis) { genesis->validators.pop_back(); }};
  for (const auto& change : kChanges) {
    Genesis genesis = SampleGenesis();
    change(&genesis);
    const absl::StatusOr<Genesis> parsed = ParseGenesis(WriteGenesis(genesis));
    REQUIRE(parsed.ok());
    CHECK(parsed->validator_set_hash != good);
  }
  Genesis genesis = SampleGenesis();
  genesis.heartbeat_millis = 5000;
  CHECK(ParseGenesis(WriteGenesis(genesis))->validator_set_hash == good);
}

TEST_CASE("genesis: text that is not the JSON of a genesis is refused", "[genesis]") {
  for (const char* file : {"", "{", "[]", "7", "{\"format\": 1} x", "\xFF"}) {
    CHECK_FALSE(ParseGenesis(file).ok());
  }
  CHECK(Contains(ErrorAfterReplacing("\"network\"", "\"netwrok\""), "netwrok"));
  CHECK(Contains(ErrorAfterReplacing("\"trees\": 100", "\"trees\": 100, \"leaves\": 1"), "leaves"));
  CHECK(Contains(ErrorAfterReplacing("\"trees\": 100", "\"trees\": -1"), "trees"));
  CHECK(Contains(ErrorAfterReplacing("\"trees\": 100", "\"trees\": 1.5"), "trees"));
  CHECK(Contains(ParseError(std::string(4 * 1024 * 1024 + 1, ' ')),
                 "genesis: file of 4194305 bytes, at most 4194304"));
}

TEST_CASE("genesis: what readers of JSON read differently is refused", "[genesis]") {
  CHECK(Contains(ErrorAfterReplacing("\"trees\": 100", "\"trees\": 100, \"trees\": 200"),
                 "key \"trees\" given twice"));
  CHECK(Contains(ErrorAfterReplacing("\"max_block_bytes\"", "\"maxBlockBytes\""),
                 "key \"maxBlockBytes\" may hold only"));
  CHECK(Contains(ErrorAfterReplacing("\"raft\"", "'raft'"), "not strict JSON"));
  CHECK(ErrorAfterReplacing("Globex",
                            "Gl\xFF"
                            "bex") == "genesis: the file is not UTF-8");
  CHECK(Contains(ErrorAfterReplacing("\"mode\"", "mode"), "key in double quotes expected"));
}

TEST_CASE("genesis: other formats and modes are refused", "[genesis]") {
  CHECK(ErrorAfterReplacing("\"format\": 1", "\"format\": 2") == "genesis: format: 2, must be 1");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->mode = "bft"; }) ==
        "genesis: parameters.mode: \"bft\"; this version knows \"raft\"");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->mode = ""; }) ==
        "genesis: parameters.mode: \"\"; this version knows \"raft\"");
}

TEST_CASE("genesis: the name of the network has an alphabet and a length", "[genesis]") {
  const auto error = [](const std::string& network) {
    return ErrorAfter([&](Genesis* genesis) { genesis->network = network; });
  };
  CHECK(error(std::string(64, 'n')) == "");
  CHECK(error("a.b-c9") == "");
  CHECK(error("") == "genesis: network: 0 bytes, from 1 to 64");
  CHECK(error(std::string(65, 'n')) == "genesis: network: 65 bytes, from 1 to 64");
  for (const char* network : {"Upper", "a/b", "a b", "a_b", "a\nb", "\xC3\xA9"}) {
    CHECK(Contains(error(network), "may hold only a-z, 0-9 and \".-\""));
  }
}

TEST_CASE("genesis: a header carries the snapshot one interval below", "[genesis]") {
  Genesis genesis;
  genesis.snapshot_interval_blocks = 100;
  CHECK_FALSE(genesis.HasSnapshot(Height(0)));
  CHECK_FALSE(genesis.HasSnapshot(Height(99)));
  CHECK(genesis.HasSnapshot(Height(100)));
  CHECK(genesis.SnapshotHeightAt(Height(1)) == Height(0));
  CHECK(genesis.SnapshotHeightAt(Height(100)) == Height(0));
  CHECK(genesis.SnapshotHeightAt(Height(199)) == Height(0));
  CHECK(genesis.SnapshotHeightAt(Height(200)) == Height(100));
  CHECK(genesis.SnapshotHeightAt(Height(201)) == Height(0));
  CHECK(genesis.SnapshotHeightAt(Height(300)) == Height(200));
}

TEST_CASE("genesis: numbers have ranges", "[genesis]") {
  struct Range {
    std::string field;
    std::function<void(Genesis*, uint64_t)> set;
    uint64_t min;
    uint64_t max;
  };
  const Range kRanges[] = {
      {"time_unix_millis", [](Genesis* g, uint64_t v) { g->time_unix_millis = v; }, 0,
       kTimeUnixMillisMax},
      {"parameters.max_block_bytes",
       [](Genesis* g, uint64_t v) { g->max_block_bytes = static_cast<uint32_t>(v); }, 65'536,
       4'194'304},
      {"parameters.heartbeat_millis",
       [](Genesis* g, uint64_t v) { g->heartbeat_millis = static_cast<uint32_t>(v); }, 100,
       3'600'000},
      {"parameters.snapshot_interval_blocks",
       [](Genesis* g, uint64_t v) { g->snapshot_interval_blocks = static_cast<uint32_t>(v); }, 65,
       1'048'576},
      {"parameters.detector.profile",
       [](Genesis* g, uint64_t v) { g->detector.profile = static_cast<uint32_t>(v); }, 1, 1},
      {"parameters.detector.window_rows_max",
       [](Genesis* g, uint64_t v) { g->detector.window_rows_max = static_cast<uint32_t>(v); }, 512,
       16'384},
      {"parameters.detector.window_rows_min",
       [](Genesis* g, uint64_t v) { g->detector.window_rows_min = static_cast<uint32_t>(v); }, 64,
       4096},
      {"parameters.detector.period_events",
       [](Genesis* g, uint64_t v) { g->detector.period_events = static_cast<uint32_t>(v); }, 256,
       10'000'000},
      {"parameters.detector.trees",
       [](Genesis* g, uint64_t v) { g->detector.trees = static_cast<uint32_t>(v); }, 10, 500},
      {"parameters.detector.sample_rows",
       [](Genesis* g, uint64_t v) { g->detector.sample_rows = static_cast<uint32_t>(v); }, 16,
       4096},
      {"parameters.detector.identical_rows_max",
       [](Genesis* g, uint64_t v) { g->detector.identical_rows_max = static_cast<uint32_t>(v); }, 1,
       1024},
      {"parameters.detector.threshold_quantile_ppm",
       [](Genesis* g, uint64_t v) {
         g->detector.threshold_quantile_ppm = static_cast<uint32_t>(v);
       },
       900'000, 999'999},
      {"parameters.detector.seed_reveals",
       [](Genesis* g, uint64_t v) { g->detector.seed_reveals = static_cast<uint32_t>(v); }, 1, 16},
      {"validators[1].reveal_length",
       [](Genesis* g, uint64_t v) { g->validators[1].reveal_length = v; }, 0, 268'435'456},
  };
  for (const Range& range : kRanges) {
    const auto error = [&](uint64_t value) {
      return ErrorAfter([&](Genesis* genesis) {
        genesis->detector.window_rows_min = 64;
        genesis->detector.window_rows_max = 4096;
        if (range.field == "parameters.detector.window_rows_min") {
          genesis->detector.window_rows_min = 64;
        }
        range.set(genesis, value);
      });
    };
    const std::string tail =
        ", from " + std::to_string(range.min) + " to " + std::to_string(range.max);
    CHECK(error(range.min) == "");
    CHECK(error(range.max) == "");
    CHECK(error(range.max + 1) ==
          "genesis: " + range.field + ": " + std::to_string(range.max + 1) + tail);
    if (range.min > 0) {
      CHECK(error(range.min - 1) ==
            "genesis: " + range.field + ": " + std::to_string(range.min - 1) + tail);
    }
  }
}

TEST_CASE("genesis: parameters that are left out are refused and not guessed", "[genesis]") {
  CHECK(ErrorAfterReplacing("\"trees\": 100,", "") ==
        "genesis: parameters.detector.trees: 0, from 10 to 500");
}

TEST_CASE("genesis: counts have ranges", "[genesis]") {
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->validators.clear(); }) ==
        "genesis: validators: 0 entries, from 1 to 7");
  CHECK(ErrorAfter([](Genesis* genesis) {
          genesis->validators.resize(8, genesis->validators[0]);
        }) == "genesis: validators: 8 entries, from 1 to 7");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->organisations.clear(); }) ==
        "genesis: organisations: 0 entries, from 1 to 256");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->organisations.resize(257); }) ==
        "genesis: organisations: 257 entries, from 1 to 256");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->identities.resize(10'001); }) ==
        "genesis: identities: 10001 entries, from 0 to 10000");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->identities.clear(); }) == "");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->validators.resize(1); }) == "");
}

TEST_CASE("genesis: names are unique and well-formed", "[genesis]") {
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->organisations[1].id = "acme"; }) ==
        "genesis: organisations[1].id: \"acme\" is used twice");
  CHECK(Contains(ErrorAfter([](Genesis* genesis) { genesis->organisations[1].id = "a.b"; }),
                 "organisations[1].id: \"a.b\" may hold only"));
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->organisations[1].name.assign(257, 'x'); }) ==
        "genesis: organisations[1].name: 257 bytes, at most 256");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->validators[1].name = "v0"; }) ==
        "genesis: validators[1].name: identity \"acme/v0\" is used twice");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->identities[0].name = "v0"; }) ==
        "genesis: identities[0].name: identity \"acme/v0\" is used twice");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->validators[2].name = "v0"; }) == "");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->identities[0].name = ""; }) ==
        "genesis: identities[0].name: 0 bytes, from 1 to 64");
  CHECK(Contains(ErrorAfter([](Genesis* genesis) { genesis->identities[0].name = "a/b"; }),
                 "identities[0].name: \"a/b\" may hold only"));
}

TEST_CASE("genesis: members belong to known organisations", "[genesis]") {
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->validators[0].org = "initech"; }) ==
        "genesis: validators[0].org: \"initech\" is not among the organisations");
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->identities[1].org = ""; }) ==
        "genesis: identities[1].org: \"\" is not among the organisations");
}

TEST_CASE("genesis: roles are known and given once and never validator", "[genesis]") {
  CHECK(ErrorAfter([](Genesis* genesis) { genesis->identities[0].roles = 0; }) ==
        "genesis: identities[0].roles: empty; name at least one role");
  CHECK(Contains(ErrorAfter([](Genesis* genesis) { genesis->identities[0].roles = 1; }),
                 "identities[0].roles: \"validator\"; one of sensor"));
  CHECK(Contains(ErrorAfterReplacing("\"sensor\"", "\"sensr\""),
                 "identities[0].roles: \"sensr\"; one of sensor"));
  CHECK(ErrorAfterReplacing("\"sensor\"", "\"sensor\", \"sensor\"") ==
        "genesis: identities[0].roles: \"sensor\" is given twice");
}

TEST_CASE("genesis: a key used twice anywhere is refused", "[genesis]") {
  const std::function<PublicKey*(Genesis*)> kKeys[] = {
      [](Genesis* genesis) { return &genesis->validators[1].consensus_key; },
      [](Genesis* genesis) { return &genesis->validators[1].log_key; },
      [](Genesis* genesis) { return &genesis->validators[1].cosigner_key; },
      [](Genesis* genesis) { return &genesis->validators[1].record_key; },
      [](Genesis* genesis) { return &genesis->validators[2].record_key; },
      [](Genesis* genesis) { return &genesis->identities[1].key; }};
  const PublicKey twice = KeyNumber(1).public_key();
  for (const auto& key : kKeys) {
    const std::string error = ErrorAfter([&](Genesis* genesis) { *key(genesis) = twice; });
    CHECK(Contains(error, twice.ToHex() + " is used twice; every key needs its own pair"));
  }
}

TEST_CASE("genesis: the rule file arrives as it is and its digest with it", "[genesis]") {
  Genesis genesis = SampleGenesis();
  CHECK(genesis.detector_rules.empty());
  CHECK(genesis.rules_digest.IsZero());
  genesis.detector_rules = "line one\n  line \"two\"\n";
  const absl::StatusOr<Genesis> parsed = ParseGenesis(WriteGenesis(genesis));
  REQUIRE(parsed.ok());
  CHECK(parsed->detector_rules == genesis.detector_rules);
  const std::string tag("vigil/detector/rules/v1\0", 24);
  CHECK(parsed->rules_digest == Sha256(AsBytes(tag + genesis.detector_rules)));
  CHECK(Contains(ErrorAfter([](Genesis* changed) {
                   changed->detector_rules = std::string(kRuleFileBytesMax + 1, 'x');
                 }),
                 "parameters.detector.rules: bytes: 16385"));
}

TEST_CASE("genesis: keys that are no points of the main subgroup are refused", "[genesis]") {
  PublicKey small_order;  // The neutral element: y = 1.
  small_order.bytes[0] = 1;
  PublicKey not_canonical;
  not_canonical.bytes.fill(0xFF);
  for (const PublicKey& key : {PublicKey(), small_order, not_canonical}) {
    CHECK(Contains(ErrorAfter([&](Genesis* genesis) { genesis->validators[2].log_key = key; }),
                   "validators[2].log_key: " + key.ToHex() + " is no Ed25519 public key"));
    CHECK(Contains(ErrorAfter([&](Genesis* genesis) { genesis->identities[0].key = key; }),
                   "identities[0].key: "));
  }
}

TEST_CASE("genesis: fields of fixed size have that size", "[genesis]") {
  const auto error = [](const std::string& field) {
    std::string file = WriteGenesis(SampleGenesis());
    const size_t name = file.find("\"" + field + "\": \"");
    REQUIRE(name != std::string::npos);
    const size_t value = name + field.size() + 5;
    return ParseError(file.replace(value, file.find('"', value) - value, "AAAA"));
  };
  CHECK(error("consensus_key") ==
        "genesis: validators[0].consensus_key: 3 bytes, exactly 32 in base64");
  CHECK(error("log_key") == "genesis: validators[0].log_key: 3 bytes, exactly 32 in base64");
  CHECK(error("cosigner_key") ==
        "genesis: validators[0].cosigner_key: 3 bytes, exactly 32 in base64");
  CHECK(error("record_key") == "genesis: validators[0].record_key: 3 bytes, exactly 32 in base64");
  CHECK(error("reveal_anchor") ==
        "genesis: validators[0].reveal_anchor: 3 bytes, exactly 32 in base64");
  CHECK(error("journal_id") == "genesis: validators[0].journal_id: 3 bytes, exactly 16 in base64");
  CHECK(error("key") == "genesis: identities[0].key: 3 bytes, exactly 32 in base64");
}

TEST_CASE("genesis: a journal id used twice is refused", "[genesis]") {
  CHECK(Contains(ErrorAfter([](Genesis* genesis) {
                   genesis->validators[1].journal_id = genesis->validators[0].journal_id;
                 }),
                 "validators[1].journal_id: b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0 is used twice"));
}

}  // namespace vigil::ledger
