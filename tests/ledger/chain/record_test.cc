#include "ledger/chain/record.h"

#include <string>

#include "ledger/chain/header.h"
#include "ledger/chain/scanner.h"
#include "ledger/crypto/sha256.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"
#include "vigil/v1/record.pb.h"

namespace vigil::ledger {
namespace {

using samples::HashOf;
using samples::KeyNumber;
using samples::SampleBodies;

std::string DecodeError(const std::string& leaf) {
  return std::string(DecodeRecord(AsBytes(leaf)).status().message());
}

}  // namespace

TEST_CASE("record: what was signed decodes to the same fields and verifies", "[record]") {
  const SigningKey key = KeyNumber(100);
  for (const RecordBody& body : SampleBodies()) {
    const std::string leaf = SignRecord(body, HashOf(1), key);
    const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(leaf));
    REQUIRE(view.ok());
    CHECK(view->kind == KindOfBody(body));
    CHECK(view->author == key.id());
    CHECK(AsView(view->leaf) == leaf);
    CHECK(leaf.size() == kLeafPrefixBytes + view->body_bytes.size() + Signature::size());
    CHECK(VerifyRecordSignature(*view, HashOf(1), key.public_key()));
    // Signing what was decoded gives the same bytes: nothing was lost.
    CHECK(SignRecord(view->body, HashOf(1), key) == leaf);
  }
}

TEST_CASE("record: the fields of a batch survive", "[record]") {
  const EventBatchBody body = std::get<EventBatchBody>(SampleBodies()[0]);
  const std::string leaf = SignRecord(body, HashOf(1), KeyNumber(100));
  const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(leaf));
  REQUIRE(view.ok());
  const EventBatchBody& seen = std::get<EventBatchBody>(view->body);
  CHECK(seen.stream == "conn");
  CHECK(seen.sequence == 7);
  CHECK(seen.previous == HashOf(1));
  CHECK(seen.item_count == 2);
  CHECK(seen.items_root == HashOf(2));
  CHECK(seen.sealed_root == HashOf(3));
  CHECK(seen.first_time_unix_nano == body.first_time_unix_nano);
  CHECK(seen.last_time_unix_nano == body.last_time_unix_nano);
  CHECK(seen.payload_bytes == 400);
}

TEST_CASE("record: a signature does not carry to another chain or key or kind", "[record]") {
  const SigningKey key = KeyNumber(100);
  const std::string leaf = SignRecord(SampleBodies()[1], HashOf(1), key);
  absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(leaf));
  REQUIRE(view.ok());
  REQUIRE(VerifyRecordSignature(*view, HashOf(1), key.public_key()));
  CHECK_FALSE(VerifyRecordSignature(*view, HashOf(2), key.public_key()));
  CHECK_FALSE(VerifyRecordSignature(*view, HashOf(1), KeyNumber(101).public_key()));
  view->kind = RecordKind::kGap;
  CHECK_FALSE(VerifyRecordSignature(*view, HashOf(1), key.public_key()));
}

TEST_CASE("record: a heartbeat passed off as a gap decodes but does not verify", "[record]") {
  // Both bodies begin with author and stream and sequence and previous.
  const SigningKey key = KeyNumber(100);
  HeartbeatBody body = {"conn", 8, HashOf(4), 0};
  std::string leaf = SignRecord(body, HashOf(1), key);
  leaf[1] = static_cast<char>(RecordKind::kGap);
  const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(leaf));
  REQUIRE(view.ok());
  CHECK_FALSE(VerifyRecordSignature(*view, HashOf(1), key.public_key()));
}

TEST_CASE("record: an author that is not the key is refused even if the signature is the key's",
          "[record]") {
  const SigningKey key = KeyNumber(100);
  std::string leaf = SignRecord(SampleBodies()[1], HashOf(1), key);
  leaf[kLeafPrefixBytes + 2] ^= 1;  // First byte of the author.
  const std::string body = leaf.substr(kLeafPrefixBytes, leaf.size() - kLeafPrefixBytes - 64);
  const std::string message =
      RecordSigningMessage(RecordKind::kHeartbeat, HashOf(1), AsBytes(body));
  leaf.replace(leaf.size() - 64, 64, ToString(key.Sign(AsBytes(message)).span()));
  const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(leaf));
  REQUIRE(view.ok());
  CHECK_FALSE(VerifyRecordSignature(*view, HashOf(1), key.public_key()));
}

