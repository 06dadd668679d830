#include "node/keep/data_export.h"

#include <google/protobuf/util/json_util.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/payload.h"
#include "ledger/chain/result.h"
#include "ledger/log/merkle.h"
#include "ledger/state/chain_reader.h"
#include "ledger/state/journal_block.h"
#include "ledger/storage/journal.h"
#include "ledger/storage/leveldb_store.h"
#include "ledger/storage/overlay_file_system.h"
#include "node/driver/recovery.h"
#include "node/keep/folder.h"
#include "vigil/v1/event.pb.h"

namespace vigil::node {
namespace {

using ledger::FileSystem;
using ledger::JournalReader;

constexpr size_t kPieceBytes = 1024 * 1024;

// What all events of a batch have in common: the beginning of a JSON object, which goes on.
absl::StatusOr<std::string> BatchText(const ledger::ChainReader& reader, Height height,
                                      const ledger::RecordView& record,
                                      const ledger::EventBatchBody& batch,
                                      const ledger::RecordResult& result) {
  ASSIGN_OR_RETURN(const ledger::IdentityInfo author, reader.FindKey(record.author));
  nlohmann::ordered_json json;
  json["height"] = absl::StrCat(height.value());
  json["record"] = absl::StrCat(result.index.value());
  json["result"] = std::string(ledger::ResultCodeName(result.code));
  json["author"] = author.identity;
  json["stream"] = std::string(batch.stream);
  json["sequence"] = absl::StrCat(batch.sequence);
  std::string text = json.dump();
  text.pop_back();
  return text;
}

class Exporter {
 public:
  Exporter(FileSystem* files, const ExportRequest& request) : files_(files), request_(request) {}

  absl::StatusOr<ExportReport> Run(const std::function<void(Height done, Height last)>& progress) {
    ledger::OverlayFileSystem overlay(files_);
    absl::Status damage;
    ledger::JournalId id;
    ASSIGN_OR_RETURN(
        const std::shared_ptr<const JournalReader> journal,
        ledger::OpenJournalForReading(files_, request_.data_dir + "/journal", &damage, &id));
    RETURN_IF_ERROR(OwnerOf(id, *request_.genesis).status());
    ASSIGN_OR_RETURN(const std::shared_ptr<ledger::Store> store,
                     ledger::OpenLevelDbStore(&overlay, request_.data_dir + "/state", {}));
    const ledger::ChainReader reader(store);
    ASSIGN_OR_RETURN(const ledger::Tip tip, reader.GetTip());
    const std::string part = request_.file + ".part";
    if (files_->Exists(part)) RETURN_IF_ERROR(files_->Remove(part));
    ASSIGN_OR_RETURN(out_, files_->OpenAppend(part));
    for (uint64_t height = 1; height <= tip.height.value(); ++height) {
      RETURN_IF_ERROR(AddBlock(*journal, reader, Height(height)));
      if (buffer_.size() >= kPieceBytes) RETURN_IF_ERROR(Flush());
      if (progress) progress(Height(height), tip.height);
    }
    RETURN_IF_ERROR(Flush());
    RETURN_IF_ERROR(out_->Sync());
    RETURN_IF_ERROR(files_->Rename(part, request_.file));
    const size_t slash = request_.file.rfind('/');
    RETURN_IF_ERROR(files_->SyncDir(slash == std::string::npos ? "."
                                    : slash == 0               ? "/"
                                                               : request_.file.substr(0, slash)));
    return ExportReport{.height = tip.height, .events = events_, .pruned = pruned_};
  }

 private:
  absl::Status AddBlock(const JournalReader& journal, const ledger::ChainReader& reader,
                        Height height) {
    ASSIGN_OR_RETURN(const ledger::BlockInfo info, reader.GetBlock(height));
    ASSIGN_OR_RETURN(const std::vector<ledger::RecordResult> results, reader.GetResults(height));
    ASSIGN_OR_RETURN(JournalReader::Frame frame, journal.Read(info.position));
    ASSIGN_OR_RETURN(const ledger::BlockPtr block, ledger::DecodeJournalBlock(std::move(frame)));
    if (block->hash() != info.hash || block->records().size() != results.size()) {
      return absl::DataLossError(absl::StrCat("journal offset ", info.position.offset,
                                              ": not the block that the state names at height ",
                                              height.value()));
    }
    if (block->pruned()) {
      for (const ledger::Block::Entry& entry : block->records()) {
        pruned_ += entry.event_leaves.size() / Hash::size();
      }
      return absl::OkStatus();
    }
    for (size_t i = 0; i < results.size(); ++i) {
      ASSIGN_OR_RETURN(const ledger::RecordView record,
                       ledger::DecodeRecord(block->records()[i].leaf));
      const auto* const batch = std::get_if<ledger::EventBatchBody>(&record.body);
      if (batch == nullptr) continue;
      const ByteSpan payload = block->records()[i].payload;
      const absl::Status sound = ledger::CheckPayload(*batch, payload, nullptr);
      if (!sound.ok()) {
        return absl::DataLossError(
            absl::StrCat("record ", results[i].index.value(), ": ", sound.message()));
      }
      ASSIGN_OR_RETURN(const std::string common,
                       BatchText(reader, height, record, *batch, results[i]));
      RETURN_IF_ERROR(AddEvents(common, payload));
    }
    return absl::OkStatus();
  }

  absl::Status AddEvents(const std::string& common, ByteSpan payload) {
    ASSIGN_OR_RETURN(const std::vector<ByteSpan> events, ledger::SplitPayload(payload));
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    for (size_t item = 0; item < events.size(); ++item) {
      std::string json;
      if (!event_.ParseFromArray(events[item].data(), static_cast<int>(events[item].size())) ||
          !google::protobuf::util::MessageToJsonString(event_, &json, options).ok()) {
        return absl::DataLossError("an event that is canonical but cannot be written as JSON");
      }
      absl::StrAppend(&buffer_, common, ",\"item\":", item, ",\"leaf_hash\":\"",
                      ledger::LeafHash(events[item]).ToHex(), "\",\"event\":", json, "}\n");
      ++events_;
    }
    return absl::OkStatus();
  }

  absl::Status Flush() {
    RETURN_IF_ERROR(out_->Append(AsBytes(buffer_)));
    buffer_.clear();
    return absl::OkStatus();
  }

  FileSystem* const files_;
  const ExportRequest& request_;
  std::unique_ptr<ledger::AppendFile> out_;
  std::string buffer_;
  v1::Event event_;
  uint64_t events_ = 0;
  uint64_t pruned_ = 0;
};

}  // namespace

absl::StatusOr<ExportReport> ExportEvents(
    FileSystem* files, const ExportRequest& request,
    const std::function<void(Height done, Height last)>& progress) {
  if (files->Exists(request.file)) {
    return absl::AlreadyExistsError(absl::StrCat(request.file, ": is there already"));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<void> lock, LockFolder(files, request.data_dir));
  RETURN_IF_ERROR(CheckNoRestore(*files, request.data_dir));
  return Exporter(files, request).Run(progress);
}

}  // namespace vigil::node
