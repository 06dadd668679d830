#include "client/cli/chain_commands.h"

#include <chrono>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/listing.h"
#include "client/cli/render.h"
#include "ledger/base/bytes.h"
#include "ledger/base/status_macros.h"

namespace vigil::client {
namespace {

// What a page of the table shows of a hash that nobody types.
std::vector<std::string> BlockRow(const v1::Block& block) {
  return {absl::StrCat(block.height()),       ShortHex(block.hash()),
          TimeText(block.time_unix_millis()), block.proposer(),
          absl::StrCat(block.view()),         absl::StrCat(block.record_count()),
          absl::StrCat(block.event_count()),  absl::StrCat(block.bytes()),
          block.final() ? "yes" : "no"};
}
std::vector<std::string> BlockHeadings() {
  return {"HEIGHT", "HASH", "TIME", "PROPOSER", "VIEW", "RECORDS", "EVENTS", "BYTES", "FINAL"};
}

void PrintBlockFacts(const Session& session, const v1::Block& block) {
  Facts facts;
  facts.Add("height", absl::StrCat(block.height()));
  facts.Add("hash", HexEncode(AsBytes(block.hash())));
  facts.Add("parent", HexEncode(AsBytes(block.parent_hash())));
  facts.Add("time", TimeText(block.time_unix_millis()));
  facts.Add("proposer", block.proposer());
  facts.Add("epoch, view", absl::StrCat(block.epoch(), ", ", block.view()));
  facts.Add("records",
            absl::StrCat(block.record_count(), " from index ", block.first_record_index(), ", ",
                         block.event_count(), " events, ", block.bytes(), " bytes"));
  facts.Add("body root", HexEncode(AsBytes(block.body_root())));
  facts.Add("executed height", absl::StrCat(block.executed_height()));
  facts.Add("state digest", HexEncode(AsBytes(block.state_digest())));
  facts.Add("results root", HexEncode(AsBytes(block.results_root())));
  facts.Add("signature", HexEncode(AsBytes(block.signature())));
  facts.Add("final", block.final() ? "yes, cosigned by " + absl::StrJoin(block.cosigners(), " ")
                                   : std::string("no"));
  facts.Print(*session.out);
  if (block.records_size() == 0) return;
  *session.out << '\n';
  Table table({"RECORD", "KIND", "AUTHOR", "RESULT", "ITEMS", "LEAF"});
  for (const v1::RecordSummary& record : block.records()) {
    table.Add({absl::StrCat(record.record_index()), record.kind_name(), record.author(),
               ResultName(record.result()), absl::StrCat(record.item_count()),
               ShortHex(record.leaf_hash())});
  }
  table.Print(*session.out);
}

// Whether two validators show different state at the same height.
std::string Disagreement(const std::vector<v1::Status>& statuses) {
  std::map<uint64_t, const v1::Status*> by_height;
  for (const v1::Status& status : statuses) {
    const auto [entry, added] = by_height.emplace(status.executed_height(), &status);
    if (!added && entry->second->state_digest() != status.state_digest()) {
      return absl::StrCat(entry->second->validator(), " and ", status.validator(),
                          " show different state digests at height ", status.executed_height());
    }
  }
  return "";
}

// A validator this far behind what is committed is worth a word.
constexpr uint64_t kLagHealthy = 64;

// Who needs what the leader has not kept, and what to do; empty when nobody does.
std::string Lacking(const std::vector<v1::Status>& statuses) {
  for (const v1::Status& status : statuses) {
    for (const v1::PeerStatus& peer : status.peers()) {
      if (peer.needs_height() == 0) continue;
      return absl::StrCat(peer.validator(), " needs block ", peer.needs_height(), ", ",
                          peer.needs_why(), " (", status.validator(),
                          "): let it join anew with: vigild rejoin --even-if-sound");
    }
  }
  return "";
}

// Who is far behind, as the leader sees it at one moment; empty when nobody is.
std::string Lagging(const std::vector<v1::Status>& statuses) {
  for (const v1::Status& status : statuses) {
    if (status.role() != "leader") continue;
    for (const v1::PeerStatus& peer : status.peers()) {
      if (peer.validator() == status.validator()) continue;
      if (peer.match_height() + kLagHealthy >= status.committed_height()) continue;
      return absl::StrCat(peer.validator(), " lags: the leader knows it to have ",
                          peer.match_height(), " of ", status.committed_height(), " blocks",
                          peer.connected() ? "" : ", and is not connected to it",
                          "; its own log and the leader's say why");
    }
  }
  return "";
}

// A validator that gave no answer.
struct Unreachable {
  std::string endpoint;
  std::string why;
};

// Why the network is not healthy; empty when it is.
std::string Unhealthy(const std::vector<v1::Status>& statuses,
                      const std::vector<Unreachable>& unreachable) {
  const std::string disagreement = Disagreement(statuses);
  if (!disagreement.empty()) return disagreement;
  for (const v1::Status& status : statuses) {
    if (status.role() == "refusing")
      return absl::StrCat(status.validator(), " refuses to vote: ", status.refusing_reason());
    if (!status.scrub().problem().empty())
      return absl::StrCat(status.validator(), ": ", status.scrub().problem());
    if (!status.log().refusing_reason().empty())
      return absl::StrCat(status.validator(),
                          " cosigns nothing any more: ", status.log().refusing_reason());
  }
  for (const v1::Status& status : statuses) {
    if (status.role() == "non-voter")
      return absl::StrCat(status.validator(), " may not vote until a quorum has confirmed where ",
                          "things stand (docs/operating.md, When a node refuses)");
  }
  const bool led = std::any_of(statuses.begin(), statuses.end(),
                               [](const v1::Status& status) { return !status.leader().empty(); });
  const size_t asked = statuses.size() + unreachable.size();
  if (!led)
    return absl::StrCat("no leader is known; ", statuses.size(), " of ", asked,
                        " validators answer, a quorum is ", asked / 2 + 1);
  if (!unreachable.empty())
    return absl::StrCat(statuses.size(), " of ", asked, " validators answer, a quorum is ",
                        asked / 2 + 1);
  for (const v1::Status& status : statuses) {
    if (status.executed_height() + kLagHealthy < status.committed_height())
      return absl::StrCat(status.validator(), " has executed ", status.executed_height(), " of ",
                          status.committed_height(), " committed blocks");
  }
  const std::string lacking = Lacking(statuses);
  return lacking.empty() ? Lagging(statuses) : lacking;
}

void PrintStatusTable(const Session& session, const std::vector<v1::Status>& statuses,
                      const std::vector<Unreachable>& unreachable) {
  Table table({"VALIDATOR", "ROLE", "VIEW", "COMMITTED", "EXECUTED", "FINAL", "SNAPSHOT", "EVENTS",
               "ALERTS", "CONFIRMED", "STATE DIGEST", "MODELS"});
  for (const v1::Status& status : statuses) {
    std::vector<std::string> models;
    for (const v1::ModelStatus& model : status.models()) {
      models.push_back(absl::StrCat(EventTypeName(model.event_type()), " ",
                                    ShortHex(model.digest()).substr(0, 8),
                                    model.active() ? "" : " (waiting)"));
    }
    table.Add({status.validator(), status.role(), absl::StrCat(status.view()),
               absl::StrCat(status.committed_height()), absl::StrCat(status.executed_height()),
               absl::StrCat(status.final_height()), absl::StrCat(status.snapshot().height()),
               absl::StrCat(status.event_count()), absl::StrCat(status.alert_count()),
               absl::StrCat(status.alert_confirmed_count()), ShortHex(status.state_digest()),
               absl::StrJoin(models, ", ")});
  }
  for (const Unreachable& one : unreachable) {
    table.Add({one.endpoint, "unreachable", "", "", "", "", "", "", "", "", "", ""});
  }
  table.Print(*session.out);
}

// What `status` still lacks of `options`; empty when nothing.
std::string Missing(const WaitOptions& options, const v1::Status& status) {
  if (options.leader && status.leader().empty()) return "no leader is known";
  if (status.event_count() < options.events)
    return absl::StrCat(status.event_count(), " of ", options.events, " events");
  if (status.alert_confirmed_count() < options.alerts_confirmed)
    return absl::StrCat(status.alert_confirmed_count(), " of ", options.alerts_confirmed,
                        " confirmed alerts");
  std::set<uint32_t> active;
  for (const v1::ModelStatus& model : status.models()) {
    if (model.active()) active.insert(model.event_type());
  }
  if (active.size() < options.models)
    return absl::StrCat(active.size(), " of ", options.models, " active models");
  return "";
}

std::string MissingAnywhere(Client* client, const WaitOptions& options) {
  std::string missing = "no validator answers";
  for (size_t i = 0; i < client->endpoint_count(); ++i) {
    const absl::StatusOr<v1::Status> status = client->GetStatusOf(i);
    const std::string here =
        status.ok() ? Missing(options, *status) : std::string(status.status().message());
    if (here.empty() && !options.all) return "";
    if (!here.empty() && options.all) return absl::StrCat(client->endpoint(i), ": ", here);
    missing = here;
  }
  return options.all ? "" : missing;
}

}  // namespace

absl::Status RunStatus(const Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  std::vector<v1::Status> statuses;
  std::vector<Unreachable> unreachable;
  absl::Status last_error;
  for (size_t i = 0; i < client->endpoint_count(); ++i) {
    absl::StatusOr<v1::Status> status = client->GetStatusOf(i);
    if (status.ok()) {
      statuses.push_back(*std::move(status));
      continue;
    }
    last_error = status.status();
    unreachable.push_back({client->endpoint(i), std::string(last_error.message())});
    *session.err << "unreachable: " << ForTerminal(last_error.message()) << '\n';
  }
  if (statuses.empty()) return last_error;
  if (session.format == OutputFormat::kTable) {
    PrintStatusTable(session, statuses, unreachable);
  } else {
    Json all = Json::array();
    for (const v1::Status& status : statuses) all.push_back(ToJson(status));
    for (const Unreachable& one : unreachable)
      all.push_back({{"endpoint", one.endpoint}, {"role", "unreachable"}, {"why", one.why}});
    if (session.format == OutputFormat::kNdjson) {
      for (const Json& one : all) session.PrintJson(one);
    } else {
      session.PrintJson(all);
    }
  }
  for (const v1::Status& status : statuses) {
    if (status.log().fork_count() > 0)
      *session.err << status.validator() << ": " << status.log().fork_count()
                   << " checkpoints of other validators contradict its chain; evidence lies in its "
                      "data folder under log/evidence\n";
  }
  const std::string unhealthy = Unhealthy(statuses, unreachable);
  return unhealthy.empty() ? absl::OkStatus() : absl::FailedPreconditionError(unhealthy);
}

absl::Status RunWait(const Session& session, const WaitOptions& options) {
  Session patient = session;
  patient.client.timeout_millis = 1000;
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, patient.Connect());
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(options.timeout_seconds);
  for (;;) {
    const std::string missing = MissingAnywhere(client.get(), options);
    if (missing.empty()) return absl::OkStatus();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return absl::DeadlineExceededError(
          absl::StrCat("after ", options.timeout_seconds, " s: ", missing));
    client->WaitForBlock(std::min<int64_t>(left.count(), 500));
  }
}

