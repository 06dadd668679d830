#include "ledger/chain/scanner.h"

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "ledger/base/random.h"
#include "tests/ledger/chain/canonical_oracle.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"
#include "vigil/v1/record.pb.h"

namespace vigil::ledger {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using samples::ConnectionEvent;
using samples::FullEvent;
using samples::SmallestEvent;

std::string EventError(const std::string& bytes) {
  EventView view;
  return std::string(ScanEvent(AsBytes(bytes), &view).message());
}
bool ScannerAcceptsEvent(const std::string& bytes) {
  EventView view;
  return ScanEvent(AsBytes(bytes), &view).ok();
}
bool ScannerAcceptsBody(RecordKind kind, const std::string& bytes) {
  KeyId author;
  RecordBody body;
  return ScanBody(kind, AsBytes(bytes), &author, &body).ok();
}
std::string BodyError(RecordKind kind, const std::string& bytes) {
  KeyId author;
  RecordBody body;
  return std::string(ScanBody(kind, AsBytes(bytes), &author, &body).message());
}

// Bodies of SampleBodies() as bytes, with their kinds.
std::vector<std::pair<RecordKind, std::string>> BodySamples() {
  std::vector<std::pair<RecordKind, std::string>> all;
  for (const RecordBody& body : samples::SampleBodies()) {
    const std::string leaf = SignRecord(body, Hash(), samples::KeyNumber(100));
    const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(leaf));
    REQUIRE(view.ok());
    all.emplace_back(view->kind, ToString(view->body_bytes));
  }
  return all;
}

std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}
std::string Tag(int field, int wire) { return Varint(static_cast<uint64_t>(field) << 3 | wire); }
std::string Lengthy(int field, const std::string& value) {
  return Tag(field, 2) + Varint(value.size()) + value;
}

}  // namespace

TEST_CASE("scanner: an event with every field set reads as protobuf reads it", "[scanner]") {
  const v1::Event event = FullEvent();
  const std::string bytes = event.SerializeAsString();
  EventView view;
  REQUIRE(ScanEvent(AsBytes(bytes), &view) == absl::OkStatus());
  CHECK(view.schema == 1);
  CHECK(AsView(view.salt) == event.salt());
  CHECK(view.time_unix_nano == event.time_unix_nano());
  CHECK(view.type_uid == event.type_uid());
  CHECK(view.class_uid() == 4001);
  CHECK(view.severity_id == 5);
  CHECK(view.status_id == 2);
  CHECK(view.action_id == 99);
  CHECK(view.disposition_id == 1);
  CHECK(view.source == event.source());
  CHECK(view.source_uid == event.source_uid());
  CHECK(view.event_id == event.event_id());
  CHECK(view.protocol_num == 17);
  CHECK(view.app_protocol == event.app_protocol());
  CHECK(view.duration_ns == 77);
  CHECK(view.rule_uid == event.rule_uid());
  CHECK(view.rule_name == event.rule_name());
  CHECK(view.url_or_query == event.url_or_query());
  CHECK(view.message == event.message());
  CHECK(view.status_code == event.status_code());
  CHECK(view.count == 3);
  CHECK(view.end_time_unix_nano == event.end_time_unix_nano());
  CHECK(view.tlp == 3);
  CHECK(view.mapping_id == event.mapping_id());
}

