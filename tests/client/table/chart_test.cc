#include "client/table/chart.h"

#include <zlib.h>

#include "absl/strings/match.h"
#include "client/table/dot_font.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

Chart Diagonal() {
  return {.title = "ROC & <more>",
          .x_label = "false positive rate",
          .y_label = "true positive rate",
          .curves = {{"AUC 0.9", {{0, 0}, {0.5, 1}, {1, 1}}}, {"chance", {{0, 0}, {1, 1}}}}};
}

uint32_t U32(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

TEST_CASE("chart: the PNG has good chunks and as many pixels as it says", "[client]") {
  const std::string png = ChartPng(Diagonal());
  REQUIRE(png.substr(0, 8) == std::string("\x89PNG\r\n\x1a\n", 8));
  std::string types, data;
  for (size_t at = 8; at < png.size();) {
    const uint32_t size = U32(png, at);
    const std::string body = png.substr(at + 4, 4 + size);
    types += body.substr(0, 4);
    if (absl::StartsWith(body, "IDAT")) data += body.substr(4);
    CHECK(U32(png, at + 8 + size) ==
          crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
    at += 12 + size;
  }
  CHECK(types == "IHDRIDATIEND");
  const uint32_t width = U32(png, 16), height = U32(png, 20);
  std::string pixels(size_t{height} * (1 + 3 * width) + 1, '\0');
  uLongf size = pixels.size();
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(pixels.data()), &size,
                     reinterpret_cast<const Bytef*>(data.data()),
                     static_cast<uLong>(data.size())) == Z_OK);
  CHECK(size == pixels.size() - 1);
  // Something is drawn in the colour of each curve.
  CHECK(absl::StrContains(pixels, std::string("\x00\x72\xb2", 3)));
  CHECK(absl::StrContains(pixels, std::string("\xd5\x5e\x00", 3)));
}

TEST_CASE("chart: the SVG says what the chart says and escapes it", "[client]") {
  const std::string svg = ChartSvg(Diagonal());
  CHECK(absl::StrContains(svg, "ROC &amp; &lt;more&gt;"));
  CHECK(absl::StrContains(svg, "AUC 0.9"));
  CHECK(absl::StrContains(svg, "M80.00 570.00 L380.00 50.00 L680.00 50.00"));
}

TEST_CASE("chart: points that no eye tells apart are left out", "[client]") {
  Chart chart = Diagonal();
  chart.curves[0].points.clear();
  for (int i = 0; i <= 1'000'000; ++i) chart.curves[0].points.push_back({i / 1e6, i / 1e6});
  CHECK(ChartSvg(chart).size() < 100'000);
}

TEST_CASE("chart: the font shows what charts say", "[client]") {
  for (const char c : std::string("ROCAUPprecisionadlfvutk0123456789.")) {
    CHECK(DotGlyph(c) != std::array<uint8_t, 7>{});
  }
  CHECK(DotGlyph('a') == DotGlyph('A'));
}

}  // namespace
}  // namespace vigil::client
