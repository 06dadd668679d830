#include "node/driver/recovery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "consensus/raft/codec.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/epoch.h"
#include "ledger/chain/header.h"
#include "ledger/storage/journal_format.h"

namespace vigil::node {
namespace {

using ledger::JournalOpenReport;
using ledger::JournalReader;
using ledger::JournalType;
using ledger::RollbackGuard;

constexpr absl::string_view kRemedy =
    "what this validator promised may be lost, so it must not vote: what it holds can be read, and "
    "the others go on without it; it joins anew with: vigild rejoin (docs/operating.md, When a "
    "node refuses)";

bool IsFresh(const RollbackGuard& guard) { return guard.view == 0 && guard.durable_offset == 0; }

absl::Status Damage(absl::string_view what) {
  return absl::DataLossError(absl::StrCat(what, "; ", kRemedy));
}

// The journal is sound in itself, so that joining anew needs the operator's word.
absl::Status Contradicted(absl::string_view what) {
  return absl::DataLossError(absl::StrCat(
      what,
      "; what this validator promised may be lost, so it must not vote: what it holds can be "
      "read, and the others go on without it; it joins anew with: vigild rejoin "
      "--even-if-sound (docs/operating.md, When a node refuses)"));
}

// A disk that cannot be read just now says nothing of what lies on it.
absl::Status Unreadable(const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(status.message(),
                                   "; nothing is known to be lost: see to the disk, then: vigild "
                                   "start (docs/operating.md, When a node refuses)"));
}

// Whether it tells of the bytes on disk, and not of a disk that fails.
bool IsVerdict(const absl::Status& status) {
  return status.ok() || absl::IsDataLoss(status) || absl::IsNotFound(status);
}

// Follows the branch while frames are read.
class Scanner {
 public:
  // `newest_base`: where the journal's last base frame lies.
  Scanner(const ledger::Genesis& genesis, JournalScan* scan,
          std::optional<ledger::JournalPosition> newest_base)
      : genesis_(genesis), scan_(scan), newest_base_(newest_base) {}

  // What lies below `offset` is not needed any more, and part of it may be gone.
  void PassOver(uint64_t offset) { blocks_from_ = offset; }

  // Closing blocks of an epoch that is over are of no use (protocol.md, Epochs).
  void DropClosing() {
    while (!epochs_.empty() && epochs_.back() < genesis_.epoch &&
           scan_->last_height() > genesis_.epoch_base) {
      epochs_.pop_back();
      scan_->snapshots.erase(scan_->last_height());
      scan_->chain.pop_back();
      scan_->positions.pop_back();
      scan_->sizes.pop_back();
    }
  }

  absl::Status OnFrame(const JournalReader::Frame& frame) {
    const bool is_needed = frame.position.offset >= blocks_from_;
    switch (frame.type) {
      case JournalType::kBlock:
      case JournalType::kPrunedBlock:
        return is_needed ? OnBlock(frame) : absl::OkStatus();
      case JournalType::kVote:
        OnVote(frame);
        return absl::OkStatus();
      case JournalType::kCommit:
        return is_needed ? OnCommit(frame) : absl::OkStatus();
      case JournalType::kCosigned:
        return OnCosigned(frame);
      case JournalType::kHole:
        return absl::OkStatus();
      case JournalType::kSkip:
        break;  // Readers pass over it.
      case JournalType::kBase:
        return OnBase(frame);
    }
    return absl::DataLossError(absl::StrCat("journal offset ", frame.position.offset,
                                            ": frame of unknown type ",
                                            static_cast<int>(frame.type)));
  }