TEST_CASE("scanner: nested and repeated fields read as protobuf reads them", "[scanner]") {
  const v1::Event event = FullEvent();
  const std::string bytes = event.SerializeAsString();
  EventView view;
  REQUIRE(ScanEvent(AsBytes(bytes), &view) == absl::OkStatus());
  CHECK(view.user == event.actor().user());
  CHECK(view.user_uid == event.actor().user_uid());
  CHECK(view.domain == event.actor().domain());
  CHECK(view.process == event.actor().process());
  CHECK(view.path == event.actor().path());
  CHECK(view.cmd_line == event.actor().cmd_line());
  CHECK(view.pid == event.actor().pid());
  CHECK(view.parent == event.actor().parent());
  CHECK(view.session == event.actor().session());
  const std::pair<const EndpointView*, const v1::Endpoint*> kEndpoints[] = {
      {&view.device, &event.device()}, {&view.src, &event.src()}, {&view.dst, &event.dst()}};
  for (const auto& [seen, wanted] : kEndpoints) {
    CHECK(seen->present);
    CHECK(AsView(seen->ip) == wanted->ip());
    CHECK(seen->port == wanted->port());
    CHECK(seen->hostname == wanted->hostname());
    CHECK(AsView(seen->mac) == wanted->mac());
    CHECK(seen->uid == wanted->uid());
    CHECK(seen->zone == wanted->zone());
  }
  CHECK(view.has_traffic);
  CHECK(view.bytes_in == 1);
  CHECK(view.bytes_out == 200);
  CHECK(view.packets_in == 30'000);
  CHECK(view.packets_out == 4'000'000'000'000);
  CHECK(view.first_attack == "T1111");
  CHECK(view.attack_count == 2);
  REQUIRE(view.observable_count == 2);
  CHECK(view.observables[1].type_id == 2);
  CHECK(view.observables[1].value == "10.0.0.2");
  REQUIRE(view.metric_count == 2);
  CHECK(view.metrics[0].key == "score.1");
  CHECK(view.metrics[0].value_e6 == 1'500'000);
  CHECK(view.metrics[1].value_e6 == -2'000'000);
  CHECK(view.unmapped_count == 2);
  CHECK(view.file_name == event.file().name());
  CHECK(view.file_path == event.file().path());
  CHECK(AsView(view.file_sha256) == event.file().sha256());
  CHECK(view.file_size == 123'456);
}

TEST_CASE("scanner: a view keeps nothing of the event that was scanned before", "[scanner]") {
  EventView view;
  const std::string full = FullEvent().SerializeAsString();
  REQUIRE(ScanEvent(AsBytes(full), &view).ok());
  const std::string small = SmallestEvent().SerializeAsString();
  REQUIRE(ScanEvent(AsBytes(small), &view).ok());
  CHECK(view.user.empty());
  CHECK_FALSE(view.src.present);
  CHECK(view.src.ip.empty());
  CHECK_FALSE(view.has_traffic);
  CHECK(view.metric_count == 0);
  CHECK(view.observable_count == 0);
  CHECK(view.unmapped_count == 0);
  CHECK(view.attack_count == 0);
  CHECK(view.tlp == 0);
}

TEST_CASE("scanner: extreme metric values survive zigzag", "[scanner]") {
  for (int64_t value : {INT64_MIN, INT64_MAX, int64_t{-1}, int64_t{1}}) {
    v1::Event event = SmallestEvent();
    event.add_metrics()->set_key("k");
    event.mutable_metrics(0)->set_value_e6(value);
    const std::string bytes = event.SerializeAsString();
    EventView view;
    REQUIRE(ScanEvent(AsBytes(bytes), &view).ok());
    CHECK(view.metrics[0].value_e6 == value);
  }
}

TEST_CASE("scanner: every one-byte change of an event is judged as the oracle judges it",
          "[scanner]") {
  for (const v1::Event& event : {SmallestEvent(), ConnectionEvent()}) {
    const std::string good = event.SerializeAsString();
    REQUIRE(OracleAcceptsEvent(good));
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      for (int change = 1; change < 256; ++change) {
        bad[i] = static_cast<char>(good[i] ^ change);
        const bool accepted = ScannerAcceptsEvent(bad);
        if (accepted != OracleAcceptsEvent(bad)) {
          FAIL("byte " << i << " changed by " << change << ": scanner says " << accepted << ", "
                       << EventError(bad));
        }
      }
    }
  }
}

TEST_CASE("scanner: every one-bit change of a full event is judged as the oracle judges it",
          "[scanner]") {
  const std::string good = FullEvent().SerializeAsString();
  REQUIRE(OracleAcceptsEvent(good));
  for (size_t i = 0; i < 8 * good.size(); ++i) {
    std::string bad = good;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    if (ScannerAcceptsEvent(bad) != OracleAcceptsEvent(bad)) {
      FAIL("bit " << i << ": " << EventError(bad));
    }
  }
}

TEST_CASE("scanner: every one-byte change of a body is judged as the oracle judges it",
          "[scanner]") {
  for (const auto& [kind, good] : BodySamples()) {
    REQUIRE(OracleAcceptsBody(kind, good));
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      for (int change = 1; change < 256; ++change) {
        bad[i] = static_cast<char>(good[i] ^ change);
        if (ScannerAcceptsBody(kind, bad) != OracleAcceptsBody(kind, bad)) {
          FAIL(KindOf(kind).name << " byte " << i << " changed by " << change << ": "
                                 << BodyError(kind, bad));
        }
      }
    }
  }
}

