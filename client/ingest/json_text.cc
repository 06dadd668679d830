#include "client/ingest/json_text.h"

#include "client/lib/terminal_text.h"

namespace vigil::client {

void AppendJsonString(std::string* out, absl::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  const size_t begun_at = out->size();
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (byte < 0x20) {
      out->append("\\u00");
      out->push_back(kHex[byte >> 4]);
      out->push_back(kHex[byte & 15]);
    } else {
      out->push_back(c);
    }
  }
  const std::string safe = ForTerminalJson(absl::string_view(*out).substr(begun_at));
  if (safe.size() != out->size() - begun_at) out->replace(begun_at, std::string::npos, safe);
  out->push_back('"');
}

}  // namespace vigil::client