 private:
  // The frame's CRC vouches for the bytes; header and hash are all that the branch needs.
  absl::Status OnBlock(const JournalReader::Frame& frame) {
    const ByteSpan bytes = AsBytes(frame.body);
    if (bytes.size() < kEmptyBlockBytes) return Contradiction(frame, "block frame is too short");
    const ByteSpan header_bytes = bytes.subspan(2, ledger::kHeaderBytes);
    ASSIGN_OR_RETURN(const ledger::BlockHeader header, ledger::DecodeHeader(header_bytes));
    const uint64_t height = header.height.value();
    if (header.height <= scan_->base.id.height || height > scan_->last_height().value() + 1) {
      return Contradiction(frame,
                           absl::StrCat("block ", height, " after ", scan_->last_height().value()));
    }
    if (header.height <= scan_->committed) {
      return Contradiction(frame, absl::StrCat("block ", height, " replaces a committed one"));
    }
    if (header.parent_hash != scan_->Find(header.height.Previous())->id.hash) {
      return Contradiction(frame, absl::StrCat("block ", height, " does not follow the branch"));
    }
    const size_t kept = scan_->IndexOf(header.height);
    scan_->chain.resize(kept);
    scan_->positions.resize(kept);
    scan_->sizes.resize(kept);
    epochs_.resize(kept);
    NoteSealing(header);
    scan_->snapshots.erase(scan_->snapshots.lower_bound(header.height), scan_->snapshots.end());
    if (header.snapshot_height != Height(0)) {
      scan_->snapshots[header.height] = {.height = header.snapshot_height,
                                         .digest = header.snapshot_digest};
    }
    scan_->chain.push_back({.id = {.height = header.height,
                                   .view = header.view,
                                   .hash = ledger::HeaderHash(header_bytes)},
                            .executed_in_header = header.executed_height,
                            .time_unix_millis = header.time_unix_millis});
    epochs_.push_back(header.epoch);
    scan_->epoch_max = std::max(scan_->epoch_max, header.epoch);
    scan_->positions.push_back(frame.position);
    scan_->sizes.push_back(static_cast<uint32_t>(frame.body.size()));
    // Its proposer had executed E, so E is committed, though we may never have been told.
    scan_->committed = std::max(scan_->committed, header.executed_height);
    return absl::OkStatus();
  }

  // The block of `header` is about to be the branch's last.
  void NoteSealing(const ledger::BlockHeader& header) {
    if (header.height <= scan_->sealing) scan_->sealing = Height(0);
    if (scan_->sealing != Height(0) || header.epoch != genesis_.epoch || !Seals(header)) return;
    scan_->sealing = header.height;
    scan_->sealing_set = header.validator_set_hash;
    scan_->sealing_next_set = header.next_validator_set_hash;
  }

  void OnVote(const JournalReader::Frame& frame) {
    scan_->vote = frame.body;
    const absl::StatusOr<consensus::RaftVoteRecord> record =
        consensus::DecodeRaftVoteRecord(frame.body);
    if (!record.ok()) return;
    scan_->epoch_max = std::max(scan_->epoch_max, record->epoch);
    // Nobody campaigns for term 0, so no vote in it is one: it marks a journal made for joining.
    const bool marks =
        record->term == View(0) && record->voted_for.has_value() && !record->may_vote;
    if (marks && frame.position.offset > 0) scan_->decided = true;
    if (frame.position.offset == 0) scan_->joined = marks;
    scan_->has_voted = scan_->has_voted || record->may_vote;
  }

  absl::Status OnCommit(const JournalReader::Frame& frame) {
    ASSIGN_OR_RETURN(const consensus::RaftCommitRecord commit,
                     consensus::DecodeRaftCommitRecord(frame.body));
    const Height height = commit.block.height;
    // Of what lies below the base, marks say nothing new.
    if (height == Height(0) || height < scan_->base.id.height) return absl::OkStatus();
    const ParentBlock* const block = scan_->Find(height);
    if (block == nullptr || block->id.hash != commit.block.hash) {
      return Contradiction(frame, absl::StrCat("commit mark for block ", height.value(),
                                               ", which the branch does not hold"));
    }
    scan_->committed = std::max(scan_->committed, commit.block.height);
    return absl::OkStatus();
  }

