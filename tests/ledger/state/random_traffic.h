// Random records of every kind, good and bad, for chains that tests compare.
#ifndef VIGIL_TESTS_LEDGER_STATE_RANDOM_TRAFFIC_H_
#define VIGIL_TESTS_LEDGER_STATE_RANDOM_TRAFFIC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ledger/base/random.h"
#include "ledger/chain/record.h"
#include "tests/support/test_chain.h"

namespace vigil::ledger {

class RandomTraffic {
 public:
  // `network` must outlive the object.
  RandomTraffic(const TestNetwork* network, uint64_t seed);

  // Records for the block on `tip`. Most streams go on as they should; the rest repeats, forks,
  // skips, resets, alerts, attests and commits models.
  std::vector<Record> ForBlock(const Tip& tip);

 private:
  Record StreamRecord(TestStream* stream);
  Record Alert();
  Record Attestation(const Tip& tip);
  Record Model();
  Record Reset(size_t stream);

  const TestNetwork* network_;
  SplitMix64 random_;
  std::vector<std::string> identities_;
  std::vector<TestStream> streams_;
  std::vector<Record> sent_;
  uint64_t period_ = 1;
};

}  // namespace vigil::ledger

#endif  // VIGIL_TESTS_LEDGER_STATE_RANDOM_TRAFFIC_H_
