#include "client/cli/log_commands.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/genesis_file.h"
#include "client/cli/outside_policy.h"
#include "client/cli/proof_commands.h"
#include "client/cli/render.h"
#include "client/cli/trust.h"
#include "client/lib/known_epochs.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/policy.h"
#include "ledger/log/tlog_proof.h"
#include "ledger/proof/head.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

absl::Status NoGenesis() {
  return absl::InvalidArgumentError(
      "no genesis: pass --genesis FILE; it must be the file you trust");
}

// The policy of the newest epoch that `epochs` reaches from genesis; without it, or where `fetch`
// says so, what validators know of.
absl::StatusOr<ledger::Policy> NewestPolicy(const Session& session, const std::string& epochs,
                                            bool fetch) {
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, LoadGenesis(session.genesis));
  if (fetch) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
    ASSIGN_OR_RETURN(const FetchedEpochs fetched, FetchEpochs(genesis, client.get()));
    return ledger::LogPolicyOf(fetched.genesis);
  }
  ASSIGN_OR_RETURN(const ledger::PolicyChain policies,
                   ReadEpochs(ledger::LogPolicyOf(genesis), epochs));
  return policies.newest();
}

// Names on the lines of `note` that are of no key of `policy`, nor in `checked`.
std::set<std::string> OtherNames(const ledger::Policy& policy, const std::string& note,
                                 const std::set<std::string>& checked) {
  std::set<std::string> names;
  const absl::StatusOr<ledger::SignedNote> decoded = ledger::DecodeNote(note);
  if (!decoded.ok()) return names;
  for (const ledger::NoteSignature& line : decoded->signatures) names.insert(line.name);
  for (const ledger::PolicyLog& log : policy.logs) names.erase(log.key.name);
  for (const ledger::PolicyWitness& witness : policy.witnesses) names.erase(witness.key.name);
  for (const std::string& name : checked) names.erase(name);
  return names;
}

// Whether every witness has a line on `note`, which verifies where the witness is given by its
// vkey. Returns the names of those.
absl::StatusOr<std::set<std::string>> CheckOutsideLines(const std::vector<std::string>& witnesses,
                                                        const std::string& note) {
  ASSIGN_OR_RETURN(const ledger::SignedNote decoded, ledger::DecodeNote(note));
  std::set<std::string> checked;
  for (const std::string& witness : witnesses) {
    const absl::StatusOr<ledger::NoteKey> key = ledger::DecodeNoteKey(witness);
    const bool there =
        std::ranges::any_of(decoded.signatures, [&](const ledger::NoteSignature& line) {
          return key.ok() ? ledger::VerifyNoteSignature(*key, decoded.text, line).ok()
                          : line.name == witness;
        });
    if (!there)
      return absl::DataLossError(
          absl::StrCat("the checkpoint that was answered has no good line of ", witness));
    if (key.ok()) checked.insert(key->name);
  }
  return checked;
}

// The newest checkpoint that all of `witnesses` cosigned: the head of a proof of the first block,
// which stands in every log.
absl::StatusOr<std::string> WitnessedNote(Client* client, const std::vector<std::string>& witnesses,
                                          uint32_t wait_seconds) {
  ProofOptions options;
  options.ref = "1";
  options.witnesses = witnesses;
  options.wait_seconds = wait_seconds;
  ASSIGN_OR_RETURN(const v1::GetProofRequest request, ProofRequestOf(ProofOf::kBlock, options));
  ASSIGN_OR_RETURN(const v1::Proof proof, client->GetProof(request, nullptr));
  ASSIGN_OR_RETURN(ledger::TlogProof decoded, ledger::DecodeTlogProof(proof.file()));
  return std::move(decoded.checkpoint);
}