  // The last one counts; it was taken over before the first frame. One that stands for no missing
  // segments is that of a validator that joined, and comes before anything else.
  absl::Status OnBase(const JournalReader::Frame& frame) {
    ASSIGN_OR_RETURN(const ledger::BaseFrame base, ledger::DecodeBaseFrame(frame.body));
    const bool is_first = !std::exchange(has_base_, true);
    if (frame.position != newest_base_) {
      if (base.block.height <= scan_->base.id.height) return absl::OkStatus();
      return Contradiction(frame,
                           absl::StrCat("a base at height ", base.block.height.value(),
                                        " before the last one at ", scan_->base.id.height.value()));
    }
    const bool joins =
        is_first && scan_->joined && !scan_->has_voted && !scan_->decided && scan_->chain.empty();
    if (base.base_offset == 0 && !joins) {
      return Contradiction(frame, "a base frame in a journal that goes on already");
    }
    return absl::OkStatus();
  }

  absl::Status OnCosigned(const JournalReader::Frame& frame) {
    ASSIGN_OR_RETURN(const CosignGuard guard, DecodeCosignGuard(frame.body));
    const CosignGuard& last = scan_->cosigned;
    if (guard.size < last.size || (guard.size == last.size && guard.root != last.root)) {
      return Contradiction(frame, absl::StrCat("cosigned size ", guard.size, " after ", last.size));
    }
    scan_->cosigned = guard;
    return absl::OkStatus();
  }

  static absl::Status Contradiction(const JournalReader::Frame& frame, absl::string_view what) {
    return Damage(absl::StrCat("journal offset ", frame.position.offset, ": ", what));
  }

  const ledger::Genesis& genesis_;
  JournalScan* const scan_;
  std::vector<Epoch> epochs_;  // Of the branch's blocks.
  const std::optional<ledger::JournalPosition> newest_base_;
  uint64_t blocks_from_ = 0;
  bool has_base_ = false;
};

// Takes over where the journal goes on.
absl::Status BeginAtBase(const JournalReader& reader, Scanner* scanner, JournalScan* scan) {
  const uint64_t begin = reader.begin().offset;
  const std::optional<ledger::JournalPosition> position = reader.newest_base();
  if (!position.has_value()) {
    if (begin == 0) return absl::OkStatus();
    return Damage(absl::StrCat("the journal begins at offset ", begin,
                               ": the segments before it are missing, and no base frame says that "
                               "they were archived"));
  }
  ASSIGN_OR_RETURN(const JournalReader::Frame frame, reader.Read(*position));
  ASSIGN_OR_RETURN(const ledger::BaseFrame base, ledger::DecodeBaseFrame(frame.body));
  if (base.base_offset > position->offset) {
    return Damage(absl::StrCat("journal offset ", position->offset, ": a base frame for offset ",
                               base.base_offset, " behind it"));
  }
  if (begin > base.base_offset) {
    return Damage(absl::StrCat("the journal begins at offset ", begin,
                               ", its last base frame needs it from offset ", base.base_offset,
                               " on: segments are missing"));
  }
  scan->base = {.id = base.block,
                .executed_in_header = base.executed_in_header,
                .time_unix_millis = base.time_unix_millis};
  scan->base_frame = base;
  scan->committed = base.block.height;
  scanner->PassOver(base.base_offset);
  return absl::OkStatus();
}

// Makes the journal beside its place and puts it there whole: one that could vote is never seen.
absl::Status MakeJoiningJournal(const JournalPlace& place) {
  const std::string making = place.directory + ".new";
  if (place.files->Exists(making)) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, place.files->List(making));
    for (const std::string& name : names) {
      RETURN_IF_ERROR(place.files->Remove(absl::StrCat(making, "/", name)));
    }
  }
  RETURN_IF_ERROR(ledger::Journal::Create(place.files, making, place.id));
  uint64_t end = 0;
  {
    JournalOpenReport report;
    ASSIGN_OR_RETURN(
        const std::unique_ptr<ledger::Journal> journal,
        ledger::Journal::Open(place.files, making, place.id, 0, place.options, &report));
    consensus::RaftVoteRecord record;
    record.voted_for = ValidatorIndex(0);
    record.may_vote = false;
    const std::string body = consensus::EncodeRaftVoteRecord(record);
    RETURN_IF_ERROR(journal->Append(JournalType::kVote, AsBytes(body)).status());
    RETURN_IF_ERROR(journal->Sync());
    end = journal->durable_offset();
  }
  const std::string segment = absl::StrCat("/", ledger::SegmentName(0));
  RETURN_IF_ERROR(place.files->MakeDirs(place.directory));
  RETURN_IF_ERROR(place.files->Rename(making + segment, place.directory + segment));
  RETURN_IF_ERROR(place.files->SyncDir(place.directory));
  // From now on a journal without that record is one that was rolled back.
  ASSIGN_OR_RETURN(RollbackGuard guard, ledger::LoadRollbackGuard(place.files, place.guard_path));
  guard.durable_offset = end;
  return ledger::SaveRollbackGuard(place.files, place.guard_path, guard);
}

