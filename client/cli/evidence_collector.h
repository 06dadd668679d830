// Gathers the records that evidence needs from a validator and puts the file together.
//
// Asks for whole records and for proofs of them under one checkpoint. Trusts nothing: whoever has
// the policy verifies the file afterwards.
#ifndef VIGIL_CLIENT_CLI_EVIDENCE_COLLECTOR_H_
#define VIGIL_CLIENT_CLI_EVIDENCE_COLLECTOR_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/alert/rule_case.h"
#include "client/lib/client.h"
#include "ledger/evidence/evidence_file.h"
#include "ledger/evidence/evidence_writer.h"
#include "vigil/v1/api.pb.h"

namespace vigil::client {

// What evidence of a rule's alert takes in of whole blocks: records, bytes, heights looked at.
inline constexpr uint64_t kRuleSpanRecordsMax = 4096;
inline constexpr uint64_t kRuleSpanBytesMax = 256 * 1024 * 1024;
inline constexpr uint64_t kRuleSpanBlocksMax = 50'000;

class EvidenceCollector {
 public:
  // `client` must outlive the collector. `witnesses`: key names of outside witnesses that must have
  // cosigned the checkpoint.
  EvidenceCollector(Client* client, std::vector<std::string> witnesses, uint32_t wait_millis)
      : client_(client), witnesses_(std::move(witnesses)), wait_millis_(wait_millis) {}

  absl::Status WantEvent(uint64_t record, uint32_t item);
  // The alert, its event, who judged it, what was recorded as wrong with it, the commitments to its
  // model, and the model where some validator keeps it, else note() says so. Of a rule's alert the
  // rule file, the proposal and the ballots that made it the network's (unless genesis did) and,
  // whole, the blocks before the event that its recomputation takes, as far as they
  // fit (kRuleSpan...Max); what is left out note() says.
  absl::Status WantAlert(uint64_t record);
  // The events that answer, and of each stream all records between. `whole`: every event of every
  // batch, so that the reader can tell that none is left out.
  absl::Status WantSpan(v1::SearchEventsRequest request, bool whole);

  // Everything that is wanted with its proof, each record fetched once, under the newest checkpoint
  // that reaches far enough.
  absl::StatusOr<std::string> Finish(const ledger::EvidenceQuestion& question, std::string genesis);

  // For people: what could not be had; empty: nothing is missing.
  const std::string& note() const { return note_; }

 private:
  struct Wanted {
    std::set<uint32_t> items;
    bool whole = false;
  };
  // What links a record of a stream to the one before it.
  struct Link {
    uint64_t record = 0;
    uint64_t sequence = 0;
    std::string previous;  // Leaf hash; empty for the first.
  };
  using StreamName = std::pair<std::string, std::string>;

  // What has been gathered of one stream.
  struct Stream {
    Link first;
    Link last;
    std::map<std::string, Link> links;  // By leaf hash.
  };

  absl::StatusOr<v1::Record> Fetch(uint64_t record) const;
  absl::Status WantRule(const v1::Alert& alert);
  absl::Status WantActivation(const v1::Alert& alert, const Hash& rules_digest);
  absl::Status WantBlocksBefore(const v1::Alert& alert, const RuleNeed& need);
  absl::Status WantCommitments(const v1::Alert& alert);
  absl::StatusOr<uint32_t> WantCommitmentsOf(const v1::Block& block, const v1::Alert& alert);
  static std::optional<std::pair<StreamName, Link>> LinkOf(const v1::Record& record);
  absl::Status Gather(uint64_t record, const Wanted& wanted, ledger::EvidenceWriter* writer);
  absl::Status AddEventsOf(const v1::Record& record, const Wanted& wanted,
                           ledger::EvidenceWriter* writer) const;
  absl::Status GatherBetween(const Stream& stream, ledger::EvidenceWriter* writer) const;
  absl::StatusOr<std::string> EpochsOf(const std::string& note) const;
  absl::StatusOr<std::string> ProofOf(uint64_t record, const std::string& under) const;

  Client* const client_;
  const std::vector<std::string> witnesses_;
  const uint32_t wait_millis_;
  std::map<uint64_t, Wanted> wanted_;
  bool is_span_ = false;  // Streams have to be without gaps.
  bool whole_ = false;
  std::string model_;
  std::string note_;
  std::string checkpoint_;  // Under which proofs are asked for.
  std::map<StreamName, Stream> streams_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_EVIDENCE_COLLECTOR_H_
