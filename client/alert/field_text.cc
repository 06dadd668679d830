#include "client/alert/field_text.h"

#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "detector/features/text_shape.h"
#include "ledger/base/address_text.h"
#include "ledger/crypto/sha256_bytes.h"

namespace vigil::client {
namespace {

using detector::kMissing;

// Tokens of texts up to seven bytes carry their length in the top byte; numbers lie below.
constexpr int64_t kTextTokenMin = int64_t{1} << 56;

// The /24 or /48 that a number stands for.
std::string NetworkText(int64_t network) {
  const bool is_six = network >> 48 == 1;
  std::vector<uint8_t> ip;
  for (int shift = is_six ? 40 : 16; shift >= 0; shift -= 8) {
    ip.push_back(static_cast<uint8_t>(network >> shift));
  }
  ip.resize(is_six ? 16 : 4);
  return absl::StrCat(AddressText(ip), is_six ? "/48" : "/24");
}

std::string AddressClassText(int64_t number) {
  static constexpr std::array<std::string_view, 9> kFour = {"",
                                                            "private",
                                                            "loopback",
                                                            "link-local",
                                                            "multicast",
                                                            "broadcast",
                                                            "shared (carrier-grade NAT)",
                                                            "reserved",
                                                            "public"};
  static constexpr std::array<std::string_view, 9> kSix = {
      "", "unique local", "loopback", "link-local", "multicast", "", "", "unspecified", "global"};
  const bool is_six = number > 10;
  const int64_t place = is_six ? number - 10 : number;
  if (place < 1 || place > 8) return absl::StrCat(number);
  const std::string_view name = (is_six ? kSix : kFour)[static_cast<size_t>(place)];
  return absl::StrCat(std::string(name), is_six ? " (IPv6)" : "");
}

// Texts of the event, and the parts of them that readers look at.
std::vector<std::string_view> TextsOf(const EventView& event) {
  std::vector<std::string_view> texts = {
      event.source,       event.source_uid,      event.event_id,     event.user,
      event.user_uid,     event.domain,          event.process,      event.path,
      event.parent,       event.session,         event.rule_uid,     event.rule_name,
      event.first_attack, event.app_protocol,    event.file_name,    event.file_path,
      event.status_code,  event.device.hostname, event.src.hostname, event.dst.hostname,
      event.url_or_query};
  const detector::UrlParts url = detector::SplitUrl(event.url_or_query);
  texts.push_back(url.host);
  texts.push_back(url.path);
  const size_t whole = texts.size();
  for (size_t i = 0; i < whole; ++i) {
    const std::string_view text = texts[i];
    for (size_t at = 0; at < text.size(); ++at) {
      const bool splits = text[at] == '.' || text[at] == '/' || text[at] == '\\';
      if (!splits) continue;
      texts.push_back(text.substr(at + 1));
      texts.push_back(text.substr(0, at));
    }
  }
  return texts;
}

std::string TokenText(const EventView& event, int64_t token) {
  for (const EndpointView* endpoint : {&event.device, &event.src, &event.dst}) {
    if (endpoint->ip.empty()) continue;
    const std::string_view raw(reinterpret_cast<const char*>(endpoint->ip.data()),
                               endpoint->ip.size());
    if (detector::TokenOf(raw, &ledger::Sha256Bytes) == token) return AddressText(endpoint->ip);
  }
  for (const std::string_view text : TextsOf(event)) {
    if (text.empty()) continue;
    if (detector::TokenOf(text, &ledger::Sha256Bytes) == token ||
        detector::FoldedTokenOf(text, &ledger::Sha256Bytes) == token) {
      return std::string(text);
    }
  }
  if (token < 0) return "(a long text)";
  std::string text;
  for (int left = static_cast<int>(token >> 56) - 1; left >= 0; --left) {
    text.push_back(static_cast<char>(token >> (8 * left)));
  }
  return text;
}

}  // namespace

std::string FieldText(const EventView& event, const detector::FieldSpec& field, int64_t value) {
  if (value == kMissing) return "(none)";
  if (field.kind != detector::FeatureKind::kCategory) return absl::StrCat(value);
  if (value < 0 || value >= kTextTokenMin) return TokenText(event, value);
  if (field.name == "dst_network") return NetworkText(value);
  if (field.name == "src_address_class" || field.name == "dst_address_class") {
    return AddressClassText(value);
  }
  if (field.name == "dst_port" && value == 32'768) return "32768 or higher";
  if (field.name == "src_port_class") {
    if (value == 1024) return "1024 to 32767";
    if (value == 32'768) return "32768 or higher";
  }
  return absl::StrCat(value);
}

}  // namespace vigil::client
