#include "client/cli/admin_commands.h"

#include <memory>

#include "client/lib/terminal_text.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {

absl::Status RunAdminTransfer(const Session& session, const std::string& to) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  ASSIGN_OR_RETURN(const v1::TransferLeadershipResponse response, client->TransferLeadership(to));
  if (session.format == OutputFormat::kTable) {
    *session.out << ForTerminal(response.leader()) << " leads\n";
  } else {
    session.PrintJson({{"leader", response.leader()}});
  }
  return absl::OkStatus();
}

}  // namespace vigil::client
