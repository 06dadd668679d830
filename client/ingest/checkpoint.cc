#include "client/ingest/checkpoint.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/ingest/json_text.h"
#include "client/ingest/value_parsers.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"
#include "simdjson.h"

namespace vigil::client {
namespace {

constexpr uint64_t kFormatVersion = 2;
// Wrote bytes that are not UTF-8 as they were, and '%' too.
constexpr uint64_t kRawTextVersion = 1;
constexpr absl::string_view kSuffix = ".json";
constexpr size_t kStartBytesLeast = 64;
// 64, 128, 256 and 512.
constexpr size_t kStartHashesMax = 4;

// Names of files and headers of logs are bytes, JSON is UTF-8: '%', and where the text is not UTF-8
// every byte beyond ASCII, is written as %XX. The other characters stay readable.
std::string EscapeBytes(absl::string_view bytes) {
  const bool is_text = IsValidUtf8(bytes);
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    if (c == '%' || (!is_text && static_cast<unsigned char>(c) >= 0x80)) {
      absl::StrAppend(&text, "%", HexEncode(AsBytes(absl::string_view(&c, 1))));
    } else {
      text.push_back(c);
    }
  }
  return text;
}

// Errors: kInvalidArgument when a '%' is not followed by two hexadecimal digits.
absl::StatusOr<std::string> UnescapeBytes(absl::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return absl::InvalidArgumentError("'%' without two digits");
    ASSIGN_OR_RETURN(const std::string byte, HexDecode(text.substr(i + 1, 2)));
    bytes.append(byte);
    i += 2;
  }
  return bytes;
}

void AppendNumber(std::string* out, absl::string_view key, uint64_t value) {
  absl::StrAppend(out, ",\"", key, "\":", value);
}

void AppendText(std::string* out, absl::string_view key, absl::string_view value) {
  absl::StrAppend(out, ",\"", key, "\":");
  AppendJsonString(out, EscapeBytes(value));
}

// Reads the keys of one object, remembering the first that is missing or wrong.
class ObjectReader {
 public:
  explicit ObjectReader(simdjson::dom::object object) : object_(object) {}

  // From now on texts are read as EscapeBytes() wrote them.
  void set_escaped(bool escaped) { escaped_ = escaped; }

  uint64_t Number(const char* key) {
    uint64_t value = 0;
    if (object_[key].get_uint64().get(value) != simdjson::SUCCESS) Fail(key);
    return value;
  }
  bool Flag(const char* key) {
    bool value = false;
    if (object_[key].get_bool().get(value) != simdjson::SUCCESS) Fail(key);
    return value;
  }
  std::string Text(const char* key) {
    std::string_view value;
    if (object_[key].get_string().get(value) != simdjson::SUCCESS) Fail(key);
    if (!escaped_) return std::string(value);
    absl::StatusOr<std::string> bytes =
        UnescapeBytes(absl::string_view(value.data(), value.size()));
    if (!bytes.ok()) Fail(key);
    return bytes.ok() ? *std::move(bytes) : std::string();
  }
  Hash HashValue(const char* key) {
    const absl::StatusOr<Hash> hash = Hash::FromHex(Text(key));
    if (!hash.ok()) Fail(key);
    return hash.ok() ? *hash : Hash();
  }
  std::vector<Hash> Hashes(const char* key) {
    std::vector<Hash> hashes;
    for (const absl::string_view hex : absl::StrSplit(Text(key), ' ', absl::SkipEmpty())) {
      const absl::StatusOr<Hash> hash = Hash::FromHex(hex);
      if (!hash.ok() || hashes.size() == kStartHashesMax) {
        Fail(key);
        break;
      }
      hashes.push_back(*hash);
    }
    return hashes;
  }
  absl::Status status() const { return status_; }

 private:
  void Fail(const char* key) {
    if (!status_.ok()) return;
    status_ =
        absl::InvalidArgumentError(absl::StrCat("checkpoint: \"", key, "\" missing or wrong"));
  }

  const simdjson::dom::object object_;
  bool escaped_ = false;
  absl::Status status_;
};

std::string FileNameOf(const std::string& path) {
  return absl::StrCat(ledger::Sha256(AsBytes(path)).ToHex().substr(0, 32), kSuffix);
}

}  // namespace

