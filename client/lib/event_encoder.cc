#include "client/lib/event_encoder.h"

#include <utility>

#include "ledger/base/status_macros.h"
#include "ledger/chain/scanner.h"

namespace vigil::client {

absl::StatusOr<EncodedEvent> EncodeEvent(v1::Event* event, ledger::SaltSource* salts) {
  event->set_schema(1);
  if (event->salt().empty()) {
    const auto salt = salts->Next();
    event->set_salt(salt.data(), salt.size());
  }
  EncodedEvent encoded;
  encoded.time_unix_nano = event->time_unix_nano();
  if (!event->SerializeToString(&encoded.bytes)) {
    return absl::InvalidArgumentError("event: text is not UTF-8");
  }
  EventView view;
  RETURN_IF_ERROR(ledger::ScanEvent(AsBytes(encoded.bytes), &view));
  return encoded;
}

}  // namespace vigil::client
