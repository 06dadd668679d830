// Kinds, roles and domain tags, also against the tables of docs/formats.md.
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ledger/chain/kinds.h"
#include "ledger/chain/record.h"
#include "ledger/chain/tags.h"
#include "tests/ledger/chain/chain_samples.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

using samples::SampleBodies;

constexpr absl::string_view kAllTags[] = {kGenesisTag, kChainIdTag,      kRecordTag,
                                          kHeaderTag,  kProposalTag,     kWriteSetTag,
                                          kStateTag,   kValidatorSetTag, kRevealTag};

// The cells of every table row of docs/formats.md.
std::vector<std::vector<std::string>> TableRows() {
  std::ifstream file(absl::StrCat(VIGIL_SOURCE_DIR, "/docs/formats.md"));
  std::vector<std::vector<std::string>> rows;
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("| ", 0) != 0) continue;
    std::vector<std::string> cells;
    for (absl::string_view cell : absl::StrSplit(line, '|')) {
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
    rows.push_back(cells);
  }
  return rows;
}

std::string LaneName(Lane lane) {
  switch (lane) {
    case Lane::kGovernance:
      return "governance";
    case Lane::kAlerts:
      return "alerts";
    case Lane::kEvents:
      return "events";
  }
  return "";
}

}  // namespace

TEST_CASE("kinds: numbers and names are unique and in order", "[kinds]") {
  std::set<absl::string_view> names;
  int number = 0;
  for (const KindInfo& info : AllKinds()) {
    CHECK(static_cast<int>(info.kind) == ++number);
    CHECK(names.insert(info.name).second);
    CHECK(FindKind(static_cast<uint8_t>(number)) == &info);
    CHECK(info.body_bytes_max <= kRecordBodyBytesMax);
    CHECK(&KindOf(info.kind) == &info);
  }
  CHECK(number == 26);
  CHECK(FindKind(0) == nullptr);
  CHECK(FindKind(27) == nullptr);
  CHECK(FindKind(255) == nullptr);
}

TEST_CASE("kinds: exactly the kinds with a body are admitted and only batches have a payload",
          "[kinds]") {
  std::set<RecordKind> with_body;
  for (const RecordBody& body : SampleBodies()) with_body.insert(KindOfBody(body));
  for (const KindInfo& info : AllKinds()) {
    CHECK(info.admitted == (with_body.count(info.kind) == 1));
    CHECK(info.has_payload == (info.kind == RecordKind::kEventBatch));
  }
}

TEST_CASE("kinds: roles have names both ways", "[kinds]") {
  for (uint32_t bit = 1; bit <= static_cast<uint32_t>(Role::kService); bit <<= 1) {
    const Role role = static_cast<Role>(bit);
    CHECK(RoleName(role) != "none");
    CHECK(FindRole(RoleName(role)) == role);
  }
  CHECK(FindRole("none") == Role::kNone);
  CHECK(FindRole("Sensor") == Role::kNone);
  CHECK(RoleName(Role::kNone) == "none");
}

TEST_CASE("tags: every tag is its text and one zero byte", "[tags]") {
  for (absl::string_view tag : kAllTags) {
    CHECK(tag.substr(0, 6) == "vigil/");
    CHECK(tag.find('\0') == tag.size() - 1);
  }
}

TEST_CASE("kinds: the table of docs formats is this registry", "[kinds]") {
  std::vector<std::string> documented;
  for (const std::vector<std::string>& cells : TableRows()) {
    if (cells.size() == 9 && cells[1] != "kind") documented.push_back(absl::StrJoin(cells, "|"));
  }
  std::vector<std::string> registered;
  for (const KindInfo& info : AllKinds()) {
    registered.push_back(absl::StrCat("|", static_cast<int>(info.kind), "|", info.name, "|",
                                      RoleName(info.signer), "|", LaneName(info.lane), "|",
                                      info.body_bytes_max, "|", info.has_payload ? "yes" : "", "|",
                                      info.admitted ? "yes" : "", "|"));
  }
  CHECK(documented == registered);
}

TEST_CASE("tags: every tag stands in the table of docs formats", "[tags]") {
  std::set<std::string> documented;
  for (const std::vector<std::string>& cells : TableRows()) {
    if (cells.size() == 5) documented.insert(cells[1]);
  }
  for (absl::string_view tag : kAllTags) {
    CHECK(documented.count(absl::StrCat("`", tag.substr(0, tag.size() - 1), "`")) == 1);
  }
}

}  // namespace vigil::ledger