TEST_CASE("scanner: every prefix is judged as the oracle judges it", "[scanner]") {
  const std::string event = FullEvent().SerializeAsString();
  for (size_t size = 0; size < event.size(); ++size) {
    const std::string cut = event.substr(0, size);
    if (ScannerAcceptsEvent(cut) != OracleAcceptsEvent(cut)) FAIL("event cut at " << size);
  }
  for (const auto& [kind, body] : BodySamples()) {
    for (size_t size = 0; size < body.size(); ++size) {
      const std::string cut = body.substr(0, size);
      if (ScannerAcceptsBody(kind, cut) != OracleAcceptsBody(kind, cut)) {
        FAIL(KindOf(kind).name << " cut at " << size);
      }
    }
  }
}

TEST_CASE("scanner: random splices are judged as the oracle judges them", "[scanner]") {
  SplitMix64 random(samples::TestSeed(20'240'117));
  const std::string good = FullEvent().SerializeAsString();
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = good;
    for (uint64_t edits = 1 + random.Next() % 3; edits > 0; --edits) {
      const size_t at = random.Next() % bad.size();
      const size_t size = random.Next() % 24;
      switch (random.Next() % 4) {
        case 0:
          bad.erase(at, size);
          break;
        case 1:
          bad.insert(at, good.substr(random.Next() % good.size(), size));
          break;
        case 2:
          bad.insert(at, 1, static_cast<char>(random.Next()));
          break;
        default:
          bad[at] = static_cast<char>(random.Next());
      }
      if (bad.empty()) bad = "x";
    }
    if (ScannerAcceptsEvent(bad) != OracleAcceptsEvent(bad)) {
      FAIL("round " << round << ": " << HexEncode(AsBytes(bad)) << "\n" << EventError(bad));
    }
  }
}

namespace {

// Every field below `message`, set alone to `value` by `visit(leaf message, field)`.
template <typename Visit>
void ForEachField(Message* message, const std::string& path, const Visit& visit) {
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = message->GetDescriptor()->field(i);
    const std::string name = path + "." + field->name();
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      visit(message, field, name);
    } else if (field->is_repeated()) {
      ForEachField(message->GetReflection()->MutableRepeatedMessage(message, field, 0),
                   name + "[0]", visit);
    } else {
      ForEachField(message->GetReflection()->MutableMessage(message, field), name, visit);
    }
  }
}

// Writes a number, or text of that size.
void SetField(Message* message, const FieldDescriptor* field, uint64_t value) {
  const google::protobuf::Reflection* const reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection->SetUInt32(message, field, static_cast<uint32_t>(value));
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection->SetUInt64(message, field, value);
    case FieldDescriptor::CPPTYPE_STRING:
      if (field->is_repeated()) {
        return reflection->SetRepeatedString(message, field, 0, std::string(value, 'x'));
      }
      return reflection->SetString(message, field, std::string(value, 'x'));
    default:
      return;
  }
}

bool IsNumber(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32 ||
         field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
}
bool CanExceed(const FieldDescriptor* field, uint64_t max) {
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32) return max < 0xFFFFFFFF;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64) return max < ~uint64_t{0};
  return field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