// Moves the journal's files into a folder of their own. Returns its path; empty: there were none.
absl::StatusOr<std::string> KeepOldJournal(const JournalPlace& place) {
  ledger::FileSystem* const files = place.files;
  if (!files->Exists(place.directory)) return std::string();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(place.directory));
  std::string kept;
  for (const std::string& name : names) {
    if (name == "LOCK") continue;
    if (kept.empty()) {
      for (int number = 1; kept.empty() || files->Exists(kept); ++number) {
        kept = absl::StrCat(place.directory, ".lost-", number);
      }
      RETURN_IF_ERROR(files->MakeDirs(kept));
    }
    RETURN_IF_ERROR(
        files->Rename(absl::StrCat(place.directory, "/", name), absl::StrCat(kept, "/", name)));
  }
  if (kept.empty()) return kept;
  RETURN_IF_ERROR(files->SyncDir(kept));
  RETURN_IF_ERROR(files->SyncDir(place.directory));
  return kept;
}

absl::Status CheckIsUnsound(const ledger::Genesis& genesis, const JournalPlace& place) {
  const absl::StatusOr<OpenedJournal> opened = OpenJournal(place);
  if (absl::IsFailedPrecondition(opened.status())) return absl::OkStatus();  // Nothing is there.
  RETURN_IF_ERROR(opened.status());
  if (!opened->damage.ok()) return absl::OkStatus();
  const absl::Status scanned = ScanJournal(genesis, *opened->reader).status();
  if (!IsVerdict(scanned)) return Unreadable(scanned);
  if (!scanned.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(place.directory,
                   ": the journal is sound, so there is no need to join anew: vigild start; to "
                   "give it up all the same: --even-if-sound"));
}

}  // namespace

std::string RestoreMarker(const std::string& data_dir) { return data_dir + "/RESTORING"; }

absl::Status CheckNoRestore(const ledger::FileSystem& files, const std::string& data_dir) {
  if (!files.Exists(RestoreMarker(data_dir))) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(data_dir,
                   ": a restore into this folder has not ended; run `vigild data "
                   "restore` again, which begins it anew"));
}

absl::StatusOr<std::string> RejoinFolder(const ledger::Genesis& genesis, const JournalPlace& place,
                                         bool even_if_sound) {
  if (!even_if_sound) RETURN_IF_ERROR(CheckIsUnsound(genesis, place));
  ASSIGN_OR_RETURN(const std::string kept, KeepOldJournal(place));
  // What the guard tells of votes binds the validator for ever. Where it is lost, or is another
  // journal's, the votes are forgotten, and the protocol has to cope (protocol.md, R24).
  RollbackGuard guard;
  const absl::StatusOr<RollbackGuard> old =
      ledger::LoadRollbackGuard(place.files, place.guard_path);
  if (old.ok() && old->journal_id == place.id) guard = *old;
  guard.journal_id = place.id;
  guard.epoch = std::max<uint64_t>(guard.epoch, 1);
  guard.durable_offset = 0;
  RETURN_IF_ERROR(ledger::SaveRollbackGuard(place.files, place.guard_path, guard));
  RETURN_IF_ERROR(MakeJoiningJournal(place));
  return kept;
}