absl::Status RunBlockList(const Session& session, const BlockListOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::ListBlocksRequest request;
  request.set_from_height(options.from);
  request.set_limit(options.limit);
  request.set_ascending(options.ascending);
  ASSIGN_OR_RETURN(const v1::ListBlocksResponse page, client->ListBlocks(request));
  Listing listing(session, "blocks", BlockHeadings());
  for (const v1::Block& block : page.blocks()) listing.Add(BlockRow(block), ToJson(block));
  listing.Set("next_height", Number(page.next_height()));
  listing.Finish(page.next_height() == 0 ? ""
                                         : absl::StrCat("--from ", page.next_height(),
                                                        options.ascending ? " --ascending" : ""));
  return absl::OkStatus();
}

absl::Status RunBlockGet(const Session& session, const std::string& which) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::GetBlockRequest request;
  uint64_t height = 0;
  if (absl::SimpleAtoi(which, &height)) {
    request.set_height(height);
  } else {
    const absl::StatusOr<Hash> hash = Hash::FromHex(which);
    if (!hash.ok())
      return absl::InvalidArgumentError(
          absl::StrCat("'", which, "' where a height or a block hash of 64 hex digits belongs"));
    request.set_hash(std::string(hash->view()));
  }
  ASSIGN_OR_RETURN(const v1::Block block, client->GetBlock(request));
  if (session.format == OutputFormat::kTable) {
    PrintBlockFacts(session, block);
  } else {
    session.PrintJson(ToJson(block));
  }
  return absl::OkStatus();
}

