// A day at a small company, as Zeek JSON logs, with attacks planted and their ground truth.
//
// For the quickstart, demonstrations and tests of detection. The same seed gives the same bytes on
// every machine. Nothing here is taken from a real network.
#ifndef VIGIL_CLIENT_INGEST_SAMPLE_TRAFFIC_H_
#define VIGIL_CLIENT_INGEST_SAMPLE_TRAFFIC_H_

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::client {

struct SampleOptions {
  uint64_t seed = 1;
  uint32_t events = 20'000;       // Benign log lines over conn, dns and http; at least 100.
  bool attacks = false;           // Plants each kind of attack at random places.
  int64_t start_unix_millis = 0;  // Time of the first line.
  uint32_t span_seconds = 4 * 3600;
};

// A planted line: which log, its Zeek uid, and what it is.
struct PlantedLine {
  std::string log;
  std::string uid;
  std::string attack;
};

struct SampleTraffic {
  std::string zeek;  // Zeek's JSON streaming form: all logs in one, ordered by time.
  std::vector<PlantedLine> planted;
};

SampleTraffic MakeSampleTraffic(const SampleOptions& options);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_SAMPLE_TRAFFIC_H_
