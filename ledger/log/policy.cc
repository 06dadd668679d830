#include "ledger/log/policy.h"

#include <algorithm>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

using Fields = std::vector<absl::string_view>;
using Names = std::set<std::string>;

constexpr absl::string_view kLog = "log";
constexpr absl::string_view kWitness = "witness";
constexpr absl::string_view kGroup = "group";
constexpr absl::string_view kQuorum = "quorum";
constexpr absl::string_view kAll = "all";
constexpr absl::string_view kAny = "any";

absl::Status Bad(absl::string_view message) { return absl::InvalidArgumentError(message); }

bool IsPolicyOctet(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return octet == '\t' || (octet >= 0x20 && octet != 0x7f);
}

// Reads one line after the other; messages say what is wrong, the caller says where.
class PolicyParser {
 public:
  absl::Status ReadLine(absl::string_view line) {
    if (!std::all_of(line.begin(), line.end(), IsPolicyOctet)) return Bad("control character");
    const Fields fields = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (fields.empty() || fields[0].front() == '#') return absl::OkStatus();
    if (fields[0] == kLog) return ReadLog(fields);
    if (fields[0] == kWitness) return ReadWitness(fields);
    if (fields[0] == kGroup) return ReadGroup(fields);
    if (fields[0] == kQuorum) return ReadQuorum(fields);
    return Bad(absl::StrCat("unknown keyword ", Quoted(fields[0])));
  }

  absl::StatusOr<Policy> Finish() && {
    if (policy_.quorum.empty()) return Bad("policy: no quorum line");
    return std::move(policy_);
  }

 private:
  // log <vkey> [<url>]
  absl::Status ReadLog(const Fields& fields) {
    if (fields.size() != 2 && fields.size() != 3) return Bad("log: not a vkey and maybe a URL");
    ASSIGN_OR_RETURN(NoteKey key, ReadKey(fields[1], NoteKeyType::kEd25519, &log_keys_));
    policy_.logs.push_back({.key = std::move(key), .url = UrlAt(fields, 2)});
    return CheckCount(policy_.logs.size(), "logs");
  }

  // witness <name> <vkey> [<url>]
  absl::Status ReadWitness(const Fields& fields) {
    if (fields.size() != 3 && fields.size() != 4) {
      return Bad("witness: not a name, a vkey and maybe a URL");
    }
    RETURN_IF_ERROR(Define(fields[1]));
    ASSIGN_OR_RETURN(NoteKey key, ReadKey(fields[2], NoteKeyType::kCosignatureV1, &witness_keys_));
    policy_.witnesses.push_back(
        {.name = std::string(fields[1]), .key = std::move(key), .url = UrlAt(fields, 3)});
    return CheckCount(policy_.witnesses.size(), "witnesses");
  }

  // group <name> all|any|<k> <member>...
  absl::Status ReadGroup(const Fields& fields) {
    if (fields.size() < 4) return Bad("group: not a name, a threshold and members");
    PolicyGroup group{.name = std::string(fields[1]), .threshold = 0, .members = {}};
    for (size_t i = 3; i < fields.size(); ++i) {
      RETURN_IF_ERROR(CheckDefined(fields[i]));
      group.members.emplace_back(fields[i]);
      if (!members_.insert(group.members.back()).second) {
        return Bad(absl::StrCat(Quoted(fields[i]), " is a member already"));
      }
    }
    ASSIGN_OR_RETURN(group.threshold, ReadThreshold(fields[2], group.members.size()));
    // After its members, of which it is none.
    RETURN_IF_ERROR(Define(fields[1]));
    policy_.groups.push_back(std::move(group));
    return CheckCount(policy_.groups.size(), "groups");
  }

  // quorum none|<name>
  absl::Status ReadQuorum(const Fields& fields) {
    if (fields.size() != 2) return Bad("quorum: not one name");
    if (!policy_.quorum.empty()) return Bad("a second quorum");
    if (fields[1] != kQuorumNone) RETURN_IF_ERROR(CheckDefined(fields[1]));
    policy_.quorum = std::string(fields[1]);
    return absl::OkStatus();
  }

  static std::string UrlAt(const Fields& fields, size_t index) {
    return index < fields.size() ? std::string(fields[index]) : std::string();
  }

  static absl::StatusOr<NoteKey> ReadKey(absl::string_view text, NoteKeyType type,
                                         std::set<PublicKey>* keys) {
    ASSIGN_OR_RETURN(NoteKey key, DecodeNoteKey(text));
    if (key.type != type) {
      return Bad(absl::StrCat("key of type ", static_cast<int>(key.type), " where ",
                              static_cast<int>(type), " belongs"));
    }
    if (!IsValidPublicKey(key.key)) return Bad("public key that may not be enrolled");
    if (!keys->insert(key.key).second) return Bad("public key that stands there already");
    return key;
  }

  static absl::StatusOr<uint32_t> ReadThreshold(absl::string_view text, size_t member_count) {
    if (text == kAny) return 1;
    if (text == kAll) return static_cast<uint32_t>(member_count);
    ASSIGN_OR_RETURN(const uint64_t threshold, DecodeDecimal(text, member_count));
    if (threshold == 0) return Bad("threshold 0");
    return static_cast<uint32_t>(threshold);
  }

  static absl::Status CheckCount(size_t count, absl::string_view what) {
    if (count <= kPolicyNamesMax) return absl::OkStatus();
    return Bad(absl::StrCat("more than ", kPolicyNamesMax, " ", what));
  }

  absl::Status Define(absl::string_view name) {
    if (name != kQuorumNone && names_.emplace(name).second) return absl::OkStatus();
    return Bad(absl::StrCat(Quoted(name), " is defined already"));
  }