// Tries every limit of `good` at its maximum, above it, and below its minimum.
template <typename ErrorOf>
int CheckLimits(const Message& good, const std::string& name, const ErrorOf& error_of) {
  int exceeded = 0;
  std::unique_ptr<Message> message(good.New());
  message->CopyFrom(good);
  ForEachField(message.get(), name,
               [&](Message* owner, const FieldDescriptor* field, const std::string& path) {
                 if (!IsNumber(field) && field->cpp_type() != FieldDescriptor::CPPTYPE_STRING)
                   return;
                 const FieldLimits& limits = AllFieldLimits().at(field->full_name().substr(9));
                 const std::string element = field->is_repeated() ? path : path + ": ";
                 std::unique_ptr<Message> saved(owner->New());
                 saved->CopyFrom(*owner);
                 SetField(owner, field, limits.max);
                 const std::string at_max = error_of(*message);
                 // What remains wrong at the maximum can only be a rule between fields.
                 if (!at_max.empty() && at_max.rfind(element, 0) == 0 &&
                     field->name() != "first_time_unix_nano" && field->name() != "from_unix_nano" &&
                     field->name() != "action" && field->name() != "rule" &&
                     field->name() != "drift_period" && field->name() != "replaced_rules") {
                   FAIL("at its maximum: " << at_max);
                 }
                 if (CanExceed(field, limits.max)) {
                   ++exceeded;
                   SetField(owner, field, limits.max + 1);
                   const std::string above = error_of(*message);
                   if (above.rfind(element, 0) != 0) FAIL(path << " above its maximum: " << above);
                   CHECK(above.find(std::to_string(limits.max + 1)) != std::string::npos);
                 }
                 if (!IsNumber(field) && limits.min > 1) {
                   SetField(owner, field, limits.min - 1);
                   const std::string below = error_of(*message);
                   if (below.rfind(element, 0) != 0) FAIL(path << " below its minimum: " << below);
                 }
                 owner->CopyFrom(*saved);
               });
  CHECK(error_of(*message).empty());
  return exceeded;
}

}  // namespace

TEST_CASE("scanner: every limit of an event holds exactly", "[scanner]") {
  const auto error_of = [](const Message& message) {
    return EventError(message.SerializeAsString());
  };
  CHECK(CheckLimits(FullEvent(), "event", error_of) > 50);
}

TEST_CASE("scanner: every limit of a body holds exactly", "[scanner]") {
  for (const auto& [kind, bytes] : BodySamples()) {
    const std::unique_ptr<Message> body = NewBody(kind);
    REQUIRE(body->ParseFromString(bytes));
    const auto error_of = [kind = kind](const Message& message) {
      return BodyError(kind, message.SerializeAsString());
    };
    CHECK(CheckLimits(*body, std::string(KindOf(kind).name), error_of) > 1);
  }
}

TEST_CASE("scanner: the largest body of every kind fits its registered maximum", "[scanner]") {
  for (const auto& [kind, bytes] : BodySamples()) {
    const std::unique_ptr<Message> body = NewBody(kind);
    REQUIRE(body->ParseFromString(bytes));
    const google::protobuf::Reflection* const reflection = body->GetReflection();
    for (int i = 0; i < body->GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* const field = body->GetDescriptor()->field(i);
      if (!field->is_repeated()) continue;
      const int count_max = AllFieldLimits().at(field->full_name().substr(9)).count_max;
      while (reflection->FieldSize(*body, field) < count_max) {
        reflection->AddMessage(body.get(), field)
            ->CopyFrom(reflection->GetRepeatedMessage(*body, field, 0));
      }
      for (int k = 0; k < count_max; ++k) {
        ForEachField(reflection->MutableRepeatedMessage(body.get(), field, k), "",
                     [](Message* owner, const FieldDescriptor* leaf, const std::string&) {
                       SetField(owner, leaf, AllFieldLimits().at(leaf->full_name().substr(9)).max);
                     });
      }
    }
    ForEachField(body.get(), "",
                 [](Message* owner, const FieldDescriptor* leaf, const std::string&) {
                   SetField(owner, leaf, AllFieldLimits().at(leaf->full_name().substr(9)).max);
                 });
    CHECK(body->ByteSizeLong() <= KindOf(kind).body_bytes_max);
  }
}

TEST_CASE("scanner: repeated fields have a largest count", "[scanner]") {
  const auto check = [](int count_max, const std::string& path, const auto& add) {
    v1::Event event = SmallestEvent();
    for (int i = 0; i < count_max; ++i) add(&event);
    CHECK(EventError(event.SerializeAsString()) == "");
    add(&event);
    const std::string error = EventError(event.SerializeAsString());
    CHECK(error == "event." + path + ": " + std::to_string(count_max + 1) +
                       " or more elements, at most " + std::to_string(count_max));
  };
  check(16, "attacks", [](v1::Event* event) { event->add_attacks("T1"); });
  check(32, "observables", [](v1::Event* event) { event->add_observables()->set_value("v"); });
  check(32, "metrics", [](v1::Event* event) { event->add_metrics()->set_key("k"); });
  check(32, "unmapped", [](v1::Event* event) { event->add_unmapped()->set_key("k"); });
  check(8, "sealed_groups", [](v1::Event* event) {
    event->add_sealed_groups()->set_name("n");
    event->mutable_sealed_groups(event->sealed_groups_size() - 1)
        ->set_commitment(std::string(32, 'c'));
  });
}

