// A listing in the format that was asked for: a table, one JSON document, or a line per item.
#ifndef VIGIL_CLIENT_CLI_LISTING_H_
#define VIGIL_CLIENT_CLI_LISTING_H_

#include <string>
#include <utility>
#include <vector>

#include "client/cli/output.h"
#include "client/cli/session.h"

namespace vigil::client {

class Listing {
 public:
  // `session` must outlive the listing. `name` is the array's name in the JSON document.
  Listing(const Session& session, std::string name, std::vector<std::string> headings)
      : session_(session), name_(std::move(name)), table_(std::move(headings)) {
    document_[name_] = Json::array();
  }

  void Add(std::vector<std::string> row, Json item) {
    if (session_.format == OutputFormat::kTable) {
      table_.Add(std::move(row));
    } else if (session_.format == OutputFormat::kNdjson) {
      session_.PrintJson(item);
    } else {
      document_[name_].push_back(std::move(item));
    }
  }
  // A field beside the items, in JSON alone.
  void Set(const char* name, Json value) { document_[name] = std::move(value); }

  // Prints what was gathered. `more`: the option that asks for the next page; empty: no more.
  void Finish(const std::string& more) {
    if (session_.format == OutputFormat::kTable) table_.Print(*session_.out);
    if (session_.format == OutputFormat::kJson) {
      session_.PrintJson(document_);
    } else if (!more.empty()) {
      *session_.err << "more: " << ForTerminal(more) << '\n';
    }
  }

 private:
  const Session& session_;
  const std::string name_;
  Table table_;
  Json document_;
};

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_LISTING_H_
