// Disk faults, one at a time: whole validators and clients, one validator whose disk does one thing
// wrong at one point of its write path, and what becomes of it.
//
// A case is a point (which calls on which files) and a fault. It is struck while clients submit,
// or, where a point is met at start only, at the next start. Then the validator is ended as the
// fault asks (kill or power loss), started again, and everything must come to rest with nothing
// lost and nothing served that is not the chain. A case is a function of point, fault, number of
// validators and seed.
#ifndef VIGIL_TESTS_SIM_DISK_FAULTS_H_
#define VIGIL_TESTS_SIM_DISK_FAULTS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ledger/storage/faulty_file_system.h"

namespace vigil::sim {

struct FaultPoint {
  std::string name;
  std::function<bool(const std::string& path)> matches;
  // Nullopt: damage at rest, done to a file while the validator is down.
  std::optional<ledger::DiskCall> call;
};

enum class RestDamage { kBitFlip, kZeroedSector, kFileLost };

struct FaultCase {
  FaultPoint point;
  ledger::DiskFault fault = ledger::DiskFault::kIoError;  // Of a call.
  RestDamage damage = RestDamage::kBitFlip;               // At rest.

  std::string FaultName() const;
};

// Every fault at every point where it can be.
std::vector<FaultCase> AllFaultCases();

struct CaseResult {
  bool reached = false;  // The fault happened.
  std::string fired;     // Which call it was.
  std::string came_to;   // What became of the validator: "continues", "rebuilds state", ...
  uint64_t acknowledged = 0;
  std::string lost;          // An acknowledged record that is not on the chain.
  std::string wrong_answer;  // Something served that is not the chain.
  std::string broken;        // Any other promise: signs on a failed disk, does not come to rest.

  bool ok() const { return lost.empty() && wrong_answer.empty() && broken.empty(); }
};

CaseResult RunFaultCase(const FaultCase& fault_case, uint32_t validators, uint64_t seed);

}  // namespace vigil::sim

#endif  // VIGIL_TESTS_SIM_DISK_FAULTS_H_
