// SetWatch: which set of validators signs which height, told from the bytes of frames, from what
// nodes executed, and from what organisations have proposed and approved.
//
// It knows nothing of how nodes follow epochs, and reads and hashes with code of its own, written
// from docs/formats.md; it shares no more than the check of a signature. Invariants:
//   (1) Every executed block names the epoch and the set of its height and was signed by the
//       proposer that it names, a validator of that set.
//   (2) A set is followed by another one only behind a sealing block; that set was proposed for
//       this epoch, and more than half of the organisations in the present one approve it. Each
//       validator that stays has the cosigner key that it announced last before the approval, which
//       lies between what the sealing block and the one before say was executed; or the one it had.
//   (3) All sealing blocks of an epoch that anybody sends name one next set.
//   (4) No leader of an epoch calls a height committed that lies above its sealing block.
//   (5) Nobody cosigns, as a validator of an epoch, a log that is larger than at the epoch's end.
#ifndef VIGIL_TESTS_SIM_SET_WATCH_H_
#define VIGIL_TESTS_SIM_SET_WATCH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/chain/genesis.h"

namespace vigil::sim {

class SetWatch {
 public:
  struct Set {
    std::vector<ledger::GenesisValidator> members;
    std::vector<uint32_t> nodes;  // Which node each of them is.
  };

  explicit SetWatch(const Set& first);

  // What people did: a proposal, by the leaf of its record, and ballots on it. An organisation that
  // proposes approves.
  void OnProposal(const std::string& leaf, uint64_t epoch, const Set& next, const std::string& org);
  void OnBallot(const std::string& leaf, const std::string& org, bool approves);

  // All below return what is wrong; empty if nothing is.
  std::string OnBlockFrame(absl::string_view frame);
  std::string OnAppend(uint64_t epoch, uint64_t committed);
  std::string OnCosigned(uint64_t epoch, uint64_t size);
  // Some node executed this block, with which the log has `size` leaves.
  std::string OnExecuted(uint64_t height, const Hash& block, uint64_t size);
  // Every height up to `height` was judged.
  std::string Finish(uint64_t height) const;

  // The epoch that the next block belongs to, and its set.
  uint64_t epoch() const { return sets_.size(); }
  const Set& set() const { return sets_.back(); }
  // Every node that was in a set so far.
  std::set<uint32_t> everybody() const;
  // The height up to which `node` was a validator; nullopt: it is one, or never was.
  std::optional<uint64_t> WasUntil(uint32_t node) const;
  // It was a validator under a name that now another node bears.
  bool IsReplaced(uint32_t node) const;
  // A cosigner key of an epoch that is over, and of no validator in the present one.
  bool IsOver(const PublicKey& key) const;
  // Size of the smallest set so far.
  size_t smallest() const;

 private:
  struct Header {
    uint64_t epoch = 0;
    uint64_t height = 0;
    uint64_t executed = 0;
    std::string set_hash;
    std::string next_set_hash;
    uint32_t proposer = 0;
    std::string signature;
    std::vector<std::string> announcements;  // Leaves of cosigner keys.
  };
  // A cosigner key that a member of the present set announced, in a block of this height.
  struct Announced {
    uint64_t height = 0;
    PublicKey key;
  };
  struct Proposal {
    uint64_t epoch = 0;
    Set next;
    std::set<std::string> approving;  // Organisations.
  };
  struct Executed {
    Hash block;
    uint64_t size = 0;
  };
  struct End {
    uint64_t height = 0;
    uint64_t size = 0;
  };

  std::string Advance();
  std::string Judge(const Header& header, const Executed& executed);
  std::string EndEpoch(const Header& header, uint64_t size);
  void TakeAnnouncements(const Header& header);
  std::optional<Set> FindNext(const Header& header, const Set& proposed) const;
  std::string CheckEnded(uint64_t epoch) const;

  std::vector<Set> sets_;  // By epoch, from 1.
  std::vector<End> ends_;  // Of the epochs before the last one.
  std::map<std::string, Proposal> proposals_;
  std::map<Hash, Header> headers_;         // By block hash, of blocks that were sent.
  std::map<uint64_t, Executed> executed_;  // Not judged yet, by height.
  uint64_t judged_ = 0;                    // Height.
  uint64_t executed_before_ = 0;           // What the block that was judged last calls executed.
  std::map<size_t, std::vector<Announced>> announced_;  // In this epoch, by place in the set.
  std::map<uint64_t, std::string> seals_;   // By epoch: the next set that sealing blocks name.
  std::map<uint64_t, uint64_t> committed_;  // By epoch: the highest that a leader told.
  std::map<uint64_t, uint64_t> cosigned_;   // By epoch: the largest size.
};

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_SET_WATCH_H_