absl::Status RunBlockWatch(const Session& session, uint64_t from, uint64_t count) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::SubscribeRequest request;
  request.set_kind(v1::FEED_BLOCKS);
  request.set_from_height(from);
  uint64_t seen = 0;
  return client->Subscribe(request, [&](const v1::FeedItem& item) {
    const v1::Block& block = item.block();
    if (session.format == OutputFormat::kTable) {
      *session.out << ForTerminal(absl::StrJoin(BlockRow(block), "  ")) << std::endl;
    } else {
      *session.out << JsonText(ToJson(block), -1) << std::endl;
    }
    return session.out->good() && (count == 0 || ++seen < count);
  });
}

absl::Status RunRecordGet(const Session& session, const std::string& which) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::GetRecordRequest request;
  uint64_t index = 0;
  if (absl::SimpleAtoi(which, &index)) {
    request.set_record_index(index);
  } else {
    const absl::StatusOr<Hash> hash = Hash::FromHex(which);
    if (!hash.ok())
      return absl::InvalidArgumentError(absl::StrCat(
          "'", which, "' where a record index or a leaf hash of 64 hex digits belongs"));
    request.set_leaf_hash(std::string(hash->view()));
  }
  ASSIGN_OR_RETURN(const v1::Record record, client->GetRecord(request));
  if (session.format != OutputFormat::kTable) {
    session.PrintJson(ToJson(record));
    return absl::OkStatus();
  }
  const v1::RecordSummary& summary = record.summary();
  Facts facts;
  facts.Add("record", absl::StrCat(summary.record_index(), " in block ", record.height()));
  facts.Add("kind", summary.kind_name());
  facts.Add("author", summary.author());
  facts.Add("result", ResultName(summary.result()));
  facts.Add("leaf hash", HexEncode(AsBytes(summary.leaf_hash())));
  facts.Add("items", absl::StrCat(summary.item_count()));
  facts.Add("leaf", absl::StrCat(record.leaf().size(), " bytes"));
  facts.Add("payload", absl::StrCat(record.payload().size(), " bytes"));
  facts.Print(*session.out);
  return absl::OkStatus();
}

absl::Status RunModels(const Session& session, uint32_t limit) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, session.Connect());
  v1::ListModelsRequest request;
  request.set_limit(limit);
  ASSIGN_OR_RETURN(const v1::ListModelsResponse response, client->ListModels(request));
  Listing listing(session, "models",
                  {"TYPE", "PERIOD", "DIGEST", "ROWS", "THRESHOLD", "ACTIVE FROM", "DRIFT NOTICE",
                   "COMMITTED BY"});
  for (const v1::Model& model : response.models()) {
    listing.Add({std::string(EventTypeName(model.event_type())), absl::StrCat(model.period()),
                 ShortHex(model.digest()), absl::StrCat(model.row_count()),
                 BitsText(model.threshold_q8()) + " bits",
                 model.active() ? absl::StrCat("block ", model.active_from_height()) : "not active",
                 DriftNoticeText(model.drift_period(), model.drifted()),
                 absl::StrJoin(model.committed_by(), " ")},
                ToJson(model));
  }
  listing.Finish("");
  return absl::OkStatus();
}

}  // namespace vigil::client
