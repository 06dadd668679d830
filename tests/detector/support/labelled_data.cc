#include "tests/detector/support/labelled_data.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string_view>

#include "detector/features/text_shape.h"
#include "tests/detector/support/sha256.h"

namespace vigil::detector::testing {
namespace {

constexpr size_t kNslFields = 41;
constexpr const char* kNslNames[kNslFields] = {"duration",
                                               "protocol_type",
                                               "service",
                                               "flag",
                                               "src_bytes",
                                               "dst_bytes",
                                               "land",
                                               "wrong_fragment",
                                               "urgent",
                                               "hot",
                                               "num_failed_logins",
                                               "logged_in",
                                               "num_compromised",
                                               "root_shell",
                                               "su_attempted",
                                               "num_root",
                                               "num_file_creations",
                                               "num_shells",
                                               "num_access_files",
                                               "num_outbound_cmds",
                                               "is_host_login",
                                               "is_guest_login",
                                               "count",
                                               "srv_count",
                                               "serror_rate",
                                               "srv_serror_rate",
                                               "rerror_rate",
                                               "srv_rerror_rate",
                                               "same_srv_rate",
                                               "diff_srv_rate",
                                               "srv_diff_host_rate",
                                               "dst_host_count",
                                               "dst_host_srv_count",
                                               "dst_host_same_srv_rate",
                                               "dst_host_diff_srv_rate",
                                               "dst_host_same_src_port_rate",
                                               "dst_host_srv_diff_host_rate",
                                               "dst_host_serror_rate",
                                               "dst_host_srv_serror_rate",
                                               "dst_host_rerror_rate",
                                               "dst_host_srv_rerror_rate"};

bool IsNslCategory(size_t field) { return field >= 1 && field <= 3; }
bool IsNslRate(size_t field) { return (field >= 24 && field <= 30) || field >= 33; }

std::optional<std::string> ReadGzip(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return std::nullopt;
  std::string text;
  char buffer[1 << 16];
  for (int got; (got = gzread(file, buffer, sizeof(buffer))) > 0;) text.append(buffer, got);
  gzclose(file);
  return text;
}

// "0.17" in hundredths, from the digits; whole numbers as they are when `hundredths` is false.
int64_t ParseDecimal(std::string_view text, bool hundredths) {
  int64_t value = 0;
  int decimals = -1;
  for (const char c : text) {
    if (c == '.') {
      decimals = 0;
    } else if (decimals < 2) {
      value = value * 10 + (c - '0');
      decimals += decimals >= 0;
    }
  }
  for (int i = std::max(decimals, 0); hundredths && i < 2; ++i) value *= 10;
  return value;
}

// One member of a zip archive that was stored or deflated, by its central directory entry.
std::optional<std::string> ReadZipMember(const std::string& zip, std::string_view wanted) {
  const auto u16 = [&](size_t at) {
    return static_cast<uint32_t>(static_cast<uint8_t>(zip[at])) |
           static_cast<uint32_t>(static_cast<uint8_t>(zip[at + 1])) << 8;
  };
  const auto u32 = [&](size_t at) { return u16(at) | u16(at + 2) << 16; };
  size_t at = u32(zip.rfind("PK\5\6") + 16);
  while (zip.compare(at, 4, "PK\1\2") == 0) {
    const std::string_view name(&zip[at + 46], u16(at + 28));
    if (name == wanted) break;
    at += 46 + u16(at + 28) + u16(at + 30) + u16(at + 32);
  }
  if (zip.compare(at, 4, "PK\1\2") != 0) return std::nullopt;
  const size_t local = u32(at + 42);
  const size_t data = local + 30 + u16(local + 26) + u16(local + 28);
  const size_t packed = u32(at + 20), size = u32(at + 24);
  if (u16(at + 10) == 0) return zip.substr(data, size);
  std::string member(size, '\0');
  z_stream stream{};
  inflateInit2(&stream, -MAX_WBITS);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(&zip[data]));
  stream.avail_in = static_cast<uInt>(packed);
  stream.next_out = reinterpret_cast<Bytef*>(member.data());
  stream.avail_out = static_cast<uInt>(size);
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  return member;
}

template <typename Number>
std::vector<Number> NpyNumbers(const std::string& npy) {
  const size_t header = static_cast<uint8_t>(npy[8]) | static_cast<uint8_t>(npy[9]) << 8;
  std::vector<Number> numbers((npy.size() - 10 - header) / sizeof(Number));
  std::memcpy(numbers.data(), npy.data() + 10 + header, numbers.size() * sizeof(Number));
  return numbers;
}

}  // namespace

