#include "node/detect/model_store.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "detector/model/model.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "node/detect/detect_convert.h"

namespace vigil::node {
namespace {

using ledger::StoreBatch;

constexpr absl::string_view kStateKey = "state";
constexpr absl::string_view kEntitiesKey = "entities";
constexpr absl::string_view kDutiesKey = "duties";
constexpr absl::string_view kModelPrefix = "model/";
constexpr absl::string_view kModelEnd = "model0";  // '0' follows '/'.
constexpr absl::string_view kArchivePrefix = "archive/";
constexpr absl::string_view kArchiveEnd = "archive0";
constexpr size_t kArchiveKeyBytes = kArchivePrefix.size() + 8 + 4 + 32;
constexpr absl::string_view kCheckpointPrefix = "checkpoint/";
constexpr absl::string_view kCheckpointEnd = "checkpoint0";

std::string KeyOf(const ModelKey& model) {
  std::string key(kModelPrefix);
  ByteWriter(&key).U32(static_cast<uint32_t>(model.first)).U64(model.second);
  return key;
}

std::string KeyOf(Height checkpoint) {
  std::string key(kCheckpointPrefix);
  ByteWriter(&key).U64(checkpoint.value());
  return key;
}

absl::StatusOr<ModelStore::Checkpoints> LoadCheckpoints(const ledger::StoreReader& store) {
  ModelStore::Checkpoints checkpoints;
  absl::Status damage;
  RETURN_IF_ERROR(store.Scan(kCheckpointPrefix, kCheckpointEnd, /*reverse=*/false,
                             [&](absl::string_view key, absl::string_view value) {
                               ByteReader height(key.substr(kCheckpointPrefix.size()));
                               ByteReader digest(value);
                               checkpoints[Height(height.U64())] = digest.ReadHash();
                               damage = height.Finish("checkpoint key");
                               damage.Update(digest.Finish("checkpoint digest"));
                               return damage.ok();
                             }));
  if (!damage.ok()) return absl::DataLossError(damage.message());
  return checkpoints;
}

}  // namespace

absl::StatusOr<ModelStore::Contents> ModelStore::Load() {
  Contents contents;
  ASSIGN_OR_RETURN(const std::optional<std::string> state, store_->Get(kStateKey));
  ASSIGN_OR_RETURN(const std::optional<std::string> duties, store_->Get(kDutiesKey));
  ASSIGN_OR_RETURN(std::optional<std::string> entities, store_->Get(kEntitiesKey));
  if (state.has_value()) contents.state = *state;
  if (entities.has_value()) contents.entities = *std::move(entities);
  if (duties.has_value()) {
    std::optional<Duties> decoded = Duties::Decode(*duties);
    if (!decoded.has_value()) return absl::DataLossError("detector duties are damaged");
    contents.duties = *std::move(decoded);
  }
  absl::Status damage;
  RETURN_IF_ERROR(store_->Scan(
      kModelPrefix, kModelEnd, /*reverse=*/false,
      [&](absl::string_view key, absl::string_view value) {
        ByteReader reader(key.substr(kModelPrefix.size()));
        const uint32_t type = reader.U32();
        const ModelKey model = {static_cast<detector::EventType>(type), reader.U64()};
        damage = reader.Finish("model key");
        if (!damage.ok() || type < 1 || type > detector::kEventTypes.size()) {
          damage = absl::DataLossError(absl::StrCat("detector model key of type ", type));
          return false;
        }
        contents.models.push_back({.key = model, .bytes = std::string(value)});
        stored_.insert(model);
        return true;
      }));
  RETURN_IF_ERROR(damage);
  RETURN_IF_ERROR(store_->Scan(kArchivePrefix, kArchiveEnd, /*reverse=*/false,
                               [&](absl::string_view key, absl::string_view) {
                                 if (key.size() == kArchiveKeyBytes) archived_.emplace(key);
                                 return true;
                               }));
  ASSIGN_OR_RETURN(contents.checkpoints, LoadCheckpoints(*store_));
  stored_checkpoints_ = contents.checkpoints;
  return contents;
}

absl::Status ModelStore::Save(absl::string_view state,
                              const std::optional<std::vector<uint8_t>>& entities,
                              const Duties& duties, const std::vector<Model>& models,
                              const std::set<ModelKey>& kept, const Checkpoints& checkpoints) {
  StoreBatch batch;
  batch.Put(kStateKey, state);
  if (entities.has_value()) batch.Put(kEntitiesKey, absl::string_view(ToString(*entities)));
  batch.Put(kDutiesKey, duties.Encode());
  std::set<ModelKey> left;
  for (const Model& model : models) {
    batch.Put(KeyOf(model.key), model.bytes);
    left.insert(model.key);
  }
  for (const ModelKey& stored : stored_) {
    if (kept.contains(stored)) {
      left.insert(stored);
    } else if (!left.contains(stored)) {
      RETURN_IF_ERROR(Archive(stored, &batch));
      batch.Delete(KeyOf(stored));
    }
  }
  for (const auto& [height, digest] : stored_checkpoints_) {
    if (!checkpoints.contains(height)) batch.Delete(KeyOf(height));
  }
  for (const auto& [height, digest] : checkpoints) {
    const auto stored = stored_checkpoints_.find(height);
    if (stored != stored_checkpoints_.end() && stored->second == digest) continue;
    batch.Put(KeyOf(height), absl::string_view(ToString(digest.bytes)));
  }
  RETURN_IF_ERROR(store_->Write(batch));
  stored_checkpoints_ = checkpoints;
  stored_ = std::move(left);
  return absl::OkStatus();
}

absl::Status ModelStore::Archive(const ModelKey& key, StoreBatch* batch) {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store_->Get(KeyOf(key)));
  if (!bytes.has_value()) return absl::OkStatus();
  std::string archived(kArchivePrefix);
  ByteWriter(&archived)
      .U64(key.second)
      .U32(static_cast<uint32_t>(key.first))
      .Fixed(AsHash(detector::Model::DigestOf(AsBytes(*bytes), &ledger::Sha256Bytes)));
  batch->Put(archived, *bytes);
  archived_.insert(std::move(archived));
  while (archived_.size() > kModelsArchivedMax) {
    batch->Delete(*archived_.begin());
    archived_.erase(archived_.begin());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ModelStore::LoadArchived(const Hash& digest) const {
  std::optional<std::string> found;
  RETURN_IF_ERROR(store_->Scan(kArchivePrefix, kArchiveEnd, /*reverse=*/true,
                               [&](absl::string_view key, absl::string_view value) {
                                 if (absl::EndsWith(key, digest.view())) found = std::string(value);
                                 return !found.has_value();
                               }));
  if (found.has_value()) return *std::move(found);
  return absl::NotFoundError(absl::StrCat("model ", digest.ToHex(), " is not kept here"));
}

absl::StatusOr<std::string> ModelStore::LoadModel(const ModelKey& key) const {
  ASSIGN_OR_RETURN(std::optional<std::string> bytes, store_->Get(KeyOf(key)));
  if (bytes.has_value()) return *std::move(bytes);
  return absl::NotFoundError(
      absl::StrCat("model of type ", static_cast<uint32_t>(key.first), " and period ", key.second));
}

absl::Status ModelStore::Clear() {
  StoreBatch batch;
  RETURN_IF_ERROR(
      store_->Scan("", "", /*reverse=*/false, [&](absl::string_view key, absl::string_view) {
        if (!absl::StartsWith(key, kArchivePrefix)) batch.Delete(key);
        return true;
      }));
  stored_.clear();
  stored_checkpoints_.clear();
  return store_->Write(batch);
}

}  // namespace vigil::node