TEST_CASE("record: every flipped bit is noticed by decoding or by the signature", "[record]") {
  const SigningKey key = KeyNumber(100);
  for (const RecordBody& body : SampleBodies()) {
    const std::string good = SignRecord(body, HashOf(1), key);
    for (size_t i = 0; i < 8 * good.size(); ++i) {
      std::string bad = good;
      bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
      const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(bad));
      if (view.ok() && VerifyRecordSignature(*view, HashOf(1), key.public_key())) {
        FAIL("bit " << i << " of " << KindOf(KindOfBody(body)).name);
      }
    }
  }
}

TEST_CASE("record: truncated and prolonged leaves are refused", "[record]") {
  for (const RecordBody& body : SampleBodies()) {
    const std::string good = SignRecord(body, HashOf(1), KeyNumber(100));
    for (size_t size = 0; size < good.size(); ++size) {
      CHECK_FALSE(DecodeRecord(AsBytes(good.substr(0, size))).ok());
    }
    CHECK(DecodeError(good + "x") == "record: 1 bytes left over");
  }
}

TEST_CASE("record: hostile lengths are refused", "[record]") {
  const std::string good = SignRecord(SampleBodies()[1], HashOf(1), KeyNumber(100));
  for (const char* length : {"\xFF\xFF\xFF\xFF", "\x80\x00\x00\x00", "\x00\x00\x7F\xFF"}) {
    std::string bad = good;
    bad.replace(2, 4, std::string(length, 4));
    CHECK(DecodeError(bad) == "record: ends too early or a length is over its maximum");
  }
  CHECK(DecodeError(std::string(32 * 1024 + 1, '\1')) == "record of 32769 bytes, at most 32768");
}

TEST_CASE("record: other versions and kinds are refused", "[record]") {
  const std::string good = SignRecord(SampleBodies()[1], HashOf(1), KeyNumber(100));
  for (int version : {0, 2, 255}) {
    std::string bad = good;
    bad[0] = static_cast<char>(version);
    CHECK(DecodeError(bad) == "record version " + std::to_string(version) + ", must be 1");
  }
  for (int number : {0, 27, 200, 255}) {
    std::string bad = good;
    bad[1] = static_cast<char>(number);
    CHECK(DecodeError(bad) == "record kind " + std::to_string(number) + ": unknown");
  }
  std::string bad = good;
  bad[1] = static_cast<char>(RecordKind::kPolicy);
  CHECK(DecodeError(bad) == "record kind 16 (policy): not admitted by this version");
}

TEST_CASE("record: nobody may submit a seal", "[record]") {
  const std::string seal = EncodeSealLeaf(AsBytes(EncodeHeader(BlockHeader())), HashOf(1),
                                          RecordIndex(5), /*record_count=*/3);
  CHECK_FALSE(DecodeRecord(AsBytes(seal)).ok());
  // With 64 bytes of anything where the signature belongs.
  CHECK(DecodeError(seal + std::string(64, 's')) ==
        "record kind 25 (seal): not admitted by this version");
}

TEST_CASE("record: the signed message is the tag and kind and chain and body", "[record]") {
  std::string expected("vigil/record/v1\0", 16);
  expected += '\x02';
  expected += std::string(32, '\x07');
  expected += "body";
  CHECK(RecordSigningMessage(RecordKind::kHeartbeat, HashOf(7), AsBytes("body")) == expected);
}

