#include "client/ingest/mapping.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {

Plan::Entry* Plan::FindOrAdd(absl::string_view path) {
  const auto [at, added] = index_by_path_.try_emplace(std::string(path), entries_.size());
  if (added) {
    Entry entry;
    entry.path = std::string(path);
    entry.index = entries_.size();
    if (absl::EndsWith(path, ".*")) {
      entry.wildcard_size = path.size() - 1;
      has_wildcards_ = true;
    }
    entries_.push_back(std::move(entry));
    for (size_t dot = path.find('.'); dot != absl::string_view::npos;
         dot = path.find('.', dot + 1)) {
      parents_.insert(std::string(path.substr(0, dot)));
    }
  }
  return &entries_[at->second];
}

absl::Status Plan::AddRules(std::span<const FieldRule> rules, bool own) {
  for (const FieldRule& rule : rules) {
    const size_t colon = rule.target.find(':');
    const absl::string_view name = rule.target.substr(0, colon);
    const Target* const target = FindTarget(name);
    if (target == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(mapping_id_, ": ", rule.path, ": no target \"", name, "\""));
    }
    Entry* const entry = FindOrAdd(rule.path);
    if (entry->target != nullptr) {
      if (!own) continue;
      return absl::InvalidArgumentError(absl::StrCat(mapping_id_, ": ", rule.path, " twice"));
    }
    entry->target = target;
    const bool given = colon != absl::string_view::npos && target->takes_argument;
    entry->argument = std::string(given ? rule.target.substr(colon + 1) : rule.path);
  }
  return absl::OkStatus();
}

absl::StatusOr<Plan> Plan::Compile(const MappingFamily& family, const LogMapping& log) {
  Plan plan;
  plan.source_ = absl::StrCat(family.name, ".", log.log);
  plan.mapping_id_ = absl::StrCat(plan.source_, "/1");
  plan.class_uid_ = log.class_uid;
  plan.activity_id_ = log.activity_id;
  plan.severity_id_ = log.severity_id;
  plan.app_protocol_ = std::string(log.app_protocol);
  plan.strict_ = family.strict;
  RETURN_IF_ERROR(plan.AddRules(log.rules, /*own=*/true));
  RETURN_IF_ERROR(plan.AddRules(family.common_rules, /*own=*/false));
  for (const Condition& condition : log.conditions) {
    absl::string_view equals = condition.equals;
    const bool prefix = !equals.empty() && equals.back() == '*';
    if (prefix) equals.remove_suffix(1);
    plan.FindOrAdd(condition.path)
        ->conditions.push_back(CompiledCondition{.equals = std::string(equals),
                                                 .prefix = prefix,
                                                 .trait = condition.trait,
                                                 .number = condition.number});
  }
  if (plan.entries_.size() > kEntriesMax) {
    return absl::InvalidArgumentError(absl::StrCat(plan.mapping_id_, ": ", plan.entries_.size(),
                                                   " fields, at most ", kEntriesMax));
  }
  return plan;
}

const Plan::Entry* Plan::Find(absl::string_view path) const {
  auto at = index_by_path_.find(path);
  if (at == index_by_path_.end() && has_wildcards_) {
    const size_t dot = path.find('.');
    if (dot == absl::string_view::npos) return nullptr;
    at = index_by_path_.find(absl::StrCat(path.substr(0, dot), ".*"));
  }
  return at == index_by_path_.end() ? nullptr : &entries_[at->second];
}

PlanSet::PlanSet(const MappingFamily& family) {
  const auto compile = [&](const LogMapping& log) {
    absl::StatusOr<Plan> plan = Plan::Compile(family, log);
    VIGIL_CHECK(plan.ok(), plan.status().ToString());
    return *std::move(plan);
  };
  generic_ = compile(LogMapping{.log = "generic"});
  for (const LogMapping& log : family.logs) {
    const bool added = plans_.emplace(std::string(log.log), compile(log)).second;
    VIGIL_CHECK(added, family.name, ".", log.log, " twice");
  }
}

const Plan& PlanSet::For(absl::string_view log) const {
  const auto at = plans_.find(log);
  return at == plans_.end() ? generic_ : at->second;
}

}  // namespace vigil::client
