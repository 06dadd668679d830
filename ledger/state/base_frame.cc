#include "ledger/state/base_frame.h"

#include "absl/strings/str_cat.h"

namespace vigil::ledger {
namespace {

constexpr uint16_t kFormat = 1;

}  // namespace

BaseFrame BaseOf(const Tip& tip, const Hash& snapshot_digest) {
  BaseFrame base;
  base.block = {.height = tip.height, .view = tip.view, .hash = tip.block_hash};
  base.executed_in_header = tip.executed_in_header;
  base.time_unix_millis = tip.time_unix_millis;
  base.tree_size = tip.tree.size();
  base.tree_root = tip.tree.Root();
  base.seal_leaf = tip.seal_leaf;
  base.state_digest = tip.state_digest;
  base.snapshot_digest = snapshot_digest;
  return base;
}

std::string EncodeBaseFrame(const BaseFrame& base) {
  std::string out;
  ByteWriter(&out)
      .U16(kFormat)
      .U64(base.base_offset)
      .U64(base.block.height.value())
      .U64(base.block.view.value())
      .Fixed(base.block.hash)
      .U64(base.executed_in_header.value())
      .U64(base.time_unix_millis)
      .U64(base.tree_size)
      .Fixed(base.tree_root)
      .Fixed(base.seal_leaf)
      .Fixed(base.state_digest)
      .Fixed(base.snapshot_digest);
  return out;
}

absl::StatusOr<BaseFrame> DecodeBaseFrame(absl::string_view bytes) {
  ByteReader reader(bytes);
  const uint16_t format = reader.U16();
  BaseFrame base;
  base.base_offset = reader.U64();
  base.block.height = Height(reader.U64());
  base.block.view = View(reader.U64());
  base.block.hash = reader.ReadHash();
  base.executed_in_header = Height(reader.U64());
  base.time_unix_millis = reader.U64();
  base.tree_size = reader.U64();
  base.tree_root = reader.ReadHash();
  base.seal_leaf = reader.ReadHash();
  base.state_digest = reader.ReadHash();
  base.snapshot_digest = reader.ReadHash();
  const absl::Status finished = reader.Finish("base frame");
  if (!finished.ok()) return absl::DataLossError(finished.message());
  if (format != kFormat || base.block.height == Height(0)) {
    return absl::DataLossError(
        absl::StrCat("base frame of format ", format, " at height ", base.block.height.value()));
  }
  return base;
}

}  // namespace vigil::ledger
