#include "client/cli/proof_commands.h"

#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/genesis_file.h"
#include "client/cli/outside_policy.h"
#include "client/cli/submit_signed.h"
#include "client/lib/checked_proof.h"
#include "client/lib/known_epochs.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/note.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

absl::Status BadRef(absl::string_view ref, absl::string_view belongs) {
  return absl::InvalidArgumentError(absl::StrCat("'", ref, "' where ", belongs, " belongs"));
}

// "17", or 64 hex digits of a leaf hash.
bool ReadRecordRef(absl::string_view text, v1::RecordRef* out) {
  uint64_t index = 0;
  if (absl::SimpleAtoi(text, &index)) {
    out->set_record_index(index);
    return true;
  }
  const absl::StatusOr<Hash> hash = Hash::FromHex(text);
  if (hash.ok()) out->set_leaf_hash(std::string(hash->view()));
  return hash.ok();
}

absl::Status ReadEventRef(absl::string_view ref, bool withhold, v1::EventProofRequest* out) {
  const size_t dot = ref.rfind('.');
  uint32_t item = 0;
  if (dot == absl::string_view::npos || !absl::SimpleAtoi(ref.substr(dot + 1), &item) ||
      !ReadRecordRef(ref.substr(0, dot), out->mutable_batch())) {
    return BadRef(ref, "record.item, as searches print it, or the batch's leaf hash and .item,");
  }
  out->set_item(item);
  out->set_withhold(withhold);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadNote(const std::string& path) {
  ASSIGN_OR_RETURN(const uint64_t bytes, ledger::PosixFileSystem()->Size(path));
  if (bytes <= ledger::kNoteBytesMax) return ledger::PosixFileSystem()->ReadAll(path);
  return absl::InvalidArgumentError(absl::StrCat(path, " of ", bytes, " bytes is no checkpoint"));
}

// Says on standard error what the file shows.
void SayChecked(const Session& session, const CheckedProof& checked) {
  *session.err << "verified under " << ForTerminal(session.genesis) << ", tree of "
               << checked.head.size << " leaves\n";
  if (checked.report.verdict == ledger::ProofVerdict::kPayloadMissing) {
    *session.err << "without the event's bytes; `vigil verify` says PAYLOAD_MISSING of it. Unless "
                    "they were to be withheld, ask a validator that has not pruned them\n";
  }
  const auto& result = checked.report.result;
  if (result.has_value() && result->code != ledger::ResultCode::kOk) {
    *session.err << "the chain did not accept this record: " << ResultCodeName(result->code)
                 << "; `vigil verify` says NOT_INCLUDED of it\n";
  }
}

absl::Status CheckAnswer(const Session& session, Client* client, size_t answered,
                         const v1::GetProofRequest& request, const v1::Proof& proof,
                         const std::string& path) {
  if (session.genesis.empty()) {
    *session.err << "not verified: pass --genesis FILE, or use `vigil verify`\n";
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, LoadGenesis(session.genesis));
  KnownEpochs known(ledger::LogPolicyOf(genesis));
  const absl::StatusOr<CheckedProof> checked =
      CheckProofFetching(client, &known, request, proof.file());
  if (checked.ok()) {
    SayChecked(session, *checked);
    return absl::OkStatus();
  }
  std::string kept;
  if (!path.empty() && IsNoProof(checked.status())) {
    kept = absl::StrCat("; kept as evidence: ", path, ".refused");
    RETURN_IF_ERROR(
        ledger::PosixFileSystem()->WriteAtomically(path + ".refused", AsBytes(proof.file())));
  }
  return NoProofError(session, *client, answered, checked.status(), kept);
}

}  // namespace

absl::StatusOr<v1::GetProofRequest> ProofRequestOf(ProofOf what, const ProofOptions& options) {
  v1::GetProofRequest request;
  uint64_t height = 0;
  switch (what) {
    case ProofOf::kEvent:
      RETURN_IF_ERROR(ReadEventRef(options.ref, options.withhold, request.mutable_event()));
      break;
    case ProofOf::kRecord:
      if (!ReadRecordRef(options.ref, request.mutable_record()))
        return BadRef(options.ref, "a record index or a leaf hash of 64 hex digits");
      break;
    case ProofOf::kBlock:
      if (!absl::SimpleAtoi(options.ref, &height)) return BadRef(options.ref, "a height");
      request.set_block_height(height);
      break;
    case ProofOf::kConsistency:
      ASSIGN_OR_RETURN(*request.mutable_older_checkpoint(), ReadNote(options.ref));
      break;
  }
  if (!options.under.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_under_checkpoint(), ReadNote(options.under));
  }
  for (const std::string& witness : options.witnesses) {
    request.add_witnessed_by(WitnessName(witness));
  }
  request.set_wait_millis(options.wait_seconds * 1000);
  return request;
}

absl::Status RunProof(const Session& session, ProofOf what, const ProofOptions& options) {
  ASSIGN_OR_RETURN(const v1::GetProofRequest request, ProofRequestOf(what, options));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  size_t answered = 0;
  ASSIGN_OR_RETURN(const v1::Proof proof, client->GetProof(request, &answered));
  RETURN_IF_ERROR(CheckAnswer(session, client.get(), answered, request, proof, options.file));
  if (!options.file.empty()) {
    return ledger::PosixFileSystem()->WriteAtomically(options.file, AsBytes(proof.file()));
  }
  if (session.format == OutputFormat::kTable) {
    *session.out << proof.file();
  } else {
    session.PrintJson({{"tree_size", Number(proof.size())}, {"proof", proof.file()}});
  }
  return absl::OkStatus();
}

}  // namespace vigil::client