std::string SharedFolder() {
  const char* folder = std::getenv("VIGIL_SHARED_DIR");
  return folder != nullptr ? folder : std::string(VIGIL_SOURCE_DIR) + "/../shared";
}

Schema NslKddSchema() {
  std::vector<FieldSpec> fields;
  for (size_t i = 0; i < kNslFields; ++i) {
    const FeatureKind kind = IsNslCategory(i) ? FeatureKind::kCategory : FeatureKind::kCounter;
    fields.push_back({kNslNames[i], kind});
  }
  return Schema(0, std::move(fields),
                {{"protocol+service", {"protocol_type", "service"}},
                 {"service+flag", {"service", "flag"}},
                 {"protocol+service+flag", {"protocol_type", "service", "flag"}}});
}

std::optional<LabelledTable> LoadNslKdd(const std::string& name) {
  const std::optional<std::string> text = ReadGzip(SharedFolder() + "/data/nsl_kdd/" + name);
  if (!text) return std::nullopt;
  LabelledTable table;
  std::vector<int64_t> values;
  for (size_t begin = 0; begin < text->size();) {
    const size_t end = std::min(text->find('\n', begin), text->size());
    std::string_view line(text->data() + begin, end - begin);
    begin = end + 1;
    for (size_t field = 0; field < kNslFields; ++field) {
      const size_t comma = line.find(',');
      const std::string_view cell = line.substr(0, comma);
      values.push_back(IsNslCategory(field) ? TokenOf(cell, Sha256)
                                            : ParseDecimal(cell, IsNslRate(field)));
      line.remove_prefix(comma + 1);
    }
    table.is_attack.push_back(line.substr(0, line.find(',')) != "normal");
  }
  table.rows = Eigen::Map<const RawTable>(values.data(), table.is_attack.size(), kNslFields);
  return table;
}

Schema KddServiceSchema() {
  return Schema(0,
                {{"duration", FeatureKind::kCounter},
                 {"src_bytes", FeatureKind::kCounter},
                 {"dst_bytes", FeatureKind::kCounter}},
                {});
}

std::optional<LabelledTable> LoadKddService(const std::string& name) {
  std::ifstream file(SharedFolder() + "/data/kdd99_http_smtp/" + name, std::ios::binary);
  if (!file) return std::nullopt;
  const std::string zip((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::optional<std::string> x = ReadZipMember(zip, "X.npy");
  const std::optional<std::string> y = ReadZipMember(zip, "y.npy");
  if (!x || !y) return std::nullopt;
  const std::vector<double> values = NpyNumbers<double>(*x);  // Column by column.
  LabelledTable table;
  for (const int64_t label : NpyNumbers<int64_t>(*y)) table.is_attack.push_back(label != 0);
  const size_t rows = table.is_attack.size();
  table.rows.resize(static_cast<Eigen::Index>(rows), 3);
  for (size_t i = 0; i < rows; ++i) {
    for (size_t column = 0; column < 3; ++column) {
      table.rows(i, column) = std::llround(std::exp(values[column * rows + i]) - 0.1);
    }
  }
  return table;
}

Quality Judge(const std::vector<uint32_t>& scores, const std::vector<bool>& is_attack) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  const double attacks = static_cast<double>(std::count(is_attack.begin(), is_attack.end(), true));
  const double normals = static_cast<double>(scores.size()) - attacks;
  Quality quality;
  double hits = 0, alarms = 0;
  for (size_t i = 0; i < order.size();) {
    double new_hits = 0, new_alarms = 0;
    const uint32_t score = scores[order[i]];
    for (; i < order.size() && scores[order[i]] == score; ++i) {
      (is_attack[order[i]] ? new_hits : new_alarms) += 1;
    }
    quality.auc += new_alarms / normals * (hits + new_hits / 2) / attacks;
    const double limit = 0.01 * normals;
    if (alarms <= limit) {
      const double share = new_alarms > 0 ? std::min(1.0, (limit - alarms) / new_alarms) : 1.0;
      quality.recall_at_1_percent = (hits + new_hits * share) / attacks;
    }
    hits += new_hits;
    alarms += new_alarms;
    quality.average_precision += new_hits / attacks * hits / (hits + alarms);
  }
  return quality;
}

}  // namespace vigil::detector::testing
