// An IP address as people write it.
#ifndef VIGIL_LEDGER_BASE_ADDRESS_TEXT_H_
#define VIGIL_LEDGER_BASE_ADDRESS_TEXT_H_

#include <string>

#include "ledger/base/bytes.h"

namespace vigil {

// "192.0.2.1" or, shortened as RFC 5952 has it, "2001:db8::1"; empty when it is neither 4 nor 16
// bytes.
std::string AddressText(ByteSpan address);

}  // namespace vigil

#endif  // VIGIL_LEDGER_BASE_ADDRESS_TEXT_H_
