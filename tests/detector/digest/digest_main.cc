// Prints one digest of models, scores and explanations on generated rows and events. digest.py
// builds it many ways, also for other CPUs, and compares: so the core and nothing else is linked.
#include <cstdio>
#include <string>
#include <vector>

#include "detector/features/codec.h"
#include "detector/features/event_schema.h"
#include "detector/model/model.h"
#include "ledger/base/random.h"
#include "tests/detector/support/sha256.h"
#include "tests/detector/support/synthetic.h"

namespace vigil::detector {
namespace {

using testing::Sha256;

// Every kind of feature; values of every size, negative ones and missing ones.
Schema TableSchema() {
  return Schema(
      0,
      {{"bytes", FeatureKind::kCounter},
       {"score", FeatureKind::kMeasure},
       {"share", FeatureKind::kLinear},
       {"host", FeatureKind::kCategory},
       {"state", FeatureKind::kCategory},
       {"flag", FeatureKind::kCategory}},
      {{"host+state", {"host", "state"}}, {"host+state+flag", {"host", "state", "flag"}}});
}

RawTable TableRows(uint64_t seed, int rows) {
  SplitMix64 random(seed);
  RawTable table(rows, 6);
  for (int i = 0; i < rows; ++i) {
    table(i, 0) = static_cast<int64_t>(random.Below(uint64_t{1} << random.Below(60)));
    table(i, 1) = static_cast<int64_t>(random.Next()) >> random.Below(60);
    table(i, 2) = static_cast<int64_t>(random.Below(300));
    table(i, 3) = static_cast<int64_t>(random.Next() >> random.Below(60));
    table(i, 4) = static_cast<int64_t>(random.Below(5));
    table(i, 5) = static_cast<int64_t>(random.Below(2));
    if (random.Chance(50)) table(i, static_cast<int>(random.Below(6))) = kMissing;
  }
  return table;
}

RawTable EventRows(EventType type, uint64_t kind, uint64_t seed, int rows) {
  SplitMix64 random(seed);
  RawTable table(rows, static_cast<int>(EventSchema(type).field_count()));
  testing::OwnedEvent event;
  RowBuffer buffer;
  for (int i = 0; i < rows; ++i) {
    testing::FillEvent(&random, kind, &event);
    const std::span<const int64_t> row = ReadRow(event.view, type, Sha256, &buffer);
    std::copy(row.begin(), row.end(), table.row(i).data());
  }
  return table;
}

// Appends model, scores and explanations; returns whether a model came about.
bool Append(const Schema& schema, const RawTable& window, const RawTable& probes,
            LittleEndianWriter* all) {
  const std::optional<Model> model =
      Model::Train(schema, window, Sha256("digest"), Parameters{}, Sha256);
  if (!model) return false;
  all->Raw(model->Serialize());
  for (int i = 0; i < probes.rows(); ++i) {
    const Score score = model->ExplainRow({probes.row(i).data(), schema.field_count()});
    all->U32(score.score_q8).U8(static_cast<uint8_t>(score.component));
    for (const Reason& reason : score.reasons) all->U16(reason.feature).U32(reason.bits_q8);
  }
  return true;
}

}  // namespace
}  // namespace vigil::detector

int main() {
  using namespace vigil::detector;
  LittleEndianWriter all;
  const bool trained =
      Append(TableSchema(), TableRows(1, 2000), TableRows(2, 400), &all) &&
      Append(EventSchema(EventType::kFlow), EventRows(EventType::kFlow, 0, 3, 1500),
             EventRows(EventType::kFlow, 0, 4, 300), &all) &&
      Append(EventSchema(EventType::kApplication), EventRows(EventType::kApplication, 1, 5, 1000),
             EventRows(EventType::kApplication, 1, 6, 300), &all);
  if (!trained) return 1;
  std::printf("%s\n", testing::Hex(Sha256(all.bytes())).c_str());
  return 0;
}
