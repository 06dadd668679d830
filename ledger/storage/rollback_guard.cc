// The rollback guard's file; docs/formats/journal.md draws it.
#include <string>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"
#include "ledger/storage/crc32c.h"
#include "ledger/storage/journal.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kMagic = "VigilGrd";
constexpr uint32_t kFormat = 1;
constexpr size_t kCrcBytes = 4;

}  // namespace

absl::Status SaveRollbackGuard(FileSystem* files, const std::string& path,
                               const RollbackGuard& guard) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.Raw(kMagic).U32(kFormat).Fixed(guard.journal_id);
  writer.U64(guard.epoch).U64(guard.view).U64(guard.durable_offset);
  writer.U32(Crc32c(AsBytes(bytes)));
  return files->WriteAtomically(path, AsBytes(bytes));
}

absl::StatusOr<RollbackGuard> LoadRollbackGuard(FileSystem* files, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, files->ReadAll(path));
  ByteReader reader(bytes);
  const ByteSpan magic = reader.Raw(kMagic.size());
  const uint32_t format = reader.U32();
  RollbackGuard guard;
  guard.journal_id = reader.FixedValue<JournalId>();
  guard.epoch = reader.U64();
  guard.view = reader.U64();
  guard.durable_offset = reader.U64();
  const uint32_t crc = reader.U32();
  if (!reader.Finish("rollback guard").ok() || AsView(magic) != kMagic ||
      crc != Crc32c(AsBytes(bytes).first(bytes.size() - kCrcBytes))) {
    return absl::DataLossError(absl::StrCat("rollback guard ", path, " is damaged"));
  }
  if (format != kFormat) {
    return absl::DataLossError(absl::StrCat("rollback guard ", path, " has format ", format,
                                            "; this program reads ", kFormat));
  }
  return guard;
}

}  // namespace vigil::ledger