  absl::Status CheckDefined(absl::string_view name) const {
    if (names_.count(std::string(name)) == 1) return absl::OkStatus();
    return Bad(absl::StrCat(Quoted(name), " is not defined above"));
  }

  Policy policy_;
  Names names_;    // Of witnesses and groups.
  Names members_;  // Of any group.
  std::set<PublicKey> log_keys_;
  std::set<PublicKey> witness_keys_;
};

void AppendLine(std::string* text, absl::string_view line, absl::string_view url) {
  absl::StrAppend(text, line, url.empty() ? "" : " ", url, "\n");
}

// `names` and the groups of which enough members are in it. Members stand before their group.
Names AddGroups(const Policy& policy, Names names) {
  for (const PolicyGroup& group : policy.groups) {
    const auto count = std::count_if(group.members.begin(), group.members.end(),
                                     [&](const std::string& name) { return names.count(name); });
    if (count >= group.threshold) names.insert(group.name);
  }
  return names;
}

// Which groups below the quorum have too few members, from the quorum down.
std::string Missing(const Policy& policy, const Names& witnessed) {
  Names wanted = {policy.quorum};
  std::vector<std::string> reasons;
  for (auto group = policy.groups.rbegin(); group != policy.groups.rend(); ++group) {
    if (wanted.count(group->name) == 0 || witnessed.count(group->name) == 1) continue;
    std::vector<std::string> absent;
    for (const std::string& name : group->members) {
      if (witnessed.count(name) == 0) absent.push_back(absl::Utf8SafeCHexEscape(name));
    }
    reasons.push_back(absl::StrCat("group ", absl::Utf8SafeCHexEscape(group->name), " has ",
                                   group->members.size() - absent.size(), " of ", group->threshold,
                                   ", without ", absl::StrJoin(absent, ", ")));
    wanted.insert(group->members.begin(), group->members.end());
  }
  if (reasons.empty()) return absl::StrCat("witness ", absl::Utf8SafeCHexEscape(policy.quorum));
  return absl::StrJoin(reasons, "; ");
}

// Of the logs, then of the witnesses.
std::vector<NoteKey> KeysOf(const Policy& policy) {
  std::vector<NoteKey> keys;
  for (const PolicyLog& log : policy.logs) keys.push_back(log.key);
  for (const PolicyWitness& witness : policy.witnesses) keys.push_back(witness.key);
  return keys;
}

}  // namespace

absl::StatusOr<Policy> ParsePolicy(absl::string_view text) {
  if (text.size() > kPolicyBytesMax) {
    return Bad(absl::StrCat("policy of ", text.size(), " bytes, at most ", kPolicyBytesMax));
  }
  LineReader lines("policy", text);
  PolicyParser parser;
  while (!lines.rest().empty()) {
    ASSIGN_OR_RETURN(const absl::string_view line, lines.Next());
    const absl::Status status = parser.ReadLine(line);
    if (!status.ok()) return lines.Error(status.message());
  }
  return std::move(parser).Finish();
}

std::string EncodePolicy(const Policy& policy) {
  std::string text;
  for (const PolicyLog& log : policy.logs) {
    AppendLine(&text, absl::StrCat(kLog, " ", EncodeNoteKey(log.key)), log.url);
  }
  for (const PolicyWitness& witness : policy.witnesses) {
    AppendLine(&text, absl::StrCat(kWitness, " ", witness.name, " ", EncodeNoteKey(witness.key)),
               witness.url);
  }
  for (const PolicyGroup& group : policy.groups) {
    absl::StrAppend(&text, kGroup, " ", group.name, " ", group.threshold, " ",
                    absl::StrJoin(group.members, " "), "\n");
  }
  absl::StrAppend(&text, kQuorum, " ", policy.quorum, "\n");
  const absl::StatusOr<Policy> parsed = ParsePolicy(text);
  VIGIL_CHECK(parsed.ok() && *parsed == policy, "wrote a bad policy: ", parsed.status().ToString());
  return text;
}

absl::StatusOr<CheckpointVerdict> CheckCheckpoint(const Policy& policy, absl::string_view note) {
  ASSIGN_OR_RETURN(const SignedCheckpoint decoded, DecodeSignedCheckpoint(note));
  const std::string& origin = decoded.checkpoint.origin;
  ASSIGN_OR_RETURN(const auto times, VerifyNote(decoded.note, KeysOf(policy)));
  CheckpointVerdict verdict;
  verdict.checkpoint = decoded.checkpoint;
  verdict.log_key_name = origin;
  for (size_t i = 0; i < policy.logs.size(); ++i) {
    const NoteKey& key = policy.logs[i].key;
    if (times[i].has_value() && key.name == origin) verdict.log_vkeys.push_back(EncodeNoteKey(key));
  }
  if (verdict.log_vkeys.empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat("checkpoint of ", Quoted(origin), ": no listed log of that name signed it"));
  }
  for (size_t i = 0; i < policy.witnesses.size(); ++i) {
    const std::optional<uint64_t>& time = times[policy.logs.size() + i];
    if (!time.has_value()) continue;
    verdict.witnesses.push_back(policy.witnesses[i].name);
    verdict.times[policy.witnesses[i].name] = *time;
  }
  const Names witnessed =
      AddGroups(policy, Names(verdict.witnesses.begin(), verdict.witnesses.end()));
  verdict.quorum = policy.quorum == kQuorumNone || witnessed.count(policy.quorum) == 1;
  if (!verdict.quorum) verdict.missing = Missing(policy, witnessed);
  return verdict;
}

}  // namespace vigil::ledger