// Whether genesis and the epochs after it bear out what the validator answered. Of `checked`, the
// lines were checked.
absl::Status CheckNote(const Session& session, Client* client, const std::string& note,
                       const std::set<std::string>& checked) {
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, LoadGenesis(session.genesis));
  KnownEpochs known(ledger::LogPolicyOf(genesis));
  ledger::ProvenHead head;
  std::optional<ledger::Refusal> refusal = ledger::CheckHead(known.policies(), note, &head);
  if (refusal.has_value() && refusal->verdict == ledger::ProofVerdict::kUnknownEpoch) {
    RETURN_IF_ERROR(known.Fetch(client));
    refusal = ledger::CheckHead(known.policies(), note, &head);
  }
  if (refusal.has_value()) {
    return absl::DataLossError(
        absl::StrCat("the checkpoint does not verify under ", session.genesis, ": ",
                     ledger::ProofVerdictName(refusal->verdict), ": ", refusal->reason));
  }
  std::vector<std::string> names;
  for (const ledger::ProvenWitness& witness : head.witnesses) names.push_back(witness.name);
  *session.err << "verified under " << session.genesis << ": size " << head.checkpoint.size
               << ", cosigned by " << absl::StrJoin(names, " ") << '\n';
  const ledger::Policy& policy = ledger::PolicyOfHead(known.policies(), head);
  const std::string outside = absl::StrJoin(OtherNames(policy, note, checked), " ");
  if (!outside.empty())
    *session.err << "also with a line of " << ForTerminal(outside)
                 << ", not checked: genesis does not name it; a policy with --witness does\n";
  return absl::OkStatus();
}

}  // namespace

absl::Status RunLogCheckpoint(const Session& session, const std::vector<std::string>& witnesses,
                              uint32_t wait_seconds) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::Checkpoint checkpoint;
  std::set<std::string> checked;
  if (witnesses.empty()) {
    ASSIGN_OR_RETURN(checkpoint, client->GetCheckpoint());
  } else {
    ASSIGN_OR_RETURN(*checkpoint.mutable_note(),
                     WitnessedNote(client.get(), witnesses, wait_seconds));
    ASSIGN_OR_RETURN(checked, CheckOutsideLines(witnesses, checkpoint.note()));
  }
  if (session.genesis.empty()) {
    *session.err << "not verified: pass --genesis FILE to check the signatures\n";
  } else {
    RETURN_IF_ERROR(CheckNote(session, client.get(), checkpoint.note(), checked));
  }
  if (session.format == OutputFormat::kTable) {
    *session.out << checkpoint.note();
  } else if (witnesses.empty()) {
    session.PrintJson(ToJson(checkpoint));
  } else {
    session.PrintJson({{"note", checkpoint.note()}});
  }
  return absl::OkStatus();
}

absl::Status RunLogPolicy(const Session& session, const LogPolicyOptions& options) {
  if (session.genesis.empty()) return NoGenesis();
  ASSIGN_OR_RETURN(ledger::Policy validators, NewestPolicy(session, options.epochs, options.fetch));
  ASSIGN_OR_RETURN(const ledger::Policy policy,
                   WithOutsideWitnesses(std::move(validators), options.witnesses));
  const std::string text = ledger::EncodePolicy(policy);
  if (session.format == OutputFormat::kTable) {
    *session.out << text;
  } else {
    session.PrintJson({{"policy", text}});
  }
  return absl::OkStatus();
}

absl::Status RunLogEpochs(const Session& session, const std::string& path) {
  if (session.genesis.empty()) return NoGenesis();
  ASSIGN_OR_RETURN(const ledger::Genesis genesis, LoadGenesis(session.genesis));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const FetchedEpochs fetched, FetchEpochs(genesis, client.get()));
  RETURN_IF_ERROR(ledger::PosixFileSystem()->WriteAtomically(path, AsBytes(fetched.file)));
  const uint64_t epoch = fetched.genesis.epoch.value();
  if (session.format != OutputFormat::kTable) {
    session.PrintJson({{"file", path}, {"epoch", Number(epoch)}});
    return absl::OkStatus();
  }
  *session.err << ForTerminal(path) << ": " << fetched.file.size()
               << " bytes, from genesis to epoch " << epoch << " above height "
               << fetched.genesis.epoch_base.value() << ", verified under "
               << ForTerminal(session.genesis) << '\n';
  return absl::OkStatus();
}

}  // namespace vigil::client