bool Checkpoint::operator==(const Checkpoint& other) const {
  return EncodeCheckpoint(*this) == EncodeCheckpoint(other);
}

std::string EncodeCheckpoint(const Checkpoint& checkpoint) {
  std::string json = absl::StrCat("{\"checkpoint\":", kFormatVersion);
  AppendText(&json, "path", checkpoint.path);
  AppendNumber(&json, "device", checkpoint.identity.device);
  AppendNumber(&json, "inode", checkpoint.identity.inode);
  AppendNumber(&json, "size", checkpoint.identity.size);
  AppendNumber(&json, "head_size", checkpoint.head_size);
  AppendText(&json, "head_hash", checkpoint.head_hash.ToHex());
  std::vector<std::string> starts;
  for (const Hash& hash : checkpoint.start_hashes) starts.push_back(hash.ToHex());
  AppendText(&json, "start_hashes", absl::StrJoin(starts, " "));
  AppendNumber(&json, "offset", checkpoint.offset);
  AppendNumber(&json, "line", checkpoint.line);
  AppendNumber(&json, "tail_size", checkpoint.tail_size);
  AppendText(&json, "tail_hash", checkpoint.tail_hash.ToHex());
  AppendNumber(&json, "pending_size", checkpoint.pending_size);
  absl::StrAppend(&json, ",\"unterminated\":", checkpoint.unterminated ? "true" : "false");
  AppendText(&json, "format", checkpoint.format);
  AppendText(&json, "adapter_state", checkpoint.adapter_state);
  json.append("}\n");
  return json;
}

absl::StatusOr<Checkpoint> DecodeCheckpoint(absl::string_view json) {
  // Only the older version wrote bytes that are not UTF-8. JSON itself is ASCII and has no '%', so
  // that escaping the whole document escapes its texts.
  const bool repaired = !IsValidUtf8(json);
  const std::string escaped = repaired ? EscapeBytes(json) : std::string();
  if (repaired) json = escaped;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json.data(), json.size()).get_object().get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("checkpoint: not a JSON object");
  }
  ObjectReader reader(object);
  const uint64_t version = reader.Number("checkpoint");
  if (version < kRawTextVersion || version > (repaired ? kRawTextVersion : kFormatVersion)) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint: version ", version,
                                                   ", this program knows 1 to ", kFormatVersion));
  }
  reader.set_escaped(repaired || version > kRawTextVersion);
  Checkpoint checkpoint;
  checkpoint.path = reader.Text("path");
  checkpoint.identity.device = reader.Number("device");
  checkpoint.identity.inode = reader.Number("inode");
  checkpoint.identity.size = reader.Number("size");
  checkpoint.head_size = reader.Number("head_size");
  checkpoint.head_hash = reader.HashValue("head_hash");
  if (version > kRawTextVersion) checkpoint.start_hashes = reader.Hashes("start_hashes");
  checkpoint.offset = reader.Number("offset");
  checkpoint.line = reader.Number("line");
  checkpoint.tail_size = reader.Number("tail_size");
  checkpoint.tail_hash = reader.HashValue("tail_hash");
  checkpoint.pending_size = reader.Number("pending_size");
  checkpoint.unterminated = reader.Flag("unterminated");
  checkpoint.format = reader.Text("format");
  checkpoint.adapter_state = reader.Text("adapter_state");
  RETURN_IF_ERROR(reader.status());
  if (checkpoint.head_size > LineSource::kHeadBytesMax ||
      checkpoint.tail_size > LineSource::kTailBytesMax) {
    return absl::InvalidArgumentError("checkpoint: head or tail too large");
  }
  return checkpoint;
}

std::vector<Hash> StartHashes(absl::string_view head) {
  std::vector<Hash> hashes;
  for (size_t size = kStartBytesLeast; size <= head.size() && size < LineSource::kHeadBytesMax;
       size *= 2) {
    hashes.push_back(ledger::Sha256(AsBytes(head.substr(0, size))));
  }
  return hashes;
}

namespace {

// Whether `head`, all of a stream that is shorter than the checkpoint's head, begins like it.
bool BeginsAlike(absl::string_view head, const Checkpoint& checkpoint) {
  const std::vector<Hash> hashes = StartHashes(head);
  return !hashes.empty() && hashes.size() <= checkpoint.start_hashes.size() &&
         std::equal(hashes.begin(), hashes.end(), checkpoint.start_hashes.begin());
}

}  // namespace

