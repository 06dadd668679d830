#include "node/log/cosign_guard.h"

#include "absl/strings/str_cat.h"

namespace vigil::node {
namespace {

constexpr uint16_t kFormat = 1;

}  // namespace

std::string EncodeCosignGuard(const CosignGuard& guard) {
  std::string bytes;
  ByteWriter(&bytes).U16(kFormat).U64(guard.size).Fixed(guard.root).U64(guard.floor.value());
  return bytes;
}

absl::StatusOr<CosignGuard> DecodeCosignGuard(absl::string_view bytes) {
  ByteReader reader(bytes);
  const uint16_t format = reader.U16();
  CosignGuard guard;
  guard.size = reader.U64();
  guard.root = reader.ReadHash();
  guard.floor = Height(reader.U64());
  const absl::Status status = reader.Finish("cosigner's guard");
  if (!status.ok()) return absl::DataLossError(status.message());
  if (format == kFormat) return guard;
  return absl::DataLossError(
      absl::StrCat("cosigner's guard has format ", format, "; this program reads ", kFormat));
}

}  // namespace vigil::node
