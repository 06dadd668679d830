// A validator that lies: it answers what the sample chain would, altered in one way or another.
//
// It has its own keys, as one of four validators; where a lie needs more than that (a whole quorum
// signs two histories), it has all of them.
#ifndef VIGIL_TESTS_CLIENT_MALICIOUS_MALICIOUS_VALIDATOR_H_
#define VIGIL_TESTS_CLIENT_MALICIOUS_MALICIOUS_VALIDATOR_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>

#include "ledger/proof/proof_builder.h"
#include "tests/client/lib/loopback.h"
#include "tests/ledger/proof/epoch_sample.h"
#include "tests/ledger/proof/proof_sample.h"
#include "tests/support/catch.h"
#include "vigil/v1/api.grpc.pb.h"

namespace vigil::client {

enum class Lie {
  kNone,
  kAlteredPayload,  // Another event in the place of the one that is there.
  kOldHead,         // The right proof, on a checkpoint from before the record.
  kForkedHead,      // Another history, which it alone signs.
  kColludingFork,   // Another history, which a quorum signs: the record is in both.
  kMixedProof,      // Leaf and paths of now, on a checkpoint of another moment.
  kOtherRecord,     // A right proof of another record.
  kNothing,         // What it acknowledged is not there, it says.
};

class MaliciousValidator final : public v1::Query::Service {
 public:
  static constexpr uint64_t kEarly = 8;  // Leaves of the older checkpoint: block 1 and 2.

  std::string endpoint() const { return server_.endpoint(); }
  void Tell(Lie lie) { lie_ = lie; }
  // Leaves of the newest checkpoint that it shows; the whole chain at first.
  void ShowUpTo(uint64_t size) { size_ = size; }

  // Signs in this epoch of the sample of epochs, whose network is the same.
  void SignIn(uint64_t epoch) { epoch_ = epoch; }
  // What it answers for the epoch chain, whatever was asked for; how often it was asked.
  void ShowEpochs(const std::string& file) { epochs_ = file; }
  int asked_for_epochs() const { return asked_for_epochs_; }

  grpc::Status GetEpochChain(grpc::ServerContext*, const v1::GetEpochChainRequest*,
                             v1::EpochChain* chain) override {
    ++asked_for_epochs_;
    chain->set_file(epochs_);
    return grpc::Status::OK;
  }

  grpc::Status GetProof(grpc::ServerContext*, const v1::GetProofRequest* request,
                        v1::Proof* proof) override {
    if (lie_ == Lie::kNothing) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such record");
    const absl::StatusOr<std::string> file =
        request->has_event() || request->has_record() ? FileOf(*request) : ConsistencyOf(*request);
    if (!file.ok()) {
      return grpc::Status(static_cast<grpc::StatusCode>(file.status().code()),
                          std::string(file.status().message()));
    }
    proof->set_file(*file);
    return grpc::Status::OK;
  }

 private:
  static const ledger::ProofSample& Chain() { return ledger::Sample(); }

  static RecordIndex IndexOf(const v1::RecordRef& ref) {
    if (ref.which_case() != v1::RecordRef::kLeafHash) return RecordIndex(ref.record_index());
    const auto& leaves = Chain().leaves();
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (ledger::LeafHash(AsBytes(leaves[i])).view() == ref.leaf_hash()) return RecordIndex(i);
    }
    return RecordIndex(0);
  }

  absl::StatusOr<std::string> FileOf(const v1::GetProofRequest& request) const {
    const std::string head = HeadAt(size_ == 0 ? Chain().leaves().size() : size_.load());
    const bool of_event = request.has_event();
    RecordIndex index = IndexOf(of_event ? request.event().batch() : request.record());
    if (lie_ == Lie::kOtherRecord) index = RecordIndex(index.value() == 0 ? 1 : 0);
    absl::StatusOr<std::string> file =
        of_event ? ledger::BuildEventProof(Chain(), head, index, ItemIndex(request.event().item()),
                                           ledger::EventBytes::kInclude)
                 : ledger::BuildRecordProof(Chain(), head, index);
    if (!file.ok()) return file;
    ledger::ProofParts parts = ledger::TakeApart(*file);
    Spoil(&parts);
    return ledger::PutTogether(parts);
  }

  std::string HeadAt(uint64_t size) const {
    if (epoch_ == 1) return Chain().HeadAt(size);
    const auto& leaves = Chain().leaves();
    return ledger::SampleOfEpochs().SignHead(
        {leaves.begin(), leaves.begin() + static_cast<ptrdiff_t>(size)}, epoch_);
  }

  void Spoil(ledger::ProofParts* parts) const {
    const ledger::Checkpoint now =
        ledger::DecodeSignedCheckpoint(parts->file.checkpoint)->checkpoint;
    Hash other_root = now.root;
    other_root.bytes[0] ^= 1;
    switch (lie_) {
      case Lie::kAlteredPayload:
        parts->extra.event.bytes[parts->extra.event.bytes.size() / 2] ^= 1;
        break;
      case Lie::kOldHead:
      case Lie::kMixedProof:
        parts->file.checkpoint =
            Chain().HeadAt(lie_ == Lie::kOldHead ? kEarly : Chain().leaves().size() - 1);
        break;
      case Lie::kForkedHead:
        Chain().ForgeLeaf(parts, parts->extra.leaf);
        parts->file.checkpoint =
            Chain().SignHead(now.size, other_root, {.witness_count = 1, .epoch = 1, .origin = ""});
        break;
      case Lie::kColludingFork:
        // The covering seal is another one, so that the tree is, and everything else is made anew.
        Chain().ForgeResult(parts, parts->extra.result.bytes);
        break;
      default:
        break;
    }
  }

  absl::StatusOr<std::string> ConsistencyOf(const v1::GetProofRequest& request) const {
    const std::string newer =
        request.under_checkpoint().empty() ? Chain().Head() : request.under_checkpoint();
    return ledger::BuildConsistencyProof(Chain().tiles(), request.older_checkpoint(), newer);
  }

  std::atomic<Lie> lie_{Lie::kNone};
  std::atomic<uint64_t> size_{0};  // 0: the whole chain.
  std::atomic<uint64_t> epoch_{1};
  std::atomic<int> asked_for_epochs_{0};
  std::string epochs_ = ledger::EncodeEpochChain({});  // Set while nobody asks.
  LoopbackServer server_{{this}};
};

}  // namespace vigil::client

#endif  // VIGIL_TESTS_CLIENT_MALICIOUS_MALICIOUS_VALIDATOR_H_
