// Where things stand on a chart. Internal to client/table.
#ifndef VIGIL_CLIENT_TABLE_CHART_LAYOUT_H_
#define VIGIL_CLIENT_TABLE_CHART_LAYOUT_H_

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "client/table/chart.h"

namespace vigil::client {

// Pixels; y grows downwards.
inline constexpr int kChartWidth = 720;
inline constexpr int kChartHeight = 640;
inline constexpr int kPlotLeft = 80;
inline constexpr int kPlotTop = 50;
inline constexpr int kPlotWidth = 600;
inline constexpr int kPlotHeight = 520;
// Colours that people with any colour vision tell apart (Okabe and Ito), as RGB.
inline constexpr std::array<uint32_t, 4> kCurveColours = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7};

inline double PlotX(double x) { return kPlotLeft + x * kPlotWidth; }
inline double PlotY(double y) { return kPlotTop + (1 - y) * kPlotHeight; }

// The points of a curve without those within a third of a pixel of the one before.
inline std::vector<CurvePoint> VisiblePoints(const std::vector<CurvePoint>& points) {
  std::vector<CurvePoint> visible;
  for (size_t i = 0; i < points.size(); ++i) {
    const bool is_end = i == 0 || i + 1 == points.size();
    if (!is_end && std::abs(PlotX(points[i].x) - PlotX(visible.back().x)) < 0.3 &&
        std::abs(PlotY(points[i].y) - PlotY(visible.back().y)) < 0.3) {
      continue;
    }
    visible.push_back(points[i]);
  }
  return visible;
}

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_CHART_LAYOUT_H_
