// A chain with rules on which sources fail to log on, alerts of these rules, right or not, and
// evidence that shows as much of the blocks before as a test wants.
#ifndef VIGIL_TESTS_CLIENT_ALERT_RULE_SAMPLE_H_
#define VIGIL_TESTS_CLIENT_ALERT_RULE_SAMPLE_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "client/alert/alert_case_report.h"
#include "ledger/evidence/evidence_writer.h"
#include "tests/ledger/proof/proof_sample.h"

namespace vigil::client {

// Rule 1: three failed logons of a source in 2 s, quiet for 5 s; rule 2: a new peer of a source
// that had none for a second; rule 3: of a user.
std::string SampleRules();

struct Logon {
  uint8_t source = 1;  // 203.0.113.<source>
  uint32_t status = 2;
  std::string user = "root";
  std::string host = "gate";
  uint64_t millis_before = 0;  // Its block.
};

class RuleSample {
 public:
  RuleSample() : chain_(SampleRules()) {}

  // A block with one batch of these; the index of the batch. `others`: further records.
  RecordIndex Add(const std::vector<Logon>& logons, const std::vector<ledger::Record>& others = {});
  // Blocks that hold nothing.
  void Pass(int blocks);
  // A record that the chain refuses, since its stream has another head.
  ledger::Record Refused();

  // A proposal for other rules, and the approval that makes them the network's; their indices.
  RecordIndex ProposeRules(const std::string& file, const Hash& replaced);
  RecordIndex ApproveRules(RecordIndex proposal);

  // What an honest validator says where rule `rule` matches event `item` of `batch`.
  ledger::AlertBody Claim(RecordIndex batch, uint32_t item, uint64_t observed,
                          uint32_t rule = 1) const;
  RecordIndex Raise(const ledger::AlertBody& body, const std::string& validator = "globex/v1") {
    return chain_.CommitAlert(body, validator);
  }
  RecordIndex Commit(const ledger::RecordBody& body, const std::string& validator) {
    return chain_.CommitBody(body, validator);
  }

  struct Shown {
    Height from{1};                     // Whole blocks from here to the event's.
    std::set<RecordIndex> left_out;     // Records of them.
    std::set<RecordIndex> without;      // Batches of them whose events are not shown.
    std::vector<RecordIndex> others;    // Further records, batches with all their events.
    std::string rules = SampleRules();  // Empty: no rule file.
  };
  // Nothing before the event's own batch.
  std::string File(RecordIndex alert, const ledger::EventRef& event, const Shown& shown);
  AlertReport Verify(RecordIndex alert, const ledger::EventRef& event, const Shown& shown) {
    return VerifyAlert(chain_.policy(), File(alert, event, shown));
  }

  Height height() const { return chain_.chain().reader().GetTip()->height; }
  Height HeightOf(RecordIndex record) const { return chain_.BlockOf(record)->height; }
  const ledger::ProofSample& chain() const { return chain_; }

 private:
  ledger::ProofSample chain_;
  uint64_t sequence_ = 0;
  Hash previous_;
  uint64_t salt_ = 0;
};

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_ALERT_RULE_SAMPLE_H_