TEST_CASE("scanner: an event at the size limit passes and one byte more does not", "[scanner]") {
  v1::Event event = FullEvent();
  event.set_raw(std::string(8192, 'r'));
  event.mutable_actor()->set_cmd_line(std::string(4096, 'c'));
  event.set_message(std::string(2048, 'm'));
  event.set_url_or_query(std::string(2048, 'u'));
  event.clear_observables();
  for (int i = 0; i < 7; ++i) event.add_observables()->set_value(std::string(1024, 'o'));
  v1::Observable* const filler = event.add_observables();
  filler->set_value("o");
  filler->set_value(std::string(24 * 1024 - event.ByteSizeLong(), 'o'));
  filler->mutable_value()->resize(filler->value().size() - (event.ByteSizeLong() - 24 * 1024));
  REQUIRE(event.ByteSizeLong() == 24 * 1024);
  CHECK(EventError(event.SerializeAsString()) == "");
  filler->mutable_value()->push_back('o');
  CHECK(EventError(event.SerializeAsString()) == "event: 24577 bytes, at most 24576");
}

TEST_CASE("scanner: unmapped pairs share 8 KiB of text", "[scanner]") {
  v1::Event event = SmallestEvent();
  for (int i = 0; i < 4; ++i) {
    v1::Pair* const pair = event.add_unmapped();
    pair->set_key("k");
    pair->set_value(std::string(2047, 'v'));
  }
  CHECK(EventError(event.SerializeAsString()) == "");
  event.mutable_unmapped(0)->mutable_value()->push_back('v');
  CHECK(EventError(event.SerializeAsString()) ==
        "event.unmapped: 8193 bytes of text in all, at most 8192");
}