std::string GuardPath(const std::string& data_dir, const std::string& guard_path) {
  return guard_path.empty() ? data_dir + "/rollback_guard" : guard_path;
}

JournalPlace PlaceOfJournal(ledger::FileSystem* files, const std::string& data_dir,
                            const std::string& guard_path, const ledger::JournalId& id) {
  return {.files = files,
          .directory = data_dir + "/journal",
          .guard_path = GuardPath(data_dir, guard_path),
          .id = id,
          .options = {}};
}

absl::StatusOr<std::shared_ptr<void>> LockDataFolder(ledger::FileSystem* files,
                                                     const std::string& data_dir) {
  absl::StatusOr<std::shared_ptr<void>> lock = files->Lock(data_dir + "/LOCK");
  if (!absl::IsAlreadyExists(lock.status())) return lock;
  return absl::AlreadyExistsError(
      absl::StrCat(data_dir, ": another process has it open; stop that one first"));
}

absl::Status CreateJournal(const JournalPlace& place, Beginning beginning) {
  const absl::StatusOr<RollbackGuard> guard =
      ledger::LoadRollbackGuard(place.files, place.guard_path);
  if (guard.ok() && !(IsFresh(*guard) && guard->journal_id == place.id)) {
    return absl::AlreadyExistsError(
        absl::StrCat(place.guard_path,
                     ": this validator has run before, and what it promised then "
                     "binds it: start it on its own data folder; if that is lost "
                     "or damaged, join anew with: vigild rejoin"));
  }
  if (!guard.ok() && !absl::IsNotFound(guard.status())) return guard.status();
  // The guard first: a journal without one could not be told from a copied journal. A fresh guard
  // without a journal has promised nothing, so this may be repeated.
  if (!guard.ok()) {
    RollbackGuard fresh;
    fresh.journal_id = place.id;
    fresh.epoch = 1;
    RETURN_IF_ERROR(ledger::SaveRollbackGuard(place.files, place.guard_path, fresh));
  }
  if (beginning == Beginning::kNewNetwork) {
    return ledger::Journal::Create(place.files, place.directory, place.id);
  }
  const absl::StatusOr<std::vector<std::string>> segments = place.files->List(place.directory);
  if (segments.ok() && !segments->empty()) {
    return absl::AlreadyExistsError(
        absl::StrCat(place.directory, ": there is a journal; start it with: vigild start"));
  }
  return MakeJoiningJournal(place);
}

absl::StatusOr<OpenedJournal> OpenJournal(const JournalPlace& place) {
  OpenedJournal opened;
  const absl::StatusOr<RollbackGuard> guard =
      ledger::LoadRollbackGuard(place.files, place.guard_path);
  const absl::StatusOr<std::vector<std::string>> segments = place.files->List(place.directory);
  const bool has_journal = segments.ok() && !segments->empty();
  for (const absl::Status& status : {guard.status(), segments.status()}) {
    if (!IsVerdict(status)) return Unreadable(status);
  }
  if (absl::IsNotFound(guard.status()) && !has_journal) {
    return absl::FailedPreconditionError(
        absl::StrCat(place.directory, ": not there; make it once with: vigild init"));
  }
  if (guard.ok()) {
    opened.guard = *guard;
    if (guard->journal_id == place.id) {
      JournalOpenReport report;
      auto journal = ledger::Journal::Open(place.files, place.directory, place.id,
                                           guard->durable_offset, place.options, &report);
      if (journal.ok()) {
        opened.journal = *std::move(journal);
        opened.reader = opened.journal->reader();
        opened.last_group_ambiguous = report.last_group_ambiguous;
        return opened;
      }
      if (!IsVerdict(journal.status())) return Unreadable(journal.status());
      opened.damage = Damage(journal.status().message());
    } else {
      opened.damage =
          Damage(absl::StrCat(place.guard_path, ": guards journal ", guard->journal_id.ToHex(),
                              ", genesis names ", place.id.ToHex()));
    }
  } else {
    opened.damage = Damage(guard.status().message());
  }
  // Reads go on from whatever prefix is sound.
  absl::Status ignored_tail;
  auto reader = ledger::OpenJournalForReading(place.files, place.directory, &ignored_tail);
  if (reader.ok()) opened.reader = *std::move(reader);
  return opened;
}

