#include "tests/sim/index_check.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "ledger/base/random.h"
#include "ledger/chain/scanner.h"
#include "vigil/v1/event.pb.h"

namespace vigil::sim {
namespace {

constexpr int kQueries = 12;
constexpr int kPagesMax = 10'000;

struct ModelEvent {
  ledger::EventPosition position;
  std::string bytes;
  v1::Event event;
};

// docs/formats.md, Payload: u32 count, the sizes, the events back to back.
std::vector<std::string> SplitByHand(ByteSpan payload) {
  const auto number = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) value = value << 8 | payload[i];
    return value;
  };
  std::vector<std::string> events;
  const uint32_t count = number(0);
  size_t offset = 4 + size_t{4} * count;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t size = number(4 + size_t{4} * i);
    events.push_back(ToString(payload.subspan(offset, size)));
    offset += size;
  }
  return events;
}

std::string ReadModel(const node::Node& node, std::vector<ModelEvent>* model) {
  for (Height height(1); height <= node.Status().executed; height = height.Next()) {
    const auto block = node.LoadBlock(height);
    if (!block.ok()) return block.status().ToString();
    const auto results = node.Snapshot()->GetResults(height);
    if (!results.ok()) return results.status().ToString();
    for (size_t i = 0; i < results->size(); ++i) {
      const ByteSpan payload = (*block)->records()[i].payload;
      if (payload.empty() || (*results)[i].code != ledger::ResultCode::kOk) continue;
      uint32_t item = 0;
      for (std::string& bytes : SplitByHand(payload)) {
        ModelEvent each;
        each.position = {
            .record = (*results)[i].index, .item = ItemIndex(item++), .height = height};
        if (!each.event.ParseFromString(bytes)) return "an event that protobuf does not read";
        each.bytes = std::move(bytes);
        model->push_back(std::move(each));
      }
    }
  }
  return "";
}

class ModelLoader final : public ledger::EventLoader {
 public:
  explicit ModelLoader(const std::vector<ModelEvent>& model) {
    for (const ModelEvent& each : model) events_[Key(each.position)] = &each;
  }
  absl::StatusOr<bool> Load(const ledger::EventPosition& position, EventView* view) override {
    const auto found = events_.find(Key(position));
    if (found == events_.end()) return absl::InternalError("the index names no event");
    const absl::Status read = ledger::ScanEvent(AsBytes(found->second->bytes), view);
    if (!read.ok()) return read;
    return true;
  }

 private:
  static std::pair<uint64_t, uint32_t> Key(const ledger::EventPosition& position) {
    return {position.record.value(), position.item.value()};
  }
  std::map<std::pair<uint64_t, uint32_t>, const ModelEvent*> events_;
};

ledger::EventQuery DrawQuery(const std::vector<ModelEvent>& model, SplitMix64* random) {
  ledger::EventQuery query;
  const v1::Event& like = model[random->Below(model.size())].event;
  if (random->Chance(600)) {
    query.addresses.push_back(random->Chance(500) ? like.dst().ip() : like.src().ip());
  }
  if (random->Chance(200)) query.addresses.push_back(std::string({10, 9, 9, 9}));
  if (random->Chance(300)) query.sources.push_back(random->Chance(700) ? like.source() : "none");
  if (random->Chance(300))
    query.class_uids.push_back(static_cast<uint32_t>(random->Below(2)) + 4001);
  if (random->Chance(300)) query.severity_min = static_cast<uint32_t>(random->Below(3));
  if (random->Chance(400)) {
    query.from_unix_nano = like.time_unix_nano();
    if (random->Chance(500))
      query.to_unix_nano = query.from_unix_nano + 1 + random->Below(1ULL << 34);
  }
  return query;
}

bool Fits(const ledger::EventQuery& query, const v1::Event& event) {
  const auto any = [](const auto& values, const auto& is) {
    return values.empty() || std::any_of(values.begin(), values.end(), is);
  };
  return event.time_unix_nano() >= query.from_unix_nano &&
         (query.to_unix_nano == 0 || event.time_unix_nano() < query.to_unix_nano) &&
         event.severity_id() >= query.severity_min &&
         any(query.class_uids, [&](uint32_t uid) { return event.type_uid() / 100 == uid; }) &&
         any(query.sources, [&](const std::string& source) { return event.source() == source; }) &&
         any(query.addresses, [&](const std::string& ip) {
           return event.src().ip() == ip || event.dst().ip() == ip || event.device().ip() == ip;
         });
}

// All pages of one node's answer.
std::string AskAll(const node::Node& node, const ledger::EventQuery& query, uint32_t limit,
                   bool newest_first, ModelLoader* loader,
                   std::vector<ledger::EventPosition>* found) {
  ledger::SearchPage page;
  page.limit = limit;
  page.newest_first = newest_first;
  for (int i = 0; i < kPagesMax; ++i) {
    const auto result = node.index().Search(query, page, loader);
    if (!result.ok()) return result.status().ToString();
    found->insert(found->end(), result->events.begin(), result->events.end());
    if (result->next_cursor.empty()) return "";
    page.cursor = result->next_cursor;
  }
  return "an answer without end";
}

}  // namespace

std::string CheckIndexes(SimCluster* cluster, const std::vector<bool>& damaged, uint64_t seed,
                         uint64_t* queries) {
  uint32_t sound = 0;
  while (sound < cluster->size() && (damaged[sound] || cluster->node(sound) == nullptr)) ++sound;
  std::vector<ModelEvent> model;
  std::string wrong = ReadModel(*cluster->node(sound), &model);
  if (!wrong.empty() || model.empty()) return wrong;
  ModelLoader loader(model);
  SplitMix64 random(seed ^ 0x696e646578);
  for (int q = 0; q < kQueries; ++q) {
    const ledger::EventQuery query = DrawQuery(model, &random);
    const auto limit = static_cast<uint32_t>(1 + random.Below(200));
    const bool newest_first = random.Chance(500);
    for (uint32_t i = 0; i < cluster->size(); ++i) {
      const node::Node* node = cluster->node(i);
      if (node == nullptr) continue;
      std::vector<ledger::EventPosition> expected;
      for (const ModelEvent& each : model) {
        if (each.position.height < node->index().first_height()) continue;
        if (Fits(query, each.event)) expected.push_back(each.position);
      }
      if (newest_first) std::reverse(expected.begin(), expected.end());
      std::vector<ledger::EventPosition> found;
      wrong = AskAll(*node, query, limit, newest_first, &loader, &found);
      if (wrong.empty() && found != expected) {
        wrong = absl::StrCat("finds ", found.size(), " events where ", expected.size(), " are");
      }
      if (!wrong.empty()) return absl::StrCat("index of node ", i, ", query ", q, ": ", wrong);
      ++*queries;
    }
  }
  return "";
}

}  // namespace vigil::sim
