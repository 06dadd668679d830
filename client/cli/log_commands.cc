#include "client/cli/log_commands.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/outside_policy.h"
#include "client/cli/render.h"
#include "ledger/base/status_macros.h"
#include "ledger/chain/genesis.h"
#include "ledger/log/policy.h"
#include "ledger/state/log_keys.h"
#include "ledger/storage/file.h"

namespace vigil::client {
namespace {

absl::StatusOr<ledger::Policy> PolicyOf(const Session& session) {
  ASSIGN_OR_RETURN(const std::string bytes, ledger::PosixFileSystem()->ReadAll(session.genesis));
  const absl::StatusOr<ledger::Genesis> genesis = ledger::ParseGenesis(bytes);
  if (!genesis.ok()) return Annotate(genesis.status(), session.genesis);
  return ledger::LogPolicyOf(*genesis);
}

// Names on the lines of `note` that are of no key of `policy`.
std::set<std::string> OtherNames(const ledger::Policy& policy, const std::string& note) {
  std::set<std::string> names;
  const absl::StatusOr<ledger::SignedNote> decoded = ledger::DecodeNote(note);
  if (!decoded.ok()) return names;
  for (const ledger::NoteSignature& line : decoded->signatures) names.insert(line.name);
  for (const ledger::PolicyLog& log : policy.logs) names.erase(log.key.name);
  for (const ledger::PolicyWitness& witness : policy.witnesses) names.erase(witness.key.name);
  return names;
}

// Whether genesis bears out what the validator answered.
absl::Status CheckNote(const Session& session, const std::string& note) {
  ASSIGN_OR_RETURN(const ledger::Policy policy, PolicyOf(session));
  const absl::StatusOr<ledger::CheckpointVerdict> verdict = ledger::CheckCheckpoint(policy, note);
  if (!verdict.ok()) {
    return absl::DataLossError(absl::StrCat("the checkpoint does not verify under ",
                                            session.genesis, ": ", verdict.status().message()));
  }
  if (!verdict->quorum) {
    return absl::DataLossError(absl::StrCat("the checkpoint has no quorum under ", session.genesis,
                                            ": ", verdict->missing));
  }
  *session.err << "verified under " << session.genesis << ": size " << verdict->checkpoint.size
               << ", cosigned by " << absl::StrJoin(verdict->witnesses, " ") << '\n';
  const std::string outside = absl::StrJoin(OtherNames(policy, note), " ");
  if (!outside.empty())
    *session.err << "also with a line of " << ForTerminal(outside)
                 << ", not checked: genesis does not name it; a policy with --witness does\n";
  return absl::OkStatus();
}

}  // namespace

absl::Status RunLogCheckpoint(const Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Checkpoint checkpoint, client->GetCheckpoint());
  if (session.genesis.empty()) {
    *session.err << "not verified: pass --genesis FILE to check the signatures\n";
  } else {
    RETURN_IF_ERROR(CheckNote(session, checkpoint.note()));
  }
  if (session.format == OutputFormat::kTable) {
    *session.out << checkpoint.note();
  } else {
    session.PrintJson(ToJson(checkpoint));
  }
  return absl::OkStatus();
}

absl::Status RunLogPolicy(const Session& session, const std::vector<std::string>& witnesses) {
  if (session.genesis.empty()) {
    return absl::InvalidArgumentError(
        "no genesis: pass --genesis FILE; it must be the file you trust");
  }
  ASSIGN_OR_RETURN(ledger::Policy validators, PolicyOf(session));
  ASSIGN_OR_RETURN(const ledger::Policy policy,
                   WithOutsideWitnesses(std::move(validators), witnesses));
  const std::string text = ledger::EncodePolicy(policy);
  if (session.format == OutputFormat::kTable) {
    *session.out << text;
  } else {
    session.PrintJson({{"policy", text}});
  }
  return absl::OkStatus();
}

}  // namespace vigil::client
