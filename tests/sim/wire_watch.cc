#include "tests/sim/wire_watch.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace vigil::sim {
namespace {

// docs/formats/peer_frame.md, docs/formats/raft.md.
enum Type : uint8_t { kHello = 1, kConsensus, kForward, kForwardRefused, kCosignature, kFetch };
enum Kind : uint8_t { kPreVote = 1, kVote, kPreVoteReply, kVoteReply, kAppend, kAppendReply };
constexpr size_t kHeaderOffset = 2;  // Of a block frame.
constexpr size_t kHeaderSize = 350;  // docs/formats.md, Header.

class Bytes {
 public:
  explicit Bytes(absl::string_view bytes) : bytes_(bytes) {}
  uint64_t Number(size_t size) {
    uint64_t value = 0;
    for (const char byte : Take(size)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  absl::string_view Prefixed() { return Take(Number(4)); }
  absl::string_view Take(size_t size) {
    if (size > bytes_.size()) {
      short_ = true;
      bytes_ = {};
      return {};
    }
    const absl::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  bool is_short() const { return short_; }

 private:
  absl::string_view bytes_;
  bool short_ = false;
};

struct Message {
  uint8_t kind = 0;
  uint64_t epoch = 0;
  uint64_t term = 0;
  uint64_t campaign = 0;
  uint64_t height = 0;  // Last one, of the previous block, or matched.
  uint64_t committed = 0;
  uint64_t result = 0;
  bool granted = false;
  std::vector<absl::string_view> blocks;
};

std::optional<Message> ReadMessage(absl::string_view body) {
  Bytes frame(body);
  Bytes header(frame.Prefixed());
  Message message;
  header.Number(1);
  message.kind = static_cast<uint8_t>(header.Number(1));
  message.epoch = header.Number(8);
  message.term = header.Number(8);
  if (message.kind <= kVoteReply) {
    message.campaign = header.Number(8);
    if (message.kind == kPreVote || message.kind == kVote) message.height = header.Number(8);
    if (message.kind == kPreVoteReply || message.kind == kVoteReply) {
      message.granted = header.Number(1) == 1;
    }
  } else if (message.kind == kAppend) {
    header.Take(8 + 8 + 1);  // Round, session, confirmed.
    message.height = header.Number(8);
    header.Take(8 + 32);
    message.committed = header.Number(8);
  } else {
    header.Take(8 + 8 + 1);  // Round, session, voter.
    message.result = header.Number(1);
    message.height = header.Number(8);
    const uint64_t rejected = header.Number(8);
    if (message.result == 2) message.height = rejected;
  }
  const uint64_t count = frame.Number(4);
  for (uint64_t i = 0; i < count && !frame.is_short(); ++i) {
    message.blocks.push_back(frame.Prefixed());
  }
  if (header.is_short() || frame.is_short()) return std::nullopt;
  return message;
}

// FNV-1a: tells two headers apart.
uint64_t Fingerprint(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3ULL;
  return hash;
}

struct Checkpoint {
  std::string size;
  std::string root;
  uint64_t epoch = 0;  // That the cosigner names (docs/formats/transparency_log.md).
};
std::optional<Checkpoint> ReadCheckpoint(absl::string_view body) {
  Bytes frame(body);
  frame.Number(1);
  const std::vector<std::string> lines = absl::StrSplit(frame.Prefixed(), '\n');
  if (frame.is_short() || lines.size() < 3) return std::nullopt;
  Checkpoint checkpoint{.size = lines[1], .root = lines[2], .epoch = 0};
  for (const absl::string_view line : lines) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    if (words.size() != 3 || words[0] != "\u2014" || !absl::StrContains(words[1], "/v/")) continue;
    if (!absl::SimpleAtoi(words[1].substr(words[1].rfind('/') + 1), &checkpoint.epoch)) return {};
  }
  return checkpoint;
}

}  // namespace

std::string WireWatch::OnFrame(uint32_t from, uint32_t to, absl::string_view frame) {
  if (frame.empty()) return absl::StrCat("node ", from, " sends an empty frame");
  const absl::string_view body = frame.substr(1);
  if (frame[0] == kConsensus) return OnConsensus(from, to, body);
  if (frame[0] == kCosignature) return OnCosignature(from, body);
  return "";
}

std::string WireWatch::OnConsensus(uint32_t from, uint32_t to, absl::string_view body) {
  const std::optional<Message> message = ReadMessage(body);
  if (!message.has_value()) return absl::StrCat("node ", from, " sends a frame that is cut off");
  std::string wrong;
  if (message->kind == kVoteReply && message->granted) {
    wrong = OnVote(from, to, message->epoch, message->campaign);
  }
  if (message->kind == kVote) wrong = OnVote(from, from, message->epoch, message->campaign);
  if (!wrong.empty()) return wrong;
  if (message->kind == kAppend) {
    if (sets_ != nullptr) wrong = sets_->OnAppend(message->epoch, message->committed);
    if (!wrong.empty()) return wrong;
    const Term term = {message->epoch, message->term};
    const uint32_t leader = leaders_.emplace(term, from).first->second;
    if (leader != from) {
      return absl::StrCat("term ", term.second, " is led by ", leader, " and by ", from);
    }
  }
  for (const absl::string_view block : message->blocks) {
    wrong = OnBlock(block);
    if (wrong.empty() && sets_ != nullptr) wrong = sets_->OnBlockFrame(block);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string WireWatch::OnVote(uint32_t voter, uint32_t candidate, uint64_t epoch, uint64_t term) {
  const auto first = votes_.emplace(std::pair(Term(epoch, term), voter), candidate).first->second;
  if (first != candidate) {
    return absl::StrCat("node ", voter, " grants its vote of term ", term, " to ", first,
                        " and to ", candidate);
  }
  std::map<uint64_t, uint64_t>& last = last_vote_[voter];
  uint64_t& own = last[epoch];
  own = std::max(own, term);
  const auto here = last.find(epoch);
  if (here != last.begin() && std::prev(here)->second >= term) {
    return absl::StrCat("node ", voter, " votes in term ", term, " of epoch ", epoch,
                        ", and in term ", std::prev(here)->second, " of the epoch before");
  }
  return "";
}

std::string WireWatch::OnBlock(absl::string_view frame) {
  if (frame.size() < kHeaderOffset + kHeaderSize) return "a block frame is too short";
  const absl::string_view header = frame.substr(kHeaderOffset, kHeaderSize);
  Bytes bytes(header.substr(34));
  const uint64_t epoch = bytes.Number(8);
  const uint64_t view = bytes.Number(8);
  const uint64_t height = bytes.Number(8);
  const auto proposer = static_cast<uint32_t>(Bytes(header.substr(346)).Number(4));
  const uint64_t fingerprint = Fingerprint(header);
  const auto key = std::tuple(Term(epoch, view), height, proposer);
  if (proposed_.emplace(key, fingerprint).first->second != fingerprint) {
    return absl::StrCat("node ", proposer, " proposes two blocks of height ", height, " in view ",
                        view);
  }
  return "";
}

std::string WireWatch::OnCosignature(uint32_t from, absl::string_view body) {
  const std::optional<Checkpoint> checkpoint = ReadCheckpoint(body);
  if (!checkpoint.has_value()) return absl::StrCat("node ", from, " sends a note that is none");
  const auto [first, is_new] =
      cosigned_.emplace(std::pair(from, checkpoint->size), checkpoint->root);
  if (!is_new && first->second != checkpoint->root) {
    return absl::StrCat("node ", from, " cosigns two roots at size ", checkpoint->size);
  }
  if (sets_ == nullptr || checkpoint->epoch == 0) return "";
  uint64_t size = 0;
  if (!absl::SimpleAtoi(checkpoint->size, &size)) return "a checkpoint without size";
  return sets_->OnCosigned(checkpoint->epoch, size);
}

std::string DescribeFrame(absl::string_view frame) {
  if (frame.empty()) return "empty";
  const absl::string_view body = frame.substr(1);
  switch (frame[0]) {
    case kHello:
      return "hello";
    case kForward:
      return absl::StrCat("forward of ", Bytes(body).Number(4), " records");
    case kForwardRefused:
      return "forward refused";
    case kCosignature: {
      const std::optional<Checkpoint> checkpoint = ReadCheckpoint(body);
      return absl::StrCat("cosignature at size ", checkpoint.has_value() ? checkpoint->size : "?");
    }
    case kConsensus:
      break;
    default:
      return frame[0] == kFetch ? "fetch" : "fetched";
  }
  const std::optional<Message> message = ReadMessage(body);
  if (!message.has_value()) return "consensus, cut off";
  const std::string term = absl::StrCat(" of term ", message->term);
  switch (message->kind) {
    case kPreVote:
      return absl::StrCat("asks whether it would get votes in term ", message->campaign);
    case kVote:
      return absl::StrCat("asks for a vote in term ", message->campaign, ", last height ",
                          message->height);
    case kPreVoteReply:
      return absl::StrCat(message->granted ? "would vote" : "would not vote", " in term ",
                          message->campaign);
    case kVoteReply:
      return absl::StrCat(message->granted ? "votes" : "does not vote", " in term ",
                          message->campaign);
    case kAppend:
      if (message->blocks.empty()) {
        return absl::StrCat("heartbeat", term, ", committed ", message->committed);
      }
      return absl::StrCat("append", term, ": ", message->blocks.size(), " blocks above ",
                          message->height, ", committed ", message->committed);
    default:
      break;
  }
  static constexpr absl::string_view kResults[] = {"?", "has up to", "does not match at",
                                                   "knows a later term", "knows another leader"};
  const absl::string_view result = message->result < 5 ? kResults[message->result] : kResults[0];
  const bool has_height = message->result == 1 || message->result == 2;
  return absl::StrCat(result, has_height ? absl::StrCat(" ", message->height) : "", term);
}

}  // namespace vigil::sim
