#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/table/chart.h"
#include "client/table/chart_layout.h"

namespace vigil::client {
namespace {

std::string Escape(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

void AppendText(double x, double y, const char* anchor, const std::string& text, std::string* svg) {
  absl::StrAppendFormat(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y,
                        anchor, Escape(text));
}

void AppendGrid(std::string* svg) {
  for (int tenth = 0; tenth <= 10; tenth += 2) {
    const double share = tenth / 10.0;
    absl::StrAppendFormat(svg, "<path d=\"M%.1f %d v%d M%d %.1f h%d\" stroke=\"#dddddd\"/>\n",
                          PlotX(share), kPlotTop, kPlotHeight, kPlotLeft, PlotY(share), kPlotWidth);
    AppendText(PlotX(share), kPlotTop + kPlotHeight + 20, "middle", absl::StrFormat("%.1f", share),
               svg);
    AppendText(kPlotLeft - 8, PlotY(share) + 5, "end", absl::StrFormat("%.1f", share), svg);
  }
  absl::StrAppendFormat(
      svg,
      "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#000000\"/>\n",
      kPlotLeft, kPlotTop, kPlotWidth, kPlotHeight);
}

}  // namespace

std::string ChartSvg(const Chart& chart) {
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
      "font-family=\"sans-serif\" font-size=\"14\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
      kChartWidth, kChartHeight, kChartWidth, kChartHeight);
  AppendGrid(&svg);
  AppendText(kPlotLeft + kPlotWidth / 2.0, 30, "middle", chart.title, &svg);
  AppendText(kPlotLeft + kPlotWidth / 2.0, kChartHeight - 20, "middle", chart.x_label, &svg);
  absl::StrAppendFormat(&svg,
                        "<text transform=\"translate(24 %d) rotate(-90)\" "
                        "text-anchor=\"middle\">%s</text>\n",
                        kPlotTop + kPlotHeight / 2, Escape(chart.y_label));
  for (size_t i = 0; i < chart.curves.size(); ++i) {
    const std::string colour = absl::StrFormat("#%06x", kCurveColours[i % kCurveColours.size()]);
    std::string path;
    for (const CurvePoint& point : VisiblePoints(chart.curves[i].points)) {
      absl::StrAppendFormat(&path, "%s%.2f %.2f", path.empty() ? "M" : " L", PlotX(point.x),
                            PlotY(point.y));
    }
    absl::StrAppendFormat(&svg, "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n",
                          path, colour);
    const int y = kPlotTop + kPlotHeight - 20 - 22 * static_cast<int>(chart.curves.size() - 1 - i);
    absl::StrAppendFormat(&svg, "<path d=\"M%d %d h24\" stroke=\"%s\" stroke-width=\"3\"/>\n",
                          kPlotLeft + 200, y - 5, colour);
    AppendText(kPlotLeft + 232, y, "start", chart.curves[i].name, &svg);
  }
  return svg + "</svg>\n";
}

}  // namespace vigil::client