absl::StatusOr<Resumption> ResumeAt(LineSource* source, const Checkpoint& checkpoint) {
  ASSIGN_OR_RETURN(const std::string head, source->Peek(LineSource::kHeadBytesMax));
  if (head.size() < checkpoint.head_size) {
    return BeginsAlike(head, checkpoint) ? Resumption::kCut : Resumption::kAnother;
  }
  const absl::string_view covered = absl::string_view(head).substr(0, checkpoint.head_size);
  if (ledger::Sha256(AsBytes(covered)) != checkpoint.head_hash) return Resumption::kAnother;
  const absl::StatusOr<std::string> tail =
      source->Skip(checkpoint.offset, static_cast<size_t>(checkpoint.tail_size));
  if (absl::IsOutOfRange(tail.status())) return Resumption::kCut;
  RETURN_IF_ERROR(tail.status());
  const bool same = tail->size() == checkpoint.tail_size &&
                    ledger::Sha256(AsBytes(*tail)) == checkpoint.tail_hash;
  return same ? Resumption::kGoesOn : Resumption::kAnother;
}

absl::StatusOr<std::unique_ptr<CheckpointStore>> CheckpointStore::Open(ledger::FileSystem* files,
                                                                       std::string folder) {
  RETURN_IF_ERROR(files->MakeDirs(folder));
  std::unique_ptr<CheckpointStore> store(new CheckpointStore(files, std::move(folder)));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files->List(store->folder_));
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, kSuffix)) continue;
    const std::string path = absl::StrCat(store->folder_, "/", name);
    ASSIGN_OR_RETURN(const std::string json, files->ReadAll(path));
    absl::StatusOr<Checkpoint> checkpoint = DecodeCheckpoint(json);
    if (!checkpoint.ok()) {
      return absl::DataLossError(absl::StrCat(path, ": ", checkpoint.status().message(),
                                              "; remove the file to read its input again"));
    }
    std::string input = checkpoint->path;
    store->by_path_.insert_or_assign(std::move(input), *std::move(checkpoint));
  }
  return store;
}

const Checkpoint* CheckpointStore::Find(const std::string& path) const {
  const auto at = by_path_.find(path);
  return at == by_path_.end() ? nullptr : &at->second;
}

std::vector<Checkpoint> CheckpointStore::Relatives(const std::string& path,
                                                   const FileIdentity& identity) const {
  std::vector<Checkpoint> relatives;
  for (const auto& [other, checkpoint] : by_path_) {
    if (other == path || checkpoint.offset == 0) continue;
    const bool same_inode = checkpoint.identity.inode == identity.inode &&
                            checkpoint.identity.device == identity.device;
    if (same_inode || InOneSeries(path, other)) relatives.push_back(checkpoint);
  }
  return relatives;
}

absl::Status CheckpointStore::Put(const Checkpoint& checkpoint) {
  const std::string path = absl::StrCat(folder_, "/", FileNameOf(checkpoint.path));
  RETURN_IF_ERROR(files_->WriteAtomically(path, AsBytes(EncodeCheckpoint(checkpoint))));
  by_path_.try_emplace(checkpoint.path, checkpoint);
  return absl::OkStatus();
}

void CheckpointStore::Assume(Checkpoint checkpoint) {
  std::string path = checkpoint.path;
  by_path_.insert_or_assign(std::move(path), std::move(checkpoint));
}

void CheckpointStore::NoteUnreadable(const absl::Status& why) {
  ++unreadable_count_;
  unreadable_reason_ = why;
}

bool InOneSeries(const std::string& path, const std::string& other) {
  const size_t slash = path.rfind('/');
  const size_t other_slash = other.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  const size_t other_name = other_slash == std::string::npos ? 0 : other_slash + 1;
  if (path.compare(0, name, other, 0, other_name) != 0) return false;
  const std::string stem = path.substr(name, path.find('.', name) - name);
  const std::string other_stem = other.substr(other_name, other.find('.', other_name) - other_name);
  return !stem.empty() && stem == other_stem;
}

}  // namespace vigil::client