TEST_CASE("scanner: errors name the field and both numbers", "[scanner]") {
  v1::Event event = SmallestEvent();
  event.mutable_src()->set_port(70'000);
  CHECK(EventError(event.SerializeAsString()) == "event.src.port: 70000, at most 65535");
  event = SmallestEvent();
  event.set_salt("short");
  CHECK(EventError(event.SerializeAsString()) == "event.salt: 5 bytes, exactly 16");
  event = SmallestEvent();
  event.clear_source();
  CHECK(EventError(event.SerializeAsString()) == "event.source: missing");
  event = SmallestEvent();
  event.set_schema(2);
  CHECK(EventError(event.SerializeAsString()) == "event.schema: 2, exactly 1");
  event = SmallestEvent();
  event.add_metrics()->set_key("k");
  event.add_metrics()->set_value_e6(1);
  CHECK(EventError(event.SerializeAsString()) == "event.metrics[1].key: missing");
}

TEST_CASE("scanner: required fields may not be missing", "[scanner]") {
  CHECK(EventError("") == "event.schema: missing");
  for (int number : {1, 2, 3, 4, 9}) {
    v1::Event event = SmallestEvent();
    const FieldDescriptor* const field = event.GetDescriptor()->FindFieldByNumber(number);
    event.GetReflection()->ClearField(&event, field);
    CHECK(EventError(event.SerializeAsString()) == "event." + field->name() + ": missing");
  }
}

TEST_CASE("scanner: varints must be minimal and at most 64 bits", "[scanner]") {
  v1::Event base = SmallestEvent();
  base.clear_source();
  const auto error = [&](const std::string& raw) {
    return EventError(base.SerializeAsString() + Tag(5, 0) + raw + Lengthy(9, "zeek.conn"));
  };
  CHECK(error("\x05") == "");
  CHECK(error(std::string("\x85\x00", 2)) == "event.severity_id: varint is not minimal");
  CHECK(error(std::string("\x85\x80\x00", 3)) == "event.severity_id: varint is not minimal");
  CHECK(error(std::string("\x00", 1)) ==
        "event.severity_id: default or empty value written out; leave the field out");
  CHECK(error("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01") ==
        "event.severity_id: 18446744073709551615, at most 99");
  CHECK(error("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02") ==
        "event.severity_id: varint above 64 bits");
  CHECK(error("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01") ==
        "event.severity_id: varint above 64 bits");
  // 2^32 + 5: protobuf would cut it to 5.
  CHECK(error("\x85\x80\x80\x80\x10") == "event.severity_id: 4294967301, at most 99");
}

TEST_CASE("scanner: tags and lengths must be minimal too", "[scanner]") {
  v1::Event base = SmallestEvent();
  base.clear_source();
  const std::string head = base.SerializeAsString();
  CHECK(EventError(head + std::string("\xCA\x00", 2) + "\x09zeek.conn") ==
        "event: tag: varint is not minimal");
  CHECK(EventError(head + Tag(9, 2) + std::string("\x89\x00", 2) + "zeek.conn") ==
        "event.source: length: varint is not minimal");
}

TEST_CASE("scanner: unknown fields are refused", "[scanner]") {
  const std::string good = SmallestEvent().SerializeAsString();
  CHECK(EventError(good + Lengthy(38, "x")) == "event: unknown field 38");
  CHECK(EventError(good + Lengthy(100'000, "x")) == "event: unknown field 100000");
  CHECK(EventError(Tag(0, 0) + good) == "event: unknown field 0");
  CHECK(EventError(good + Varint(~uint64_t{0})) == "event: unknown field 2305843009213693951");
  // 2^32 + 1 as a tag must not pass for field 1 again.
  CHECK(EventError(Varint((uint64_t{1} << 32 | 1) << 3) + good) ==
        "event: unknown field 4294967297");
  CHECK(EventError(good + Lengthy(14, Lengthy(7, "x"))) == "event.src: unknown field 7");
}

TEST_CASE("scanner: every wrong wire type is refused", "[scanner]") {
  const v1::Event full = FullEvent();
  for (int number = 1; number <= 37; ++number) {
    const FieldDescriptor* const field = full.GetDescriptor()->FindFieldByNumber(number);
    const int right = field->type() == FieldDescriptor::TYPE_FIXED64          ? 1
                      : field->cpp_type() == FieldDescriptor::CPPTYPE_STRING  ? 2
                      : field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? 2
                                                                              : 0;
    for (int wire = 0; wire < 8; ++wire) {
      if (wire == right) continue;
      CHECK(EventError(Tag(number, wire) + std::string(8, '\1')) ==
            "event." + field->name() + ": wire type " + std::to_string(wire) + ", must be " +
                std::to_string(right));
    }
  }
}

TEST_CASE("scanner: duplicates and fields out of order are refused", "[scanner]") {
  const std::string good = SmallestEvent().SerializeAsString();
  CHECK(EventError(good + Lengthy(9, "again")) == "event.source: given twice");
  CHECK(EventError(good + Lengthy(10, "b") + Lengthy(9, "a")) ==
        "event.source: field 9 after field 10, must ascend");
  CHECK(EventError(good + Lengthy(14, Tag(2, 0) + "\x01") + Lengthy(14, Lengthy(6, "z"))) ==
        "event.src: given twice");
  CHECK(EventError(good + Lengthy(22, "T1") + Lengthy(25, Lengthy(1, "k")) + Lengthy(22, "T2")) ==
        "event.attacks: field 22 after field 25, must ascend");
}

TEST_CASE("scanner: empty values are refused", "[scanner]") {
  const std::string good = SmallestEvent().SerializeAsString();
  CHECK(EventError(good + Lengthy(10, "")) ==
        "event.source_uid: default or empty value written out; leave the field out");
  CHECK(EventError(good + Lengthy(22, "")) ==
        "event.attacks: default or empty value written out; leave the field out");
  CHECK(EventError(good + Lengthy(12, "")) == "event.actor: empty message");
  CHECK(EventError(good + Lengthy(24, "")) == "event.metrics: empty message");
  CHECK(EventError(good + Tag(34, 1) + std::string(8, '\0')) ==
        "event.end_time_unix_nano: default or empty value written out; leave the field out");
  CHECK(EventError(good + Lengthy(24, Lengthy(1, "k") + Tag(2, 0) + std::string(1, '\0'))) ==
        "event.metrics[0].value_e6: default or empty value written out; leave the field out");
}

TEST_CASE("scanner: hostile lengths cost an error and nothing else", "[scanner]") {
  const std::string good = SmallestEvent().SerializeAsString();
  for (uint64_t size :
       {uint64_t{2}, uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}}) {
    CHECK(EventError(good + Tag(10, 2) + Varint(size) + "x") ==
          "event.source_uid: length " + std::to_string(size) + ", only 1 bytes left");
    CHECK(EventError(good + Tag(14, 2) + Varint(size) + "x") ==
          "event.src: length " + std::to_string(size) + ", only 1 bytes left");
    // A nested length may not reach beyond its message, even if the bytes are there.
    CHECK(EventError(good + Lengthy(14, Tag(3, 2) + Varint(size)) + Lengthy(17, "ssl")) ==
          "event.src.hostname: length " + std::to_string(size) + ", only 0 bytes left");
  }
  CHECK(EventError(good + Tag(34, 1) + "1234567") ==
        "event.end_time_unix_nano: ends inside a fixed64");
  CHECK(EventError(good + Tag(33, 0)) == "event.count: ends inside a varint");
  CHECK(EventError(good + "\x80") == "event: tag: ends inside a varint");
}

TEST_CASE("scanner: deep nesting has no effect", "[scanner]") {
  std::string nested = "x";
  for (int depth = 0; depth < 5000; ++depth) nested = Lengthy(12, nested).substr(0, 24'000);
  CHECK(EventError(SmallestEvent().SerializeAsString() + nested).rfind("event.actor", 0) == 0);
  std::string groups = SmallestEvent().SerializeAsString();
  for (int depth = 0; depth < 1000; ++depth) groups += Tag(12, 3);
  CHECK(EventError(groups) == "event.actor: wire type 3, must be 2");
}

TEST_CASE("scanner: addresses have 4 or 16 bytes and are never IPv4-mapped", "[scanner]") {
  for (size_t size = 1; size <= 17; ++size) {
    v1::Event event = SmallestEvent();
    event.mutable_dst()->set_ip(std::string(size, '\x20'));
    CHECK(EventError(event.SerializeAsString()).empty() == (size == 4 || size == 16));
  }
  v1::Event event = SmallestEvent();
  event.mutable_dst()->set_ip(std::string("\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x0A\0\0\1", 16));
  CHECK(EventError(event.SerializeAsString()) == "event.dst.ip: IPv4-mapped, write its 4 bytes");
  event.mutable_dst()->set_ip("abc");
  CHECK(EventError(event.SerializeAsString()) == "event.dst.ip: 3 bytes, at least 4");
  event.mutable_dst()->set_ip(std::string(15, '\0') + "\1");  // ::1
  CHECK(EventError(event.SerializeAsString()) == "");
}

TEST_CASE("scanner: text must be UTF-8 and bytes need not", "[scanner]") {
  v1::Event event = SmallestEvent();
  event.set_raw("\xFF\xFE");
  CHECK(EventError(event.SerializeAsString()) == "");
  const std::string good = SmallestEvent().SerializeAsString();
  CHECK(EventError(good + Lengthy(10, "\xED\xA0\x80")) == "event.source_uid: not UTF-8");
  CHECK(EventError(good + Lengthy(22, "\xC0\xAF")) == "event.attacks: not UTF-8");
}

TEST_CASE("scanner: a body gives its author and its fields", "[scanner]") {
  const KeyId author = samples::KeyNumber(100).id();
  for (const auto& [kind, bytes] : BodySamples()) {
    KeyId seen;
    RecordBody body;
    REQUIRE(ScanBody(kind, AsBytes(bytes), &seen, &body).ok());
    CHECK(seen == author);
    CHECK(KindOfBody(body) == kind);
  }
}

TEST_CASE("scanner: kinds that this version does not admit have no body", "[scanner]") {
  for (int number = 0; number < 256; ++number) {
    const KindInfo* const info = FindKind(static_cast<uint8_t>(number));
    if (info != nullptr && info->admitted) continue;
    const std::string error = BodyError(static_cast<RecordKind>(number), "x");
    const std::string prefix = "record kind " + std::to_string(number);
    CHECK(error == (info == nullptr ? prefix + ": unknown"
                                    : prefix + " (" + std::string(info->name) +
                                          "): not admitted by this version"));
  }
}

TEST_CASE("scanner: a body over the maximum of its kind is refused before it is read",
          "[scanner]") {
  CHECK(BodyError(RecordKind::kHeartbeat, std::string(257, 'x')) ==
        "heartbeat: body of 257 bytes, at most 256");
}

TEST_CASE("scanner: previous is absent exactly at sequence 1", "[scanner]") {
  v1::HeartbeatBody body;
  body.set_author(std::string(16, 'a'));
  body.set_stream("s");
  body.set_sequence(1);
  CHECK(BodyError(RecordKind::kHeartbeat, body.SerializeAsString()) == "");
  body.set_previous(std::string(32, 'p'));
  CHECK(BodyError(RecordKind::kHeartbeat, body.SerializeAsString()) ==
        "heartbeat.previous: present at sequence 1; absent exactly at sequence 1");
  body.set_sequence(2);
  CHECK(BodyError(RecordKind::kHeartbeat, body.SerializeAsString()) == "");
  body.clear_previous();
  CHECK(BodyError(RecordKind::kHeartbeat, body.SerializeAsString()) ==
        "heartbeat.previous: absent at sequence 2; absent exactly at sequence 1");
  body.set_previous(std::string(32, '\0'));
  CHECK(BodyError(RecordKind::kHeartbeat, body.SerializeAsString()) ==
        "heartbeat.previous: all zero; leave an absent value out");
}

TEST_CASE("scanner: rules between the fields of a body hold", "[scanner]") {
  const auto samples_of = BodySamples();
  v1::EventBatchBody batch;
  REQUIRE(batch.ParseFromString(samples_of[0].second));
  batch.set_last_time_unix_nano(batch.first_time_unix_nano() - 1);
  CHECK(BodyError(RecordKind::kEventBatch, batch.SerializeAsString())
            .rfind("event_batch.first_time_unix_nano: ", 0) == 0);
  v1::GapBody gap;
  REQUIRE(gap.ParseFromString(samples_of[2].second));
  gap.set_to_unix_nano(gap.from_unix_nano() - 1);
  CHECK(BodyError(RecordKind::kGap, gap.SerializeAsString()).rfind("gap.from_unix_nano: ", 0) == 0);
  v1::AlertBody alert;
  REQUIRE(alert.ParseFromString(samples_of[4].second));
  alert.mutable_reasons(1)->set_bits_q8(901);
  CHECK(BodyError(RecordKind::kAlert, alert.SerializeAsString()) ==
        "alert.reasons[1].bits_q8: 901 after 900, largest first");
  v1::AttestationBody attestation;
  REQUIRE(attestation.ParseFromString(samples_of[5].second));
  attestation.mutable_attestations(1)->set_alert_index(0);
  CHECK(BodyError(RecordKind::kAttestation, attestation.SerializeAsString()) ==
        "attestation.attestations[1].alert_index: 0 after 0, must ascend");
  attestation.mutable_attestations(1)->set_alert_index(301);
  for (const uint64_t epoch : {0, 1, 2}) {
    attestation.set_epoch(epoch);
    const std::string error = BodyError(RecordKind::kAttestation, attestation.SerializeAsString());
    INFO(error);
    CHECK(absl::StartsWith(error, "attestation.epoch") == (epoch == 1));
    CHECK(error.empty() == (epoch != 1));
  }
}

TEST_CASE("scanner: an alert may name the first event of the chain", "[scanner]") {
  AlertBody alert = std::get<AlertBody>(samples::SampleBodies()[4]);
  alert.event = {RecordIndex(0), ItemIndex(0)};
  const std::string leaf = SignRecord(alert, Hash(), samples::KeyNumber(4));
  const absl::StatusOr<RecordView> view = DecodeRecord(AsBytes(leaf));
  REQUIRE(view.ok());
  CHECK(std::get<AlertBody>(view->body).event == alert.event);
}

}  // namespace vigil::ledger
