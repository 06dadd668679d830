// Events as signed and hashed: canonical bytes of vigil.v1.Event (docs/formats.md, Event).
#ifndef VIGIL_CLIENT_LIB_EVENT_ENCODER_H_
#define VIGIL_CLIENT_LIB_EVENT_ENCODER_H_

#include <string>

#include "absl/status/statusor.h"
#include "ledger/crypto/keys.h"
#include "vigil/v1/event.pb.h"

namespace vigil::client {

// An event ready for a batch.
struct EncodedEvent {
  std::string bytes;
  uint64_t time_unix_nano = 0;
};

// Serialises `event`, after setting its schema and, when it has none, a salt from `salts`. The
// bytes have passed the scanner that validators admit events by.
//
// Errors: kInvalidArgument naming the field that is missing, too large or not canonical (an empty
// sub-message, for example).
absl::StatusOr<EncodedEvent> EncodeEvent(v1::Event* event, ledger::SaltSource* salts);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_LIB_EVENT_ENCODER_H_
