#include "node/app/config_file.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "ledger/base/status_macros.h"

namespace vigil::node {
namespace {

// A file of a few kilobytes; anything larger is no configuration.
constexpr uintmax_t kFileBytesMax = 1 << 20;

class FileReader {
 public:
  FileReader(std::string path, LoadedConfig* loaded)
      : path_(std::move(path)),
        folder_(std::filesystem::path(path_).parent_path()),
        loaded_(loaded) {}

  absl::Status ReadTable(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string(name.str());
      if (key == "peers" && node.is_array()) {
        RETURN_IF_ERROR(ReadPeers(*node.as_array()));
      } else if (key == "witnesses" && node.is_array()) {
        RETURN_IF_ERROR(ReadWitnesses(*node.as_array()));
      } else if (node.is_table()) {
        RETURN_IF_ERROR(ReadTable(*node.as_table(), key + "."));
      } else {
        RETURN_IF_ERROR(ReadValue(key, node));
      }
    }
    return absl::OkStatus();
  }

  absl::Status At(const toml::source_region& where, absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ":", where.begin.line, ":", where.begin.column, ": ", what));
  }

 private:
  absl::Status ReadValue(const std::string& name, const toml::node& node) {
    const ConfigKey* key = FindConfigKey(name);
    if (key == nullptr) {
      return At(node.source(), absl::StrCat("unknown key '", name, "'; did you mean '",
                                            NearestConfigKey(name), "'?"));
    }
    // `"listen.api"` in quotes is the same key as api of [listen].
    const auto [seen, first] = seen_.emplace(name, node.source().begin.line);
    if (!first) {
      return At(node.source(),
                absl::StrCat("'", name, "' is set twice, first in line ", seen->second));
    }
    if (key->flag_only) return At(node.source(), FlagOnlyError(*key));
    std::string text;
    if (node.is_string()) {
      text = node.as_string()->get();
    } else if (node.is_integer()) {
      text = absl::StrCat(node.as_integer()->get());
    } else if (node.is_boolean()) {
      text = node.as_boolean()->get() ? "true" : "false";
    } else {
      return At(node.source(),
                absl::StrCat(name, ": a string, whole number or true/false belongs here"));
    }
    if (key->is_path && !text.empty()) text = (folder_ / text).lexically_normal().string();
    const absl::Status status = key->set(text, &loaded_->config);
    if (!status.ok()) return At(node.source(), absl::StrCat(name, ": ", status.message()));
    Note(name, node);
    return absl::OkStatus();
  }

  // Two strings of a table of an array of tables: every other key is refused.
  absl::Status ReadPair(const toml::node& element, absl::string_view array,
                        absl::string_view first_name, std::string* first,
                        absl::string_view second_name, std::string* second) {
    const toml::table* table = element.as_table();
    if (table == nullptr) {
      return At(element.source(), absl::StrCat(array, ": write [[", array, "]] tables"));
    }
    for (const auto& [name, node] : *table) {
      const std::string key(name.str());
      std::string* field = key == first_name ? first : key == second_name ? second : nullptr;
      if (field == nullptr || !node.is_string()) {
        return At(node.source(), absl::StrCat(array, ".", key, ": only the strings ", first_name,
                                              " and ", second_name, " belong here"));
      }
      *field = node.as_string()->get();
    }
    return absl::OkStatus();
  }

  absl::Status ReadPeers(const toml::array& peers) {
    loaded_->config.peers.clear();
    for (const toml::node& element : peers) {
      PeerAddress peer;
      RETURN_IF_ERROR(
          ReadPair(element, "peers", "identity", &peer.identity, "address", &peer.address));
      for (const PeerAddress& other : loaded_->config.peers) {
        if (other.identity != peer.identity) continue;
        return At(element.source(),
                  absl::StrCat("peers: '", peer.identity, "' is there twice; remove one"));
      }
      if (peer.identity.empty() || peer.address.empty()) {
        return At(element.source(),
                  "a peer needs identity = \"org/name\" and address = \"host:port\"");
      }
      loaded_->config.peers.push_back(peer);
      Note("peers", element);
    }
    return absl::OkStatus();
  }

  absl::Status ReadWitnesses(const toml::array& witnesses) {
    loaded_->config.witnesses.clear();
    for (const toml::node& element : witnesses) {
      WitnessAddress witness;
      RETURN_IF_ERROR(ReadPair(element, "witnesses", "vkey", &witness.vkey, "url", &witness.url));
      if (witness.vkey.empty() || witness.url.empty()) {
        return At(element.source(),
                  "a witness needs vkey = \"name+hash+key\" and url = \"https://host/prefix\"");
      }
      const absl::Status status = CheckWitnessAddress(witness);
      if (!status.ok()) {
        return At(element.source(), absl::StrCat("witnesses: ", status.message()));
      }
      loaded_->config.witnesses.push_back(witness);
      Note("witnesses", element);
    }
    return absl::OkStatus();
  }

  void Note(const std::string& key, const toml::node& node) {
    loaded_->origin[key] =
        absl::StrCat(path_, ":", node.source().begin.line, ":", node.source().begin.column);
  }

  const std::string path_;
  const std::filesystem::path folder_;
  LoadedConfig* const loaded_;
  std::map<std::string, uint32_t> seen_;  // Key to the line where it was set.
};

}  // namespace

absl::Status ReadConfigFile(const std::string& path, LoadedConfig* loaded) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return absl::NotFoundError(absl::StrCat("config ", path, ": ", error.message()));
  if (size > kFileBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("config ", path, ": ", size, " bytes, at most ", kFileBytesMax));
  }
  FileReader reader(path, loaded);
  const toml::parse_result parsed = toml::parse_file(path);
  if (!parsed) return reader.At(parsed.error().source(), std::string(parsed.error().description()));
  return reader.ReadTable(parsed.table(), "");
}

}  // namespace vigil::node