absl::StatusOr<JournalScan> ScanJournal(const ledger::Genesis& genesis,
                                        const JournalReader& reader) {
  JournalScan scan;
  scan.base.id.hash = genesis.genesis_hash;
  Scanner scanner(genesis, &scan, reader.newest_base());
  absl::Status status = BeginAtBase(reader, &scanner, &scan);
  if (!IsVerdict(status)) return Unreadable(status);
  RETURN_IF_ERROR(status);
  const absl::Status read = reader.ForEach(reader.begin(), [&](const JournalReader::Frame& frame) {
    status = scanner.OnFrame(frame);
    return status.ok();
  });
  if (!IsVerdict(read)) return Unreadable(read);
  RETURN_IF_ERROR(read);
  RETURN_IF_ERROR(status);
  scanner.DropClosing();
  return scan;
}

consensus::Recovered RecoveredFrom(const JournalScan& scan, const OpenedJournal& journal,
                                   Height executed, bool accept_torn_tail) {
  consensus::Recovered recovered;
  recovered.vote = scan.vote;
  recovered.chain_sizes = scan.sizes;
  recovered.committed = std::max(scan.committed, executed);
  recovered.view_min = View(journal.guard.view);
  recovered.base = scan.base.id;
  for (const ParentBlock& block : scan.chain) recovered.chain.push_back(block.id);
  recovered.sealing = scan.sealing;
  recovered.sealing_set = scan.sealing_set;
  recovered.sealing_next_set = scan.sealing_next_set;
  const bool never_voted = scan.joined && !scan.has_voted;
  recovered.forgot_votes = never_voted && journal.guard.view == 0;
  if (!accept_torn_tail || never_voted) {
    recovered.may_vote = !journal.last_group_ambiguous && !never_voted;
    return recovered;
  }
  // An earlier start may have recorded that it must not vote.
  const absl::StatusOr<consensus::RaftVoteRecord> record =
      consensus::DecodeRaftVoteRecord(scan.vote);
  if (record.ok() && !record->may_vote) {
    consensus::RaftVoteRecord voter = *record;
    voter.may_vote = true;
    recovered.vote = consensus::EncodeRaftVoteRecord(voter);
  }
  return recovered;
}

namespace {

constexpr absl::string_view kNoSnapshot = "no snapshot is of use: state begins at the first block";

// State as it lies there; null with the damage when it cannot be used.
absl::StatusOr<OpenedState> OpenStored(DerivedStores* stores, const ledger::Genesis* genesis,
                                       absl::Status* damage) {
  OpenedState opened;
  absl::StatusOr<std::unique_ptr<ledger::Store>> store = stores->Open("state");
  *damage = store.status();
  if (store.ok()) {
    opened.store = *std::move(store);
    absl::StatusOr<std::unique_ptr<ledger::ChainState>> state =
        ledger::ChainState::Open(opened.store.get(), genesis);
    *damage = state.status();
    if (state.ok()) opened.state = *std::move(state);
  }
  if (opened.state == nullptr && !absl::IsDataLoss(*damage)) return *damage;
  return opened;
}

// Begins anew because of `why`, at the snapshot `from` or at genesis.
absl::StatusOr<OpenedState> RebuildState(DerivedStores* stores, const ledger::Genesis* genesis,
                                         const SnapshotFolder* snapshots,
                                         const std::optional<ledger::SnapshotMark>& from,
                                         absl::string_view why, const LogFunction& log) {
  OpenedState opened;
  ASSIGN_OR_RETURN(opened.store, stores->OpenEmpty("state", why));
  if (from.has_value()) {
    const absl::Status loaded = snapshots->Load(from->height, opened.store.get());
    if (!loaded.ok()) return Annotate(loaded, "load a snapshot");
    opened.snapshot = from;
  }
  ASSIGN_OR_RETURN(opened.state, ledger::ChainState::Open(opened.store.get(), genesis));
  log(LogLevel::kInfo, "recovery",
      from.has_value() ? absl::StrCat("state begins at the snapshot of height ",
                                      from->height.value(), ", digest ", from->digest.ToHex())
                       : std::string(kNoSnapshot));
  return opened;
}

}  // namespace