TEST_CASE("record: an alert of a rule has what a rule needs and nothing of a model", "[record]") {
  AlertBody rule;
  rule.event = {RecordIndex(300), ItemIndex(17)};
  rule.event_type = 2;
  rule.model_digest = HashOf(6);
  rule.score_q8 = rule.threshold_q8 = 2560;
  rule.component = kRuleComponent;
  rule.event_leaf = HashOf(7);
  rule.rule = 3;
  rule.rules_digest = HashOf(9);
  rule.entity_kind = 5;
  rule.observed = 12;
  const std::string good = SignRecord(rule, HashOf(1), KeyNumber(100));
  const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(good));
  REQUIRE(view.ok());
  const AlertBody& read = std::get<AlertBody>(view->body);
  CHECK(read.rule == 3);
  CHECK(read.rules_digest == HashOf(9));
  CHECK(read.entity_kind == 5);
  CHECK(read.observed == 12);
  CHECK(SignRecord(read, HashOf(1), KeyNumber(100)) == good);
  // SignRecord() makes no such bodies.
  const auto error_of = [&](auto change) {
    v1::AlertBody body;
    REQUIRE(
        body.ParseFromArray(view->body_bytes.data(), static_cast<int>(view->body_bytes.size())));
    change(&body);
    const std::string bytes = body.SerializeAsString();
    KeyId author;
    RecordBody scanned;
    return std::string(ScanBody(RecordKind::kAlert, AsBytes(bytes), &author, &scanned).message());
  };
  const auto says = [&](const char* what, auto change) {
    INFO(what);
    CHECK_THAT(error_of(change), Catch::Contains(what));
  };
  says("alert.period", [](v1::AlertBody* b) { b->set_period(1); });
  says("alert.rule: 3 of", [](v1::AlertBody* b) { b->clear_rule(); });
  says("alert.rule: 3 of", [](v1::AlertBody* b) { b->clear_rules_digest(); });
  says("alert.rule: 3 of", [](v1::AlertBody* b) { b->clear_entity_kind(); });
  says("alert.rule: 3 of", [](v1::AlertBody* b) { b->clear_observed(); });
  says("alert.reasons", [](v1::AlertBody* b) { b->add_reasons()->set_bits_q8(5); });
  says("rule", [](v1::AlertBody* b) { b->set_rule(65'536); });
  says("entity_kind", [](v1::AlertBody* b) { b->set_entity_kind(7); });
  says("component", [](v1::AlertBody* b) { b->set_component(5); });
  // A model's alert has nothing of a rule.
  says("alert.rule: 4 of", [](v1::AlertBody* b) {
    b->set_component(1);
    b->set_period(1);
  });
}

TEST_CASE("record: an alert's anchor is no later event and has a kind", "[record]") {
  AlertBody alert;
  alert.event = {RecordIndex(300), ItemIndex(17)};
  alert.event_type = 1;
  alert.period = 3;
  alert.model_digest = HashOf(6);
  alert.score_q8 = alert.threshold_q8 = 2560;
  alert.component = 2;
  alert.event_leaf = HashOf(7);
  const auto scan = [&](uint64_t record, uint32_t item, uint32_t kind, AlertBody* out) {
    const std::string good = SignRecord(alert, HashOf(1), KeyNumber(100));
    const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(good));
    REQUIRE(view.ok());
    v1::AlertBody body;
    REQUIRE(
        body.ParseFromArray(view->body_bytes.data(), static_cast<int>(view->body_bytes.size())));
    body.set_anchor_record(record);
    body.set_anchor_item(item);
    body.set_anchor_kind(kind);
    const std::string bytes = body.SerializeAsString();
    KeyId author;
    RecordBody scanned;
    const absl::Status status = ScanBody(RecordKind::kAlert, AsBytes(bytes), &author, &scanned);
    if (status.ok()) *out = std::get<AlertBody>(scanned);
    return std::string(status.message());
  };
  AlertBody read;
  for (const uint32_t kind : {1u, 5u, 6u}) CHECK(scan(299, 9'999, kind, &read).empty());
  CHECK(scan(300, 17, 5, &read).empty());
  CHECK(read.anchor == alert.event);
  CHECK(read.anchor_kind == 5);
  alert.anchor = read.anchor;
  alert.anchor_kind = 5;
  CHECK(scan(0, 0, 1, &read).empty());
  CHECK(read.anchor == EventRef());
  CHECK(read.anchor_kind == 1);
  CHECK(scan(0, 0, 0, &read).empty());
  CHECK(read.anchor_kind == 0);
  CHECK_THAT(scan(300, 18, 1, &read), Catch::Contains("300.18 comes after"));
  CHECK_THAT(scan(301, 0, 1, &read), Catch::Contains("301.0 comes after"));
  CHECK_THAT(scan(299, 0, 0, &read), Catch::Contains("absent with an anchor"));
  CHECK_THAT(scan(0, 1, 0, &read), Catch::Contains("absent with an anchor"));
  for (const uint32_t kind : {2u, 3u, 4u}) {
    CHECK_THAT(scan(299, 0, kind, &read), Catch::Contains("anchor_kind: "));
  }
  CHECK_THAT(scan(299, 0, 7, &read), Catch::Contains("anchor_kind"));
  CHECK_THAT(scan(299, 10'000, 1, &read), Catch::Contains("anchor_item"));
}

TEST_CASE("record: the digest of a rule is that of docs/formats/detector_model.md", "[record]") {
  std::string bytes("vigil/detector/rule/v1\0", 23);
  bytes += std::string(HashOf(9).view());
  bytes += std::string("\x02\x01\0\0", 4);
  CHECK(RuleDigestOf(HashOf(9), 0x102) == Sha256(AsBytes(bytes)));
}

TEST_CASE("record: a proposal is for a set or for rules and has nothing of the other", "[record]") {
  const std::string file = "vigil-rules 1\nversion 2\n";
  ProposalBody proposal;
  proposal.epoch = 3;
  proposal.reason = "too noisy";
  proposal.rules = file;
  proposal.replaced_rules = HashOf(9);
  const std::string good = SignRecord(proposal, HashOf(1), KeyNumber(101));
  const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(good));
  REQUIRE(view.ok());
  const ProposalBody& read = std::get<ProposalBody>(view->body);
  CHECK(read.rules == file);
  CHECK(read.replaced_rules == HashOf(9));
  CHECK(read.next_set.empty());
  CHECK(SignRecord(read, HashOf(1), KeyNumber(101)) == good);
  const auto error_of = [&](auto change) {
    v1::ProposalBody body;
    REQUIRE(
        body.ParseFromArray(view->body_bytes.data(), static_cast<int>(view->body_bytes.size())));
    change(&body);
    const std::string bytes = body.SerializeAsString();
    KeyId author;
    RecordBody scanned;
    return std::string(
        ScanBody(RecordKind::kProposal, AsBytes(bytes), &author, &scanned).message());
  };
  const auto says = [&](const char* what, auto change) {
    INFO(what);
    CHECK_THAT(error_of(change), Catch::Contains(what));
  };
  CHECK(error_of([](v1::ProposalBody* b) { b->clear_replaced_rules(); }).empty());
  CHECK(error_of([](v1::ProposalBody* b) { b->set_rules(std::string(16'384, '#')); }).empty());
  says("rules", [](v1::ProposalBody* b) { b->set_rules(std::string(16'385, '#')); });
  says("rules", [](v1::ProposalBody* b) { b->set_rules("\xff"); });
  says("proposal.next_set: with rules", [](v1::ProposalBody* b) { b->set_next_set("set"); });
  says("proposal.next_set: absent", [](v1::ProposalBody* b) {
    b->clear_rules();
    b->clear_replaced_rules();
  });
  says("proposal.addresses", [](v1::ProposalBody* b) { b->set_addresses("v5:7601"); });
  says("replaced_rules", [](v1::ProposalBody* b) { b->set_replaced_rules("short"); });
  says("replaced_rules", [](v1::ProposalBody* b) { b->set_replaced_rules(std::string(32, '\0')); });
  says("proposal.replaced_rules: without rules", [](v1::ProposalBody* b) {
    b->clear_rules();
    b->set_next_set("set");
  });
}

}  // namespace vigil::ledger
