#include "detector/features/event_schema.h"

#include <set>
#include <string>

#include "detector/features/text_shape.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"
#include "tests/support/catch.h"

namespace vigil::detector {
namespace {

using testing::Hex;
using testing::Sha256;

int64_t Read(const EventView& event, const std::string& field) {
  const EventType type = TypeOf(event);
  RowBuffer buffer;
  const std::span<const int64_t> row = ReadRow(event, type, Sha256, &buffer);
  const std::vector<FieldSpec>& fields = EventSchema(type).fields();
  REQUIRE(row.size() == fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == field) return row[i];
  }
  FAIL("no field " << field);
  return 0;
}

EventView Flow() {
  EventView event;
  event.type_uid = 400'106;
  event.has_traffic = true;
  return event;
}

TEST_CASE("event type: follows the class", "[detector]") {
  EventView event;
  const auto type_of = [&](uint64_t type_uid) {
    event.type_uid = type_uid;
    return TypeOf(event);
  };
  CHECK(type_of(400'106) == EventType::kFlow);
  CHECK(type_of(300'201) == EventType::kAuth);
  CHECK(type_of(100'701) == EventType::kProcess);
  CHECK(type_of(400'201) == EventType::kApplication);
  CHECK(type_of(400'301) == EventType::kApplication);
  CHECK(type_of(200'401) == EventType::kGeneric);
  CHECK(type_of(0) == EventType::kGeneric);
  CHECK(type_of(~uint64_t{0}) == EventType::kGeneric);
  event.url_or_query = "example.org";
  CHECK(type_of(400'106) == EventType::kApplication);
  event.has_traffic = true;
  CHECK(type_of(400'106) == EventType::kFlow);
}

TEST_CASE("event schema: the digests are those the chain has agreed on", "[detector]") {
  // Golden: any change of a field, kind, order or reader must be meant and changes models.
  CHECK(Hex(EventSchema(EventType::kFlow).HashWith(Sha256)) ==
        "2482778bc501aad7a27e2552de1e2bec7d9e05d3038ce42bc724855f1492775f");
  CHECK(Hex(EventSchema(EventType::kAuth).HashWith(Sha256)) ==
        "f4bd5d41846a1fc8fb154a5367871ab2c12fa715ffc87a888b1bc2dc91293e35");
  CHECK(Hex(EventSchema(EventType::kProcess).HashWith(Sha256)) ==
        "72c343f25079c50ea5494c2b962c86ae0527a5dac5d77779f6fcae89a039226a");
  CHECK(Hex(EventSchema(EventType::kApplication).HashWith(Sha256)) ==
        "f555b148bcd2d797ea0a25f00c6573ada387eed3e400d17237ddec95f1e4a57c");
  CHECK(Hex(EventSchema(EventType::kGeneric).HashWith(Sha256)) ==
        "cae4301fd0ce2da5b3d7507a1dd5f2c57c487ab58f46e325c773726f730817ba");
}

TEST_CASE("schema: the hash covers type and name and kind and order", "[detector]") {
  const FieldSpec a{"a", FeatureKind::kCategory}, b{"b", FeatureKind::kCategory};
  const std::vector<CombinationSpec> pair = {{"ab", {"a", "b"}}};
  std::set<std::string> hashes;
  hashes.insert(Hex(Schema(1, {a, b}, pair).HashWith(Sha256)));
  hashes.insert(Hex(Schema(2, {a, b}, pair).HashWith(Sha256)));
  hashes.insert(Hex(Schema(1, {b, a}, pair).HashWith(Sha256)));
  hashes.insert(Hex(Schema(1, {a, b}, {}).HashWith(Sha256)));
  hashes.insert(Hex(Schema(1, {a, b}, {{"ab", {"b", "a"}}}).HashWith(Sha256)));
  hashes.insert(Hex(Schema(1, {a, b}, {{"other", {"a", "b"}}}).HashWith(Sha256)));
  hashes.insert(Hex(Schema(1, {{"a", FeatureKind::kCounter}, b}, {}).HashWith(Sha256)));
  CHECK(hashes.size() == 7);
}

TEST_CASE("event row: absent is missing and zero is zero", "[detector]") {
  EventView event = Flow();
  CHECK(Read(event, "bytes_out") == 0);
  CHECK(Read(event, "duration_micros") == kMissing);
  CHECK(Read(event, "dst_port") == kMissing);
  CHECK(Read(event, "app_protocol") == kMissing);
  CHECK(Read(event, "dst_address_class") == kMissing);
  CHECK(Read(event, "out_share_permille") == kMissing);
  CHECK(Read(event, "event_count") == 1);
  event.has_traffic = false;
  CHECK(Read(event, "bytes_out") == kMissing);
  CHECK(Read(event, "bytes_out_per_second") == kMissing);
}

TEST_CASE("event row: ratios survive the largest numbers", "[detector]") {
  EventView event = Flow();
  event.bytes_out = event.bytes_in = event.packets_out = ~uint64_t{0};
  event.duration_ns = ~uint64_t{0};
  CHECK(Read(event, "bytes_out") == INT64_MAX);
  CHECK(Read(event, "bytes_per_packet_out") == 1);
  CHECK(Read(event, "bytes_per_packet_in") == kMissing);
  CHECK(Read(event, "out_share_permille") == 1000);  // The sum saturates.
  CHECK(Read(event, "bytes_out_per_second") == 1000);
  event.bytes_out = 3'000;
  event.bytes_in = 1'000;
  event.duration_ns = 2'000'000'000;
  CHECK(Read(event, "out_share_permille") == 750);
  CHECK(Read(event, "bytes_out_per_second") == 1'500);
}

TEST_CASE("event row: addresses are classed and networks cut", "[detector]") {
  struct Row {
    std::vector<uint8_t> ip;
    int64_t address_class;
  };
  const std::vector<uint8_t> loopback6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const std::vector<uint8_t> global6 = {0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const Row row =
      GENERATE_COPY(Row{{10, 1, 2, 3}, 1}, Row{{172, 31, 0, 1}, 1}, Row{{172, 32, 0, 1}, 8},
                    Row{{192, 168, 9, 9}, 1}, Row{{127, 0, 0, 1}, 2}, Row{{169, 254, 1, 1}, 3},
                    Row{{239, 1, 1, 1}, 4}, Row{{255, 255, 255, 255}, 5}, Row{{100, 64, 0, 1}, 6},
                    Row{{0, 0, 0, 0}, 7}, Row{{8, 8, 8, 8}, 8}, Row{loopback6, 12},
                    Row{global6, 18}, Row{{1, 2, 3}, kMissing});
  EventView event = Flow();
  event.dst.ip = row.ip;
  CHECK(Read(event, "dst_address_class") == row.address_class);
  const int64_t network = Read(event, "dst_network");
  if (row.ip.size() == 4) CHECK(network == (row.ip[0] << 16 | row.ip[1] << 8 | row.ip[2]));
  if (row.ip.size() == 3) CHECK(network == kMissing);
}

TEST_CASE("event row: ports name services and the ephemeral range is one", "[detector]") {
  EventView event = Flow();
  event.dst.port = 8443;
  event.src.port = 51'000;
  CHECK(Read(event, "dst_port") == 8443);
  CHECK(Read(event, "src_port_class") == 32'768);
  event.dst.port = 60'001;
  event.src.port = 22;
  CHECK(Read(event, "dst_port") == 32'768);
  CHECK(Read(event, "src_port_class") == 22);
}

TEST_CASE("event row: a request is measured", "[detector]") {
  EventView event;
  event.type_uid = 400'201;
  event.url_or_query = "http://www.example.org/cgi/run.PHP?a=%27%20or&b=1";
  CHECK(Read(event, "name_labels") == 3);
  CHECK(Read(event, "path_depth") == 2);
  CHECK(Read(event, "path_extension") == TokenOf("php", Sha256));
  CHECK(Read(event, "query_length") == 14);
  CHECK(Read(event, "query_parameters") == 2);
  CHECK(Read(event, "escapes") == 2);
  CHECK(Read(event, "name_domain") == TokenOf("example.org", Sha256));
  event.url_or_query = "example.org";
  CHECK(Read(event, "path_length") == kMissing);
  CHECK(Read(event, "escapes") == kMissing);
}

TEST_CASE("event row: process and metrics and the sign of a metric are read", "[detector]") {
  EventView event;
  event.type_uid = 100'701;
  event.path = "C:\\Windows\\System32\\cmd.EXE";
  event.cmd_line = "cmd /c  whoami";
  event.metrics[0] = {"x", -5};
  event.metrics[1] = {"y", INT64_MIN};
  event.metric_count = 2;
  CHECK(Read(event, "process") == TokenOf("cmd.exe", Sha256));
  CHECK(Read(event, "command_words") == 3);
  CHECK(Read(event, "metric_0") == 5);
  CHECK(Read(event, "metric_1") == INT64_MAX);
  CHECK(Read(event, "metric_2") == kMissing);
}

TEST_CASE("event row: any bytes make a row", "[detector]") {
  const uint64_t seed = testing::TestSeed(8);
  INFO("seed " << seed);
  SplitMix64 random(seed);
  const auto text = [&] {
    std::string result;
    for (uint64_t i = 0, size = random.Below(40); i < size; ++i) {
      constexpr char kAlphabet[] = "a.B/:?@%\\ 0\xff[]&=";
      result += random.Chance(800) ? kAlphabet[random.Below(17)] : static_cast<char>(random.Next());
    }
    return result;
  };
  for (int round = 0; round < 5000; ++round) {
    const std::string a = text(), b = text(), c = text();
    EventView event;
    event.type_uid = (random.Below(7) * 1000 + random.Below(9)) * 100 + random.Next() % 7;
    event.url_or_query = a;
    event.path = event.user = b;
    event.cmd_line = event.file_name = event.message = c;
    event.has_traffic = random.Chance(500);
    event.bytes_in = random.Next() >> random.Below(64);
    event.bytes_out = random.Next() >> random.Below(64);
    event.packets_in = random.Below(3);
    event.duration_ns = random.Next() >> random.Below(64);
    RowBuffer first, second;
    const EventType type = TypeOf(event);
    const auto row = ReadRow(event, type, Sha256, &first);
    const auto again = ReadRow(event, type, Sha256, &second);
    REQUIRE(std::equal(row.begin(), row.end(), again.begin(), again.end()));
    for (size_t i = 0; i < row.size(); ++i) {
      const FieldSpec& field = EventSchema(type).fields()[i];
      const bool numeric = field.kind != FeatureKind::kCategory;
      if (numeric && row[i] < 0 && row[i] != kMissing) FAIL(field.name << " is " << row[i]);
    }
  }
}

}  // namespace
}  // namespace vigil::detector