absl::StatusOr<OpenedState> OpenState(DerivedStores* stores, const ledger::Genesis* genesis,
                                      SnapshotFolder* snapshots, const LogFunction& log) {
  absl::Status damage;
  ASSIGN_OR_RETURN(OpenedState opened, OpenStored(stores, genesis, &damage));
  std::string why;
  if (opened.state == nullptr) {
    why = std::string(damage.message());
    if (snapshots == nullptr) {
      opened.store.reset();
      return RebuildState(stores, genesis, snapshots, std::nullopt, why, log);
    }
  }
  if (snapshots == nullptr) return opened;
  const Height base = snapshots->scan().base.id.height;
  if (opened.state != nullptr && opened.state->tip().height < base) {
    why = absl::StrCat("the journal begins above height ", base.value());
  } else if (opened.state != nullptr) {
    const ledger::Tip& tip = opened.state->tip();
    if (!CheckStateOnChain(tip, snapshots->scan()).ok()) return opened;
    const uint64_t above = tip.height.value() % genesis->snapshot_interval_blocks;
    const Height last = tip.height - above;
    if (last > Height(0)) {
      ASSIGN_OR_RETURN(opened.snapshot, snapshots->Check(last));
      // Right at its height it is made now.
      if (opened.snapshot.has_value() || above == 0) return opened;
      why = absl::StrCat("the snapshot of height ", last.value(), " is not on disk, and the state",
                         " at height ", tip.height.value(), " is past it");
    } else if (tip.height > Height(0)) {
      return opened;
    }
  }
  ASSIGN_OR_RETURN(const std::optional<ledger::SnapshotMark> newest, snapshots->Newest());
  const bool fresh = opened.state != nullptr && why.empty();
  if (fresh && !newest.has_value()) {
    if (snapshots->scan().chain.size() >= genesis->snapshot_interval_blocks) {
      log(LogLevel::kInfo, "recovery", absl::StrCat("state is empty; ", kNoSnapshot));
    }
    return opened;
  }
  opened.state.reset();
  opened.store.reset();
  return RebuildState(stores, genesis, snapshots, newest, fresh ? "it is empty" : why, log);
}

const ParentBlock* JournalScan::Find(Height height) const {
  if (height == base.id.height) return &base;
  if (height < base.id.height || height > last_height()) return nullptr;
  return &chain[IndexOf(height)];
}

absl::Status CheckStateOnChain(const ledger::Tip& tip, const JournalScan& scan) {
  const uint64_t height = tip.height.value();
  if (tip.height < scan.base.id.height) {
    return Contradicted(absl::StrCat("state is at height ", height, ", the journal begins above ",
                                     scan.base.id.height.value(),
                                     ", and the snapshot of that height is lost or damaged"));
  }
  if (height == 0) return absl::OkStatus();
  const ParentBlock* const block = scan.Find(tip.height);
  if (block == nullptr) {
    return Contradicted(absl::StrCat("state is at height ", height, ", the journal ends at ",
                                     scan.last_height().value()));
  }
  if (block->id.hash == tip.block_hash) return absl::OkStatus();
  return Contradicted(absl::StrCat("state at height ", height, " is of block ",
                                   tip.block_hash.ToHex(), ", the journal holds ",
                                   block->id.hash.ToHex()));
}

}  // namespace vigil::node
