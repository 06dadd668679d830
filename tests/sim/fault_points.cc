// The points of a validator's write path, and which faults can happen at each.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/sim/disk_faults.h"

namespace vigil::sim {
namespace {

using ledger::DiskCall;
using ledger::DiskFault;

bool In(const std::string& path, absl::string_view folder) {
  return absl::StartsWith(path, absl::StrCat("/vigil/", folder));
}

// A predicate: a file below `folder` whose name ends so.
std::function<bool(const std::string&)> Ends(std::string folder, std::string end) {
  return [folder = std::move(folder), end = std::move(end)](const std::string& path) {
    return In(path, folder) && absl::EndsWith(path, end);
  };
}
std::function<bool(const std::string&)> Holds(std::string folder, std::string part) {
  return [folder = std::move(folder), part = std::move(part)](const std::string& path) {
    return In(path, folder) && absl::StrContains(path, part) && !absl::EndsWith(path, ".old");
  };
}
std::function<bool(const std::string&)> Is(std::string path) {
  return [path = "/vigil/" + std::move(path)](const std::string& other) { return other == path; };
}

void AddJournal(std::vector<FaultPoint>* points) {
  points->push_back({"journal append", Ends("journal/", ".journal"), DiskCall::kWrite});
  points->push_back({"journal sync", Ends("journal/", ".journal"), DiskCall::kSync});
  points->push_back({"segment roll: create", Ends("journal/", ".tmp"), DiskCall::kCreate});
  points->push_back({"segment roll: header", Ends("journal/", ".tmp"), DiskCall::kWrite});
  points->push_back({"segment roll: sync", Ends("journal/", ".tmp"), DiskCall::kSync});
  points->push_back({"segment roll: rename", Ends("journal/", ".journal"), DiskCall::kRename});
  points->push_back({"segment roll: sync of names", Is("journal"), DiskCall::kSyncDir});
  points->push_back({"segment roll: open", Ends("journal/", ".journal"), DiskCall::kOpen});
  points->push_back({"journal read", Ends("journal/", ".journal"), DiskCall::kRead});
  points->push_back({"journal at rest", Ends("journal/", ".journal"), std::nullopt});
}

void AddStore(const std::string& name, std::vector<FaultPoint>* points) {
  const std::string folder = name + "/";
  const auto add = [&](absl::string_view what, std::function<bool(const std::string&)> matches,
                       std::optional<DiskCall> call) {
    points->push_back({absl::StrCat(name, " ", what), std::move(matches), call});
  };
  add("log read", Ends(folder, ".log"), DiskCall::kRead);
  // The index writes whole segments of 65,536 events: tests/ledger/index cuts it off at each.
  if (name != "index") {
    add("log write", Ends(folder, ".log"), DiskCall::kWrite);
    add("log sync", Ends(folder, ".log"), DiskCall::kSync);
    add("table write", Ends(folder, ".ldb"), DiskCall::kWrite);
    add("table sync", Ends(folder, ".ldb"), DiskCall::kSync);
    add("table read", Ends(folder, ".ldb"), DiskCall::kRead);
    add("table at rest", Ends(folder, ".ldb"), std::nullopt);
  }
  add("manifest write", Holds(folder, "MANIFEST"), DiskCall::kWrite);
  add("manifest sync", Holds(folder, "MANIFEST"), DiskCall::kSync);
  add("CURRENT write", Ends(folder, ".dbtmp"), DiskCall::kWrite);
  add("CURRENT rename", Ends(folder, "CURRENT"), DiskCall::kRename);
  add("sync of names", Is(name), DiskCall::kSyncDir);
  add("log at rest", Ends(folder, ".log"), std::nullopt);
  add("manifest at rest", Holds(folder, "MANIFEST"), std::nullopt);
  add("CURRENT at rest", Ends(folder, "CURRENT"), std::nullopt);
}

void AddRest(std::vector<FaultPoint>* points) {
  points->push_back({"tile write", Holds("log/tile/", ""), DiskCall::kWrite});
  points->push_back({"tile rename", Holds("log/tile/", ""), DiskCall::kRename});
  points->push_back({"tile read", Holds("log/tile/", ""), DiskCall::kRead});
  points->push_back({"tile at rest", Holds("log/tile/", ""), std::nullopt});
  points->push_back({"checkpoint write", Ends("log/", "checkpoint.tmp"), DiskCall::kWrite});
  points->push_back({"checkpoint rename", Ends("log/", "checkpoint"), DiskCall::kRename});
  points->push_back({"checkpoint at rest", Ends("log/", "checkpoint"), std::nullopt});
  points->push_back({"guard write", Is("rollback_guard.tmp"), DiskCall::kWrite});
  points->push_back({"guard sync", Is("rollback_guard.tmp"), DiskCall::kSync});
  points->push_back({"guard rename", Is("rollback_guard"), DiskCall::kRename});
  points->push_back({"guard sync of names",
                     [](const std::string& path) { return path == "/vigil"; }, DiskCall::kSyncDir});
  points->push_back({"guard read", Is("rollback_guard"), DiskCall::kRead});
  points->push_back({"guard at rest", Is("rollback_guard"), std::nullopt});
}

std::vector<DiskFault> FaultsOf(DiskCall call) {
  switch (call) {
    case DiskCall::kWrite:
      return {DiskFault::kPowerOff, DiskFault::kNoSpace, DiskFault::kShortWrite,
              DiskFault::kIoError,  DiskFault::kBitFlip, DiskFault::kMisdirected,
              DiskFault::kLostWrite};
    case DiskCall::kRead:
      return {DiskFault::kIoError, DiskFault::kShortRead, DiskFault::kBitFlip};
    case DiskCall::kOpen:
      return {DiskFault::kIoError};
    case DiskCall::kCreate:
    case DiskCall::kSync:
    case DiskCall::kTruncate:
    case DiskCall::kRename:
    case DiskCall::kRemove:
    case DiskCall::kSyncDir:
      break;
  }
  return {DiskFault::kPowerOff, DiskFault::kNoSpace, DiskFault::kIoError};
}

absl::string_view NameOf(DiskFault fault) {
  switch (fault) {
    case DiskFault::kNoSpace:
      return "ENOSPC";
    case DiskFault::kShortWrite:
      return "half written, then ENOSPC";
    case DiskFault::kIoError:
      return "EIO";
    case DiskFault::kPowerOff:
      return "power loss";
    case DiskFault::kBitFlip:
      return "flipped bit";
    case DiskFault::kMisdirected:
      return "misdirected";
    case DiskFault::kLostWrite:
      return "lost, with success";
    case DiskFault::kShortRead:
      return "short read";
  }
  return "fault";
}

}  // namespace

std::string FaultCase::FaultName() const {
  if (point.call.has_value()) return std::string(NameOf(fault));
  switch (damage) {
    case RestDamage::kBitFlip:
      return "flipped bit";
    case RestDamage::kZeroedSector:
      return "sector of zeros";
    case RestDamage::kFileLost:
      return "file gone";
  }
  return "damage";
}

std::vector<FaultCase> AllFaultCases() {
  std::vector<FaultPoint> points;
  AddJournal(&points);
  for (const char* store : {"state", "index", "detect"}) AddStore(store, &points);
  AddRest(&points);
  std::vector<FaultCase> cases;
  for (const FaultPoint& point : points) {
    if (point.call.has_value()) {
      for (const DiskFault fault : FaultsOf(*point.call)) {
        cases.push_back({.point = point, .fault = fault, .damage = {}});
      }
      continue;
    }
    for (const RestDamage damage :
         {RestDamage::kBitFlip, RestDamage::kZeroedSector, RestDamage::kFileLost}) {
      cases.push_back({.point = point, .fault = {}, .damage = damage});
    }
  }
  return cases;
}

}  // namespace vigil::sim
