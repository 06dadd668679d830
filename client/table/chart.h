// Line charts of curves in the unit square, as SVG and as PNG: both show the same.
//
// The PNG needs nothing beyond zlib: an RGB picture, lines drawn with anti-aliasing, and a
// five by seven dot font of what the charts say.
#ifndef VIGIL_CLIENT_TABLE_CHART_H_
#define VIGIL_CLIENT_TABLE_CHART_H_

#include <string>
#include <vector>

#include "client/table/separation.h"

namespace vigil::client {

struct ChartCurve {
  std::string name;                // In the legend.
  std::vector<CurvePoint> points;  // By x; any number, both in [0, 1].
};

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<ChartCurve> curves;  // At most four are told apart by colour.
};

std::string ChartSvg(const Chart& chart);
std::string ChartPng(const Chart& chart);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_TABLE_CHART_H_
