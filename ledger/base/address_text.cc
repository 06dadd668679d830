#include "ledger/base/address_text.h"

#include <arpa/inet.h>

namespace vigil {

std::string AddressText(ByteSpan address) {
  if (address.size() != 4 && address.size() != 16) return "";
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof(text));
}

}  // namespace vigil
