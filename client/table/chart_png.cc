#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "client/table/chart.h"
#include "client/table/chart_layout.h"
#include "client/table/dot_font.h"
#include "ledger/base/check.h"

namespace vigil::client {
namespace {

constexpr int kFontScale = 2;

// RGB, row by row; white at first.
class Picture {
 public:
  Picture() : pixels_(size_t{3} * kChartWidth * kChartHeight, 0xff) {}

  // Mixes `colour` into a pixel; what lies outside is left out.
  void Blend(int x, int y, uint32_t colour, double share) {
    if (x < 0 || y < 0 || x >= kChartWidth || y >= kChartHeight || share <= 0) return;
    uint8_t* pixel = &pixels_[3 * (static_cast<size_t>(y) * kChartWidth + static_cast<size_t>(x))];
    for (int i = 0; i < 3; ++i) {
      const double wanted = colour >> (16 - 8 * i) & 0xff;
      pixel[i] =
          static_cast<uint8_t>(std::lround(pixel[i] + (wanted - pixel[i]) * std::min(share, 1.0)));
    }
  }

  void Fill(int x, int y, int width, int height, uint32_t colour) {
    for (int row = y; row < y + height; ++row) {
      for (int column = x; column < x + width; ++column) Blend(column, row, colour, 1);
    }
  }

  // A stroke two pixels wide: every pixel near the line by how much of it lies inside.
  void Line(double x0, double y0, double x1, double y1, uint32_t colour) {
    constexpr double kHalf = 1.0;
    const double dx = x1 - x0, dy = y1 - y0;
    const double length = std::max(dx * dx + dy * dy, 1e-9);
    const int left = static_cast<int>(std::floor(std::min(x0, x1) - 2));
    const int right = static_cast<int>(std::ceil(std::max(x0, x1) + 2));
    const int top = static_cast<int>(std::floor(std::min(y0, y1) - 2));
    const int bottom = static_cast<int>(std::ceil(std::max(y0, y1) + 2));
    for (int y = top; y <= bottom; ++y) {
      for (int x = left; x <= right; ++x) {
        const double px = x + 0.5 - x0, py = y + 0.5 - y0;
        const double along = std::clamp((px * dx + py * dy) / length, 0.0, 1.0);
        const double distance = std::hypot(px - along * dx, py - along * dy);
        Blend(x, y, colour, kHalf + 0.5 - distance);
      }
    }
  }

  // The middle left of the text stands at (x, y); upwards when `rotated`.
  void Text(int x, int y, const std::string& text, bool rotated) {
    for (size_t i = 0; i < text.size(); ++i) {
      const std::array<uint8_t, 7> rows = DotGlyph(text[i]);
      for (int row = 0; row < 7; ++row) {
        for (int column = 0; column < 5; ++column) {
          if ((rows[static_cast<size_t>(row)] >> (4 - column) & 1) == 0) continue;
          const int along = (static_cast<int>(i) * 6 + column) * kFontScale;
          const int across = (row - 3) * kFontScale;
          Fill(rotated ? x + across : x + along, rotated ? y - along : y + across, kFontScale,
               kFontScale, 0x000000);
        }
      }
    }
  }

  const std::vector<uint8_t>& pixels() const { return pixels_; }

 private:
  std::vector<uint8_t> pixels_;
};

int TextWidth(const std::string& text) { return static_cast<int>(text.size()) * 6 * kFontScale; }

void AppendU32(uint32_t value, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) *out += static_cast<char>(value >> shift & 0xff);
}

// Length, type, data, CRC-32 (PNG specification, third edition, 5.3).
void AppendChunk(const std::string& type, const std::string& data, std::string* png) {
  AppendU32(static_cast<uint32_t>(data.size()), png);
  const std::string body = type + data;
  *png += body;
  AppendU32(static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                                        static_cast<uInt>(body.size()))),
            png);
}

std::string EncodePng(const std::vector<uint8_t>& pixels) {
  std::string rows;
  for (int y = 0; y < kChartHeight; ++y) {
    rows += '\0';  // No filter.
    const auto* row = reinterpret_cast<const char*>(&pixels[size_t{3} * kChartWidth * y]);
    rows.append(row, size_t{3} * kChartWidth);
  }
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  const int result =
      compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                reinterpret_cast<const Bytef*>(rows.data()), static_cast<uLong>(rows.size()), 9);
  VIGIL_CHECK(result == Z_OK, "zlib: ", result);
  packed.resize(size);
  std::string head;
  AppendU32(kChartWidth, &head);
  AppendU32(kChartHeight, &head);
  head += std::string("\x08\x02\x00\x00\x00", 5);  // Eight bits, RGB, no interlace.
  std::string png("\x89PNG\r\n\x1a\n", 8);
  AppendChunk("IHDR", head, &png);
  AppendChunk("IDAT", packed, &png);
  AppendChunk("IEND", "", &png);
  return png;
}

void DrawGrid(Picture* picture) {
  for (int tenth = 0; tenth <= 10; tenth += 2) {
    const auto x = static_cast<int>(PlotX(tenth / 10.0));
    const auto y = static_cast<int>(PlotY(tenth / 10.0));
    picture->Fill(x, kPlotTop, 1, kPlotHeight, 0xdddddd);
    picture->Fill(kPlotLeft, y, kPlotWidth, 1, 0xdddddd);
    const std::string number = absl::StrFormat("%.1f", tenth / 10.0);
    picture->Text(x - TextWidth(number) / 2, kPlotTop + kPlotHeight + 16, number, false);
    picture->Text(kPlotLeft - 8 - TextWidth(number), y, number, false);
  }
  picture->Fill(kPlotLeft, kPlotTop, kPlotWidth, 1, 0x000000);
  picture->Fill(kPlotLeft, kPlotTop + kPlotHeight, kPlotWidth + 1, 1, 0x000000);
  picture->Fill(kPlotLeft, kPlotTop, 1, kPlotHeight, 0x000000);
  picture->Fill(kPlotLeft + kPlotWidth, kPlotTop, 1, kPlotHeight, 0x000000);
}

}  // namespace

std::string ChartPng(const Chart& chart) {
  Picture picture;
  DrawGrid(&picture);
  const int middle = kPlotLeft + kPlotWidth / 2;
  picture.Text(middle - TextWidth(chart.title) / 2, 26, chart.title, false);
  picture.Text(middle - TextWidth(chart.x_label) / 2, kChartHeight - 24, chart.x_label, false);
  picture.Text(20, kPlotTop + (kPlotHeight + TextWidth(chart.y_label)) / 2, chart.y_label, true);
  for (size_t i = 0; i < chart.curves.size(); ++i) {
    const uint32_t colour = kCurveColours[i % kCurveColours.size()];
    const std::vector<CurvePoint> points = VisiblePoints(chart.curves[i].points);
    for (size_t k = 1; k < points.size(); ++k) {
      picture.Line(PlotX(points[k - 1].x), PlotY(points[k - 1].y), PlotX(points[k].x),
                   PlotY(points[k].y), colour);
    }
    const int y = kPlotTop + kPlotHeight - 25 - 22 * static_cast<int>(chart.curves.size() - 1 - i);
    picture.Fill(kPlotLeft + 200, y - 1, 24, 3, colour);
    picture.Text(kPlotLeft + 232, y, chart.curves[i].name, false);
  }
  return EncodePng(picture.pixels());
}

}  // namespace vigil::client
