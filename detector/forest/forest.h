// Isolation forest on integers (Liu, Ting and Zhou, "Isolation Forest", ICDM 2008).
//
// Each tree is grown on sample_rows rows drawn without replacement: a feature uniform among those
// that vary in the node, a threshold t uniform in [min, max - 1], rows with x <= t to the left;
// until a node has one row, or only equal rows, or lies at depth ceil(log2(sample_rows)).
// Everything is integer and every draw comes from the seed, in this order: per tree (stream
// kTree, tree) the sample, then each node in preorder: feature, threshold.
// Immutable after Grow() or Read(); thread-safe.
#ifndef VIGIL_DETECTOR_FOREST_FOREST_H_
#define VIGIL_DETECTOR_FOREST_FOREST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "detector/features/codec.h"
#include "detector/features/hash.h"
#include "detector/features/schema.h"
#include "detector/forest/path_length.h"

namespace vigil::detector {

inline constexpr uint32_t kTreesMax = 500;
inline constexpr size_t kForestFeaturesMax = 255;

class Forest {
 public:
  // Args:
  //   rows: shape (rows, features), any int32; at least 1 row, 1 to kForestFeaturesMax features.
  //   trees: 1 to kTreesMax.
  //   sample_rows: at least 1; cut to the number of rows and to kSampleRowsMax.
  static Forest Grow(const FeatureMatrix& rows, const Digest& seed, uint32_t trees,
                     uint32_t sample_rows, Hash32 hash);

  // Sum over the trees of c(sample_rows) - path length of `row`, 1/65536 edge: how much sooner
  // than average it is isolated. Larger is stranger; above 0 is shorter than average.
  // REQUIRES: row has feature_count() values.
  int64_t StrangenessQ16(const int32_t* row) const;

  // Adds to credit_q8[f] the bits by which splits on f isolated `row` faster than halving would:
  // lg(rows before / rows after) - 1 where that is positive, summed over all trees.
  void AddCredit(const int32_t* row, std::span<int64_t> credit_q8) const;

  uint32_t tree_count() const { return static_cast<uint32_t>(tree_begin_.size()); }
  uint32_t sample_rows() const { return sample_rows_; }
  uint32_t feature_count() const { return feature_count_; }
  size_t node_count() const { return nodes_.size(); }

  // u16 trees | u16 sample rows | u8 features | per tree its nodes in preorder:
  // inner node u8 feature, i32 threshold; leaf ff, u16 rows.
  void Write(LittleEndianWriter* writer) const;
  // Nothing unless the bytes are those of full binary trees within all limits.
  static std::optional<Forest> Read(LittleEndianReader* reader);

 private:
  // Eight bytes. The left child of an inner node follows it; the right child follows the left
  // subtree, which with L leaves has 2L - 1 nodes.
  struct Node {
    static constexpr uint32_t kLeaf = 255;

    int32_t value;    // Inner: threshold. Leaf: depth + c(rows), 1/65536 edge.
    uint32_t packed;  // feature or kLeaf << 24 | (rows - 1) << 12 | left leaves.

    uint32_t feature() const { return packed >> 24; }
    uint32_t rows() const { return ((packed >> 12) & 0xfff) + 1; }
    uint32_t right_offset() const { return 2 * (packed & 0xfff); }
  };
  static_assert(sizeof(Node) == 8);
  class Grower;
  struct Subtree {
    uint32_t leaves;
    uint32_t rows;
  };

  Forest(uint32_t sample_rows, uint32_t feature_count);
  void PushLeaf(uint32_t rows, uint32_t depth);
  std::optional<Subtree> ReadSubtree(LittleEndianReader* reader, uint32_t depth);
  // A row with something at kLeaf that exceeds every value, so that a step from a leaf stays there:
  // it has no left leaves. Then trees of any shape take depth_max_ steps, without a branch.
  class PaddedRow;
  static const Node* Step(const Node* node, const int32_t* padded) {
    const uint32_t right = -static_cast<uint32_t>(padded[node->feature()] > node->value);
    return node + ((node->right_offset() & right) | (1 & ~right));
  }
  // Trees that are walked side by side, which hides how long each step takes.
  static constexpr size_t kLanes = 8;
  using Lanes = std::array<const Node*, kLanes>;
  // The roots of the trees from `first` on; those beyond the last are the last once more.
  Lanes RootsFrom(size_t first) const;

  uint32_t sample_rows_;
  uint32_t feature_count_;
  uint32_t depth_max_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> tree_begin_;
};

}  // namespace vigil::detector

#endif  // VIGIL_DETECTOR_FOREST_FOREST_H_
