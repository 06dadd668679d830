// GetProof of a real node, checked offline under the policy that genesis implies.
#include <string>
#include <thread>
#include <vector>

#include "client/lib/checked_proof.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/merkle.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/verify_proof.h"
#include "ledger/state/log_keys.h"
#include "node/api/proof_answers.h"
#include "tests/node/api/api_fixture.h"
#include "tests/support/catch.h"

namespace vigil::node {
namespace {

constexpr uint32_t kWaitMillis = 30'000;

v1::GetProofRequest OfRecord(uint64_t index, uint32_t wait_millis = kWaitMillis) {
  v1::GetProofRequest request;
  request.mutable_record()->set_record_index(index);
  request.set_wait_millis(wait_millis);
  return request;
}
v1::GetProofRequest OfEvent(uint64_t index, uint32_t item) {
  v1::GetProofRequest request;
  request.mutable_event()->mutable_batch()->set_record_index(index);
  request.mutable_event()->set_item(item);
  request.set_wait_millis(kWaitMillis);
  return request;
}
v1::GetProofRequest OfBlock(uint64_t height) {
  v1::GetProofRequest request;
  request.set_block_height(height);
  request.set_wait_millis(kWaitMillis);
  return request;
}

// A node with some batches, and what it answers.
struct Proofs {
  Fixture fixture;
  ledger::Policy policy = ledger::LogPolicyOf(fixture.genesis());
  sim::SensorStream stream = fixture.Stream();
  v1::Receipt Submit(uint32_t events) {
    const auto receipt = fixture.Submit(stream.NextBatch(events));
    REQUIRE(receipt.ok());
    return *receipt;
  }
  absl::StatusOr<v1::Proof> Get(const v1::GetProofRequest& request) {
    return fixture.client()->GetProof(request, nullptr);
  }
  client::CheckedProof Checked(const v1::GetProofRequest& request) {
    const auto proof = Get(request);
    INFO(proof.status().message());
    REQUIRE(proof.ok());
    auto checked = client::CheckProof(policy, request, proof->file());
    INFO(checked.status().message());
    REQUIRE(checked.ok());
    CHECK(checked->head.size == proof->size());
    return *std::move(checked);
  }
  absl::StatusCode CodeOf(const v1::GetProofRequest& request) {
    return Get(request).status().code();
  }
};

TEST_CASE("proofs: of events and records and blocks verify under the policy of genesis alone") {
  Proofs proofs;
  const v1::Receipt first = proofs.Submit(5);
  const v1::Receipt last = proofs.Submit(300);
  for (const v1::Receipt& receipt : {first, last}) {
    const auto event = proofs.Checked(OfEvent(receipt.record_index(), 4));
    CHECK(event.report.verdict == ledger::ProofVerdict::kVerified);
    CHECK(event.report.record->leaf_hash.view() == receipt.leaf_hash());
    CHECK(event.report.block->height.value() == receipt.height());
    CHECK(event.report.result->signer == "acme/s0");
    v1::GetEventRequest stored;
    stored.set_record_index(receipt.record_index());
    stored.set_item(4);
    CHECK(event.report.event->bytes == proofs.fixture.client()->GetEvent(stored)->event());
    const auto record = proofs.Checked(OfRecord(receipt.record_index()));
    CHECK(record.report.verdict == ledger::ProofVerdict::kVerified);
    const auto block = proofs.Checked(OfBlock(receipt.height()));
    CHECK(block.report.block->hash.view() == receipt.block_hash());
  }
  v1::GetProofRequest by_leaf = OfEvent(0, 299);
  by_leaf.mutable_event()->mutable_batch()->set_leaf_hash(last.leaf_hash());
  CHECK(proofs.Checked(by_leaf).report.record->index.value() == last.record_index());
  v1::GetProofRequest withheld = OfEvent(first.record_index(), 0);
  withheld.mutable_event()->set_withhold(true);
  CHECK(proofs.Checked(withheld).report.verdict == ledger::ProofVerdict::kPayloadMissing);
}

TEST_CASE("proofs: what is not there or cannot be is refused by name") {
  Proofs proofs;
  const v1::Receipt receipt = proofs.Submit(3);
  (void)proofs.Checked(OfRecord(receipt.record_index()));
  CHECK(proofs.CodeOf(OfEvent(receipt.record_index(), 3)) == absl::StatusCode::kNotFound);
  CHECK(proofs.CodeOf(OfRecord(1'000'000)) == absl::StatusCode::kNotFound);
  CHECK(proofs.CodeOf(OfBlock(1'000'000)) == absl::StatusCode::kNotFound);
  v1::GetBlockRequest which;
  which.set_height(receipt.height());
  const auto block = proofs.fixture.client()->GetBlock(which);
  const uint64_t seal = block->first_record_index() + block->record_count();
  CHECK(proofs.CodeOf(OfRecord(seal)) == absl::StatusCode::kNotFound);
  v1::GetProofRequest unknown = OfRecord(0);
  unknown.mutable_record()->set_leaf_hash(std::string(32, 'x'));
  CHECK(proofs.CodeOf(unknown) == absl::StatusCode::kNotFound);
  unknown.mutable_record()->set_leaf_hash("short");
  CHECK(proofs.CodeOf(unknown) == absl::StatusCode::kInvalidArgument);
  CHECK(proofs.CodeOf(v1::GetProofRequest()) == absl::StatusCode::kInvalidArgument);
  CHECK(proofs.CodeOf(OfRecord(0, kProofWaitMillisMax + 1)) == absl::StatusCode::kInvalidArgument);
  v1::GetProofRequest odd = OfRecord(0);
  odd.set_under_checkpoint(std::string(kProofNoteBytesMax + 1, 'x'));
  CHECK(proofs.CodeOf(odd) == absl::StatusCode::kInvalidArgument);
  odd.set_under_checkpoint("no checkpoint");
  CHECK(proofs.CodeOf(odd) == absl::StatusCode::kInvalidArgument);
  odd = OfRecord(0);
  for (int i = 0; i <= kProofWitnessesMax; ++i) odd.add_witnessed_by("w");
  CHECK(proofs.CodeOf(odd) == absl::StatusCode::kInvalidArgument);
  odd = OfRecord(receipt.record_index(), 100);
  odd.add_witnessed_by("witness.example");
  CHECK(proofs.CodeOf(odd) == absl::StatusCode::kDeadlineExceeded);
  odd.set_wait_millis(0);
  CHECK(proofs.CodeOf(odd) == absl::StatusCode::kUnavailable);
}

TEST_CASE("proofs: consistency and proofs under a checkpoint that the caller kept") {
  Proofs proofs;
  const v1::Receipt early = proofs.Submit(3);
  (void)proofs.Checked(OfRecord(early.record_index()));
  const std::string old_note = proofs.fixture.client()->GetCheckpoint()->note();
  const uint64_t old_size = ledger::DecodeSignedCheckpoint(old_note)->checkpoint.size;
  const v1::Receipt late = proofs.Submit(3);
  (void)proofs.Checked(OfRecord(late.record_index()));

  v1::GetProofRequest grown;
  grown.set_older_checkpoint(old_note);
  const auto consistency = proofs.Checked(grown);
  CHECK(consistency.consistency->older->checkpoint.size == old_size);
  CHECK(consistency.head.size > old_size);

  v1::GetProofRequest under = OfRecord(early.record_index());
  under.set_under_checkpoint(old_note);
  CHECK(proofs.Checked(under).head.size == old_size);
  under.mutable_record()->set_record_index(late.record_index());
  CHECK(proofs.CodeOf(under) == absl::StatusCode::kFailedPrecondition);

  // Of another history, or another log, or from the future.
  ledger::SignedCheckpoint head = *ledger::DecodeSignedCheckpoint(old_note);
  const auto changed = [&](auto change) {
    ledger::Checkpoint other = head.checkpoint;
    change(&other);
    ledger::SignedNote note = head.note;
    note.text = ledger::EncodeCheckpoint(other);
    return ledger::EncodeNote(note);
  };
  grown.set_older_checkpoint(changed([](auto* other) { other->root.bytes[0] ^= 1; }));
  const absl::Status fork = proofs.Get(grown).status();
  CHECK(absl::IsFailedPrecondition(fork));
  CHECK(std::string(fork.message()).find("evidence of a fork") != std::string::npos);
  grown.set_older_checkpoint(changed([](auto* other) { other->origin = "x"; }));
  CHECK(proofs.CodeOf(grown) == absl::StatusCode::kFailedPrecondition);
  grown.set_older_checkpoint(changed([](auto* other) { other->size += 1'000'000; }));
  CHECK(proofs.CodeOf(grown) == absl::StatusCode::kUnavailable);
  grown.set_older_checkpoint(changed([](auto* other) { other->size = 0; }));
  CHECK(proofs.CodeOf(grown) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("proofs: index and paths and head of each are of one checkpoint while blocks come") {
  Proofs proofs;
  const v1::Receipt receipt = proofs.Submit(4);
  std::atomic<bool> stop{false};
  std::thread load([&] {
    sim::SensorStream stream = proofs.fixture.Stream(1, "load");
    while (!stop) (void)proofs.fixture.Submit(stream.NextBatch(3));
  });
  std::set<uint64_t> sizes;
  for (uint32_t i = 0; i < 200 || sizes.size() < 3; ++i) {
    sizes.insert(proofs.Checked(OfEvent(receipt.record_index(), i % 4)).head.size);
    const uint64_t height = proofs.fixture.client()->GetCheckpoint()->height();
    (void)proofs.Checked(OfBlock(height));
  }
  stop = true;
  load.join();
}

// A validator that has the chain's state, and of its blocks no bytes.
class WithoutBlocks final : public NodeServices {
 public:
  explicit WithoutBlocks(NodeServices* node) : node_(node) {}
  const ledger::Genesis& genesis() const override { return node_->genesis(); }
  SubmitTicket Submit(ledger::Record record, SubmitDone done) override {
    return node_->Submit(std::move(record), std::move(done));
  }
  void Withdraw(const SubmitTicket& ticket) override { node_->Withdraw(ticket); }
  void AnswerWaiting() override { node_->AnswerWaiting(); }
  absl::StatusOr<SubmitReceipt> FindReceipt(const Hash& leaf_hash) const override {
    return node_->FindReceipt(leaf_hash);
  }
  std::shared_ptr<const ledger::ChainReader> Snapshot() const override { return node_->Snapshot(); }
  absl::StatusOr<ledger::BlockPtr> LoadBlock(Height) const override {
    return absl::NotFoundError("joined by a snapshot above it");
  }
  absl::StatusOr<std::string> ReadModel(const Hash& digest) const override {
    return node_->ReadModel(digest);
  }
  const ledger::EventIndex& index() const override { return node_->index(); }
  void RebuildIndex() override { node_->RebuildIndex(); }
  NodeStatus Status() const override { return node_->Status(); }
  uint64_t AddHeightListener(std::function<void(Height)> listener) override {
    return node_->AddHeightListener(std::move(listener));
  }
  void RemoveHeightListener(uint64_t token) override { node_->RemoveHeightListener(token); }
  Height FinalHeight() const override { return node_->FinalHeight(); }
  void WhenFinal(Height height, FinalDone done) override {
    node_->WhenFinal(height, std::move(done));
  }
  void WhenCurrent(int64_t wait_micros, ReadDone done) override {
    node_->WhenCurrent(wait_micros, std::move(done));
  }
  void TransferLeadership(std::optional<ValidatorIndex> to, TransferDone done) override {
    node_->TransferLeadership(to, std::move(done));
  }
  absl::StatusOr<std::string> Checkpoint() const override { return node_->Checkpoint(); }
  std::string EpochChain() const override { return node_->EpochChain(); }
  absl::StatusOr<std::string> CheckpointWitnessedBy(
      std::span<const std::string> witnesses) const override {
    return node_->CheckpointWitnessedBy(witnesses);
  }
  absl::StatusOr<std::string> ReadLogFile(absl::string_view path) const override {
    return node_->ReadLogFile(path);
  }
  const ledger::TileSource* tiles() const override { return node_->tiles(); }

 private:
  NodeServices* const node_;
};

TEST_CASE("proofs: a validator without the bytes of a block sends to others and does not wait") {
  Proofs proofs;
  const v1::Receipt receipt = proofs.Submit(2);
  (void)proofs.Checked(OfRecord(receipt.record_index()));
  WithoutBlocks joined(proofs.fixture.node());
  const auto server = *ApiServer::Start("127.0.0.1:0", grpc::InsecureServerCredentials(), &joined);
  client::ClientOptions options;
  options.endpoints = {absl::StrCat("127.0.0.1:", server->port())};
  options.insecure = true;
  const v1::GetProofRequest request = OfRecord(receipt.record_index(), kProofWaitMillisMax);
  {
    const auto alone = *client::Client::Make(options);
    const absl::Status status = alone->GetProof(request, nullptr).status();
    CHECK(client::IsUnreachable(status));
    CHECK(std::string(status.message()).find("joined by a snapshot") != std::string::npos);
  }
  options.endpoints.push_back(proofs.fixture.client()->endpoint(0));
  const auto both = *client::Client::Make(options);
  size_t answered = 0;
  const auto proof = both->GetProof(request, &answered);
  REQUIRE(proof.ok());
  CHECK(answered == 1);
  CHECK(client::CheckProof(proofs.policy, request, proof->file()).ok());
}

TEST_CASE("proofs: a caller that goes away or a stop ends a wait") {
  Proofs proofs;
  v1::GetProofRequest never = OfBlock(1);
  never.add_witnessed_by("witness.example");
  never.set_wait_millis(kProofWaitMillisMax);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  v1::Proof proof;
  const auto status = proofs.fixture.client()->query(0)->GetProof(&context, never, &proof);
  CHECK(status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  std::thread waits([&] {
    grpc::ClientContext other;
    v1::Proof none;
    CHECK_FALSE(proofs.fixture.client()->query(0)->GetProof(&other, never, &none).ok());
  });
  proofs.fixture.StopApi();
  waits.join();
}

}  // namespace
}  // namespace vigil::node
