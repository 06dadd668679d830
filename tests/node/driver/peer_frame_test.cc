#include "node/driver/peer_frame.h"

#include <functional>
#include <vector>

#include "ledger/base/limits.h"
#include "ledger/base/random.h"
#include "node/log/cosign_note.h"
#include "tests/support/catch.h"
#include "tests/support/seed.h"

namespace vigil::node {
namespace {

HelloFrame SampleHello() {
  HelloFrame hello;
  hello.chain_id.bytes.fill(1);
  hello.journal_id.bytes.fill(2);
  hello.validator = ValidatorIndex(3);
  hello.signature.bytes.fill(4);
  return hello;
}

std::string SampleConsensus() {
  std::string frame = EncodeConsensusHead("core header", 2);
  ByteWriter(&frame).Prefixed(absl::string_view("first")).Prefixed(absl::string_view("second"));
  return frame;
}

std::string SampleForward() {
  return EncodeForward({std::make_shared<const ledger::Record>(ledger::Record{"leaf", "payload"}),
                        std::make_shared<const ledger::Record>(ledger::Record{"other", ""})});
}

ForwardRefusedFrame SampleRefused() {
  ForwardRefusedFrame refused;
  refused.leaf_hash.bytes.fill(7);
  refused.status = 8;
  refused.retry_after_millis = 200;
  refused.expected_sequence = 12;
  refused.expected_previous.bytes.fill(9);
  refused.code = "lane.full";
  refused.what = "no room";
  refused.remedy = "later";
  return refused;
}

bool DecodesAsAnything(absl::string_view frame) {
  return DecodeHello(frame).ok() || DecodeConsensus(frame).ok() || DecodeForward(frame).ok() ||
         DecodeForwardRefused(frame).ok() || DecodeCosignature(frame).ok();
}

TEST_CASE("peer frame: the bytes are those of docs/formats", "[peer_frame]") {
  CHECK(EncodeConsensusHead("ab", 3) == std::string("\x02\0\0\0\x02"
                                                    "ab\0\0\0\x03",
                                                    11));
  CHECK(EncodeHello(SampleHello()).size() == 1 + 32 + 16 + 4 + 4 + 64);
  CHECK(EncodeHello(SampleHello())[0] == 1);
  Hash certificate;
  certificate.bytes.fill(5);
  CHECK(HelloMessage(SampleHello(), ValidatorIndex(9), certificate) ==
        std::string("vigil/hello/v1\0", 15) + std::string(32, 1) + std::string(16, 2) +
            std::string("\0\0\0\x03\0\0\0\x09", 8) + std::string(32, 5));
  CHECK(SampleForward() == std::string("\x03\0\0\0\x02\0\0\0\x04leaf\0\0\0\x07payload"
                                       "\0\0\0\x05other\0\0\0\0",
                                       5 + 8 + 11 + 8 + 5));
  CHECK(EncodeForwardRefused(SampleRefused())[0] == 4);
  CHECK(EncodeCosignature({.asks = true, .note = "note"}) ==
        std::string("\x05\x01\0\0\0\x04note", 10));
}

TEST_CASE("peer frame: what is encoded decodes to the same", "[peer_frame]") {
  const auto hello = DecodeHello(EncodeHello(SampleHello()));
  REQUIRE(hello.ok());
  CHECK(hello->chain_id == SampleHello().chain_id);
  CHECK(hello->journal_id == SampleHello().journal_id);
  CHECK(hello->validator == ValidatorIndex(3));
  CHECK(hello->protocol_version == kPeerProtocolVersion);

  const std::string bytes = SampleConsensus();
  const auto consensus = DecodeConsensus(bytes);
  REQUIRE(consensus.ok());
  CHECK(consensus->header == "core header");
  REQUIRE(consensus->blocks.size() == 2);
  CHECK(AsView(consensus->blocks[1]) == "second");

  const std::string forward_bytes = SampleForward();
  const auto forward = DecodeForward(forward_bytes);
  REQUIRE(forward.ok());
  REQUIRE(forward->records.size() == 2);
  CHECK(forward->records[0].payload == "payload");
  CHECK(forward->records[1].leaf == "other");

  const auto refused = DecodeForwardRefused(EncodeForwardRefused(SampleRefused()));
  REQUIRE(refused.ok());
  CHECK(refused->leaf_hash == SampleRefused().leaf_hash);
  CHECK(refused->expected_sequence == 12);
  CHECK(refused->expected_previous == SampleRefused().expected_previous);
  CHECK(refused->code == "lane.full");
  CHECK(refused->remedy == "later");

  for (const bool asks : {false, true}) {
    const std::string cosignature_bytes = EncodeCosignature({.asks = asks, .note = "a note"});
    const auto cosignature = DecodeCosignature(cosignature_bytes);
    REQUIRE(cosignature.ok());
    CHECK(cosignature->asks == asks);
    CHECK(cosignature->note == "a note");
  }
}

HelloFrame LaterHello(size_t anchors) {
  HelloFrame hello = SampleHello();
  hello.epoch = Epoch(3);
  hello.anchors.resize(anchors);
  for (size_t i = 0; i < anchors; ++i) hello.anchors[i].checkpoint = std::to_string(i);
  return hello;
}

TEST_CASE("peer frame: a hello of a later epoch carries epoch and anchors", "[peer_frame]") {
  const HelloFrame sent = LaterHello(2);
  const std::string frame = EncodeHello(sent);
  const auto hello = DecodeHello(frame);
  REQUIRE(hello.ok());
  CHECK(hello->epoch == Epoch(3));
  CHECK(hello->anchors == sent.anchors);
  CHECK(hello->protocol_version == kPeerProtocolVersionEpochs);
  CHECK(hello->signature == sent.signature);
  for (size_t size = 0; size < frame.size(); ++size) {
    CHECK_FALSE(DecodeHello(frame.substr(0, size)).ok());
  }
  CHECK_FALSE(DecodeHello(frame + "x").ok());
  // Its signature covers the epoch, so that a hello of one epoch is none of another.
  HelloFrame other = sent;
  other.epoch = Epoch(4);
  Hash certificate;
  CHECK(HelloMessage(sent, ValidatorIndex(9), certificate) !=
        HelloMessage(other, ValidatorIndex(9), certificate));
}

TEST_CASE("peer frame: what a hello may not say of epochs is refused", "[peer_frame]") {
  // Behind type, chain id, journal id, version, validator and signature.
  constexpr size_t kVersionAt = 1 + 32 + 16;
  constexpr size_t kEpochAt = kVersionAt + 4 + 4 + 64;
  const auto with_epoch = [&](char epoch) {
    std::string frame = EncodeHello(LaterHello(0));
    REQUIRE(frame[kEpochAt + 7] == 3);
    frame[kEpochAt + 7] = epoch;
    return DecodeHello(frame).ok();
  };
  CHECK_FALSE(with_epoch(0));
  CHECK_FALSE(with_epoch(1));
  CHECK(with_epoch(2));
  CHECK(DecodeHello(EncodeHello(LaterHello(kHelloAnchorsMax))).ok());
  CHECK_FALSE(DecodeHello(EncodeHello(LaterHello(kHelloAnchorsMax + 1))).ok());
  // Another layout than the version says, and versions of others.
  for (const HelloFrame& sent : {SampleHello(), LaterHello(1)}) {
    for (const uint8_t version : {0, 2, 3, 4, 5}) {
      std::string frame = EncodeHello(sent);
      const bool own = static_cast<uint8_t>(frame[kVersionAt + 3]) == version;
      frame[kVersionAt + 3] = static_cast<char>(version);
      INFO("version " << int{version});
      CHECK(DecodeHello(frame).ok() == own);
    }
  }
  std::string chain = EncodeHello(LaterHello(1));
  chain[kEpochAt + 8 + 4] ^= 1;  // The first byte of the epoch chain's tag.
  CHECK_FALSE(DecodeHello(chain).ok());
}

TEST_CASE("peer frame: a frame cut anywhere or with a byte more is refused", "[peer_frame]") {
  for (const std::string& frame :
       {EncodeHello(SampleHello()), SampleConsensus(), SampleForward(),
        EncodeForwardRefused(SampleRefused()), EncodeCosignature({.asks = true, .note = "note"})}) {
    REQUIRE(DecodesAsAnything(frame));
    for (size_t size = 0; size < frame.size(); ++size) {
      CHECK_FALSE(DecodesAsAnything(frame.substr(0, size)));
    }
    CHECK_FALSE(DecodesAsAnything(frame + "x"));
  }
}

TEST_CASE("peer frame: hostile counts and lengths are refused before they are used",
          "[peer_frame]") {
  std::string many_blocks = EncodeConsensusHead("h", kFrameBlocksMax + 1);
  CHECK_FALSE(DecodeConsensus(many_blocks).ok());
  CHECK_FALSE(DecodeConsensus(EncodeConsensusHead("h", 0xffffffff)).ok());
  std::string many_records = "\x03";
  ByteWriter(&many_records).U32(0xffffffff);
  CHECK_FALSE(DecodeForward(many_records).ok());
  std::string long_leaf = "\x03";
  ByteWriter(&long_leaf).U32(1).U32(0xffffffff);
  CHECK_FALSE(DecodeForward(long_leaf).ok());
  std::string big_leaf = "\x03";
  ByteWriter(&big_leaf)
      .U32(1)
      .Prefixed(std::string(kRecordLeafBytesMax + 1, 'x'))
      .Prefixed(absl::string_view(""));
  CHECK_FALSE(DecodeForward(big_leaf).ok());
  CHECK_FALSE(PeerFrameTypeOf("").ok());
  CHECK_FALSE(PeerFrameTypeOf(absl::string_view("\0", 1)).ok());
  CHECK_FALSE(PeerFrameTypeOf("\x08").ok());
  CHECK_FALSE(DecodeCosignature(absl::string_view("\x05\x02\0\0\0\0", 6)).ok());
  const std::string long_note(kCosignNoteBytesMax + 1, 'x');
  CHECK_FALSE(DecodeCosignature(EncodeCosignature({.asks = false, .note = long_note})).ok());
  CHECK_FALSE(PeerFrameTypeOf(std::string(kPeerFrameBytesMax + 1, '\x02')).ok());
}

TEST_CASE("peer frame: a refusal names a real status", "[peer_frame]") {
  ForwardRefusedFrame refused = SampleRefused();
  for (const uint8_t status : {0, 17, 255}) {
    refused.status = status;
    CHECK_FALSE(DecodeForwardRefused(EncodeForwardRefused(refused)).ok());
  }
  refused.status = 16;
  refused.what = std::string(5000, 'x');
  const auto decoded = DecodeForwardRefused(EncodeForwardRefused(refused));
  REQUIRE(decoded.ok());
  CHECK(decoded->what.size() == kRefusalTextBytesMax);
}

TEST_CASE("peer frame: random bytes never crash a decoder", "[peer_frame]") {
  VIGIL_TEST_SEED(seed, 77);
  SplitMix64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string frame(random.Below(80), '\0');
    for (char& byte : frame) byte = static_cast<char>(random.Below(random.Chance(500) ? 4 : 256));
    if (!frame.empty()) frame[0] = static_cast<char>(1 + random.Below(5));
    (void)DecodesAsAnything(frame);
  }
  SUCCEED();
}

}  // namespace
}  // namespace vigil::node
