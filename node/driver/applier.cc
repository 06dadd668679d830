#include "node/driver/applier.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {

using ledger::BlockPtr;
using ledger::ExecutedBlock;

Applier::Applier(const Ports& ports, std::unique_ptr<ledger::ChainState> state)
    : ports_(ports), state_(std::move(state)), inbox_({SIZE_MAX}) {}

void Applier::Push(const ApplyJob& job) {
  VIGIL_CHECK(inbox_.TryPush(job, sizeof(job)), "the applier's inbox is never closed");
  signal()->Set();
}

bool Applier::Step() {
  if (ports_.fatal->failed()) return false;
  if (!TakeJob()) return false;
  const absl::Status status = Execute(*job_);
  if (!status.ok()) {
    ports_.fatal->Fail(Annotate(status, absl::StrCat("apply block ", job_->block.height.value())));
  }
  job_.reset();
  return true;
}

// Whether there is a block to execute now.
bool Applier::TakeJob() {
  if (!job_.has_value()) {
    const std::vector<ApplyJob> jobs = inbox_.TryPop(/*count_max=*/1);
    if (jobs.empty()) return false;
    job_ = jobs.front();
  }
  const Height named = ports_.genesis->SnapshotHeightAt(job_->block.height);
  if (named == Height(0)) return true;
  const std::optional<ledger::SnapshotMark> own = ports_.snapshots->Find(named);
  if (!own.has_value()) return false;
  state_->KnowSnapshot(*own);
  return true;
}

absl::Status Applier::Execute(const ApplyJob& job) {
  BlockPtr block = ports_.cache->Find(job.block.hash);
  if (block == nullptr) {
    ASSIGN_OR_RETURN(block, ports_.chain->LoadAt(job.block.hash, job.position));
  }
  ASSIGN_OR_RETURN(ExecutedBlock outcome, state_->Execute(block, job.position));
  if (ports_.genesis->HasSnapshot(job.block.height)) {
    ports_.snapshots->Take(job.block.height, state_->StoreSnapshot());
  }
  const auto executed = std::make_shared<const ExecutedBlock>(std::move(outcome));
  ports_.counters->blocks_executed.fetch_add(1, std::memory_order_relaxed);
  ports_.counters->records_executed.fetch_add(executed->results.size(), std::memory_order_relaxed);
  // Published first: a client that got its receipt finds the record in every later query.
  ports_.chain->Publish(executed);
  AnswerSubmitters(*executed);
  return absl::OkStatus();
}

void Applier::AnswerSubmitters(const ExecutedBlock& executed) {
  for (size_t i = 0; i < executed.results.size() && !ports_.pending->empty(); ++i) {
    SubmitOutcome outcome;
    outcome.receipt.leaf_hash = executed.block->records()[i].leaf_hash;
    outcome.receipt.record_index = executed.results[i].index;
    outcome.receipt.height = executed.block->height();
    outcome.receipt.block_hash = executed.block->hash();
    outcome.receipt.result = executed.results[i].code;
    ports_.pending->Answer(outcome.receipt.leaf_hash, outcome);
  }
}

}  // namespace vigil::node
