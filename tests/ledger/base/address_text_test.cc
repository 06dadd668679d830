#include "ledger/base/address_text.h"

#include <string>

#include "tests/support/catch.h"

namespace vigil {
namespace {

std::string TextOf(const std::string& bytes) { return AddressText(AsBytes(bytes)); }

TEST_CASE("address text: as RFC 5952 has it and nothing for what is no address", "[address_text]") {
  CHECK(TextOf(std::string("\x0a\x01\x00\x07", 4)) == "10.1.0.7");
  CHECK(TextOf(std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16)) == "2001:db8::1");
  CHECK(TextOf(std::string(16, '\0')) == "::");
  CHECK(TextOf("").empty());
  CHECK(TextOf("abc").empty());
  CHECK(TextOf(std::string(17, 'a')).empty());
}

}  // namespace
}  // namespace vigil
