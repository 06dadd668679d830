// Checkpoints: how far each input has been taken over, so that reading it again adds nothing.
//
// One JSON file per input in a folder of their own, replaced atomically. A checkpoint holds for a
// stream, not for a name: hashes of its first KiB and of the bytes before the position tell whether
// a file is still the one that was read, grown or renamed, or another one in its place. Belongs to
// one thread.
#ifndef VIGIL_CLIENT_INGEST_CHECKPOINT_H_
#define VIGIL_CLIENT_INGEST_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/ingest/line_source.h"
#include "ledger/base/bytes.h"
#include "ledger/storage/file.h"

namespace vigil::client {

struct Checkpoint {
  std::string path;  // Absolute.
  FileIdentity identity;
  uint64_t head_size = 0;  // Bytes of the stream that `head_hash` covers, at most 1,024.
  Hash head_hash;
  // Of the first 64, 128, 256 and 512 bytes, as far as `head_size` reaches: so that a stream that
  // was cut is known again. Version 1 has none.
  std::vector<Hash> start_hashes;
  uint64_t offset = 0;     // Of the decompressed stream: everything before is taken over.
  uint64_t line = 0;       // Number of the last line taken over.
  uint64_t tail_size = 0;  // Bytes before `offset` that `tail_hash` covers.
  Hash tail_hash;
  // A last line without line end that was quarantined has this many bytes behind `offset`; it is
  // not taken over, because the writer may not have finished it. 0: there is none.
  uint64_t pending_size = 0;
  // The last line had no line end, so the stream may go on with one.
  bool unterminated = false;
  std::string format;         // Name of the format it was read in.
  std::string adapter_state;  // Adapter::state() at `offset`.

  bool operator==(const Checkpoint& other) const;
};

// JSON, whatever the bytes of path and state. Below kSourceMarkBytesMax, as adapters bound state.
std::string EncodeCheckpoint(const Checkpoint& checkpoint);
// Reads versions 1 and 2. Errors: kInvalidArgument naming the key that is missing or wrong.
absl::StatusOr<Checkpoint> DecodeCheckpoint(absl::string_view json);

// The hashes of the beginnings of `head`; see Checkpoint::start_hashes.
std::vector<Hash> StartHashes(absl::string_view head);

enum class Resumption {
  kGoesOn,   // It is the stream that the checkpoint describes, perhaps grown.
  kCut,      // It begins like it and ends before the checkpoint: somebody cut it.
  kAnother,  // It is another stream, or was changed.
};
// What `source`, freshly opened, is to `checkpoint`. For kGoesOn it stands at the checkpoint's
// offset afterwards, else it must be opened again. Errors: as LineSource.
absl::StatusOr<Resumption> ResumeAt(LineSource* source, const Checkpoint& checkpoint);

class CheckpointStore {
 public:
  // Loads what is in `folder`, which is created when it is not there.
  // Errors: kDataLoss naming a checkpoint that cannot be read; as FileSystem.
  static absl::StatusOr<std::unique_ptr<CheckpointStore>> Open(ledger::FileSystem* files,
                                                               std::string folder);

  // nullptr when there is none of `path`.
  const Checkpoint* Find(const std::string& path) const;
  // Checkpoints of other inputs that `path` could be a renamed or copied version of: those of the
  // same inode, or whose name belongs to the same series ("conn.log" and "conn.log.1.gz").
  std::vector<Checkpoint> Relatives(const std::string& path, const FileIdentity& identity) const;
  // Takes `checkpoint` as the newest of its input for Find() and Relatives(), without writing it:
  // the spool holds what it covers.
  void Assume(Checkpoint checkpoint);
  // Writes the checkpoint of an input; durable when it returns OK. Acknowledgements come behind
  // what is assumed, so this does not replace what Assume() was told.
  absl::Status Put(const Checkpoint& checkpoint);

  // A record that waits or was acknowledged bears a position that cannot be read. Its events are
  // delivered all the same; what it covers may be read again.
  void NoteUnreadable(const absl::Status& why);
  uint64_t unreadable_count() const { return unreadable_count_; }
  // Why the last of them could not be read.
  const absl::Status& unreadable_reason() const { return unreadable_reason_; }

 private:
  CheckpointStore(ledger::FileSystem* files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}

  ledger::FileSystem* const files_;
  const std::string folder_;
  std::map<std::string, Checkpoint> by_path_;
  uint64_t unreadable_count_ = 0;
  absl::Status unreadable_reason_;
};

// Whether both paths lie in one folder and their names begin alike up to the first dot.
bool InOneSeries(const std::string& path, const std::string& other);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_INGEST_CHECKPOINT_H_
