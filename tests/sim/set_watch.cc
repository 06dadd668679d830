#include "tests/sim/set_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ledger/crypto/keys.h"
#include "tests/sim/plain_hash.h"

namespace vigil::sim {
namespace {

// docs/formats.md, Block frame and Header.
constexpr size_t kHeaderOffset = 2;
constexpr size_t kHeaderSize = 350;
constexpr size_t kSignatureSize = 64;
constexpr size_t kHashSize = 32;

uint64_t NumberAt(absl::string_view bytes, size_t offset, size_t size) {
  uint64_t value = 0;
  for (const char byte : bytes.substr(offset, size))
    value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

std::string Number(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

template <typename T>
std::string BytesOf(const T& fixed) {
  return std::string(fixed.bytes.begin(), fixed.bytes.end());
}

std::string Tagged(absl::string_view tag, absl::string_view bytes) {
  return absl::StrCat(tag, std::string(1, '\0'), bytes);
}

// docs/formats.md, Validator set.
std::string HashOf(const SetWatch::Set& set) {
  std::string text = Number(set.members.size(), 4);
  for (const ledger::GenesisValidator& member : set.members) {
    const std::string identity = absl::StrCat(member.org, "/", member.name);
    absl::StrAppend(&text, Number(identity.size(), 4), identity, BytesOf(member.consensus_key),
                    BytesOf(member.log_key), BytesOf(member.cosigner_key),
                    BytesOf(member.record_key), BytesOf(member.reveal_anchor),
                    Number(member.reveal_length, 8), BytesOf(member.journal_id));
  }
  return BytesOf(PlainSha256(Tagged("vigil/validator-set/v1", text)));
}

constexpr size_t kAuthorSize = 16;
constexpr uint8_t kCosignerKeyKind = 26;

// docs/formats.md, Block frame and Record: the leaves of this kind.
std::vector<std::string> LeavesOf(absl::string_view frame, uint8_t kind) {
  std::vector<std::string> leaves;
  size_t sizes = kHeaderOffset + kHeaderSize + kSignatureSize;
  const uint64_t count = NumberAt(frame, sizes, 4);
  sizes += 4;
  size_t at = sizes + 8 * count;
  for (uint64_t i = 0; i < count && at <= frame.size(); ++i) {
    const uint64_t size = NumberAt(frame, sizes + 8 * i, 4);
    const absl::string_view leaf = frame.substr(at, size);
    if (leaf.size() > 1 && static_cast<uint8_t>(leaf[1]) == kind) leaves.emplace_back(leaf);
    at += size;
  }
  return leaves;
}

// docs/formats.md, Record, and record.proto: what an announcement says.
struct Announcement {
  std::string author;
  uint64_t epoch = 0;
  uint64_t number = 0;
  PublicKey key;
};
Announcement ReadAnnouncement(absl::string_view leaf) {
  Announcement out;
  const absl::string_view body = leaf.substr(6, NumberAt(leaf, 2, 4));
  out.author = std::string(body.substr(2, kAuthorSize));
  size_t at = 2 + kAuthorSize;
  const auto varint = [&] {
    uint64_t value = 0;
    ++at;  // The tag.
    for (int shift = 0; at < body.size(); shift += 7) {
      const auto byte = static_cast<uint8_t>(body[at++]);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  out.epoch = varint();
  out.number = varint();
  const absl::string_view key = body.substr(at + 2, PublicKey::size());
  std::copy(key.begin(), key.end(), out.key.bytes.begin());
  return out;
}

std::string KeyIdText(const PublicKey& key) {
  return BytesOf(PlainSha256(Tagged("vigil/key/v1", BytesOf(key)))).substr(0, kAuthorSize);
}

bool Signed(const ledger::GenesisValidator& member, const Hash& block,
            const std::string& signature_bytes) {
  Signature signature;
  std::copy(signature_bytes.begin(), signature_bytes.end(), signature.bytes.begin());
  const std::string message = Tagged("vigil/proposal/v1", BytesOf(block));
  return ledger::VerifySignature(member.consensus_key, AsBytes(message), signature);
}

}  // namespace

SetWatch::SetWatch(const Set& first) : sets_({first}) {}

void SetWatch::OnProposal(const std::string& leaf, uint64_t epoch, const Set& next,
                          const std::string& org) {
  proposals_[leaf] = {.epoch = epoch, .next = next, .approving = {org}};
}

void SetWatch::OnBallot(const std::string& leaf, const std::string& org, bool approves) {
  if (approves) proposals_[leaf].approving.insert(org);
}

std::string SetWatch::OnBlockFrame(absl::string_view frame) {
  if (frame.size() < kHeaderOffset + kHeaderSize + kSignatureSize) return "a block is too short";
  const absl::string_view bytes = frame.substr(kHeaderOffset, kHeaderSize);
  const Hash block = PlainSha256(Tagged("vigil/header/v1", bytes));
  if (headers_.contains(block)) return "";
  Header header;
  header.epoch = NumberAt(bytes, 34, 8);
  header.height = NumberAt(bytes, 50, 8);
  header.executed = NumberAt(bytes, 130, 8);
  header.set_hash = std::string(bytes.substr(242, kHashSize));
  header.next_set_hash = std::string(bytes.substr(274, kHashSize));
  header.proposer = static_cast<uint32_t>(NumberAt(bytes, 346, 4));
  header.signature = std::string(frame.substr(kHeaderOffset + kHeaderSize, kSignatureSize));
  header.announcements = LeavesOf(frame, kCosignerKeyKind);
  if (header.set_hash != header.next_set_hash &&
      seals_.emplace(header.epoch, header.next_set_hash).first->second != header.next_set_hash) {
    return absl::StrCat("block ", header.height, " seals epoch ", header.epoch,
                        " with another next set than a block before it");
  }
  headers_.emplace(block, std::move(header));
  return Advance();
}

std::string SetWatch::OnAppend(uint64_t epoch, uint64_t committed) {
  uint64_t& highest = committed_[epoch];
  highest = std::max(highest, committed);
  return CheckEnded(epoch);
}

std::string SetWatch::OnCosigned(uint64_t epoch, uint64_t size) {
  uint64_t& largest = cosigned_[epoch];
  largest = std::max(largest, size);
  return CheckEnded(epoch);
}

std::string SetWatch::OnExecuted(uint64_t height, const Hash& block, uint64_t size) {
  executed_.emplace(height, Executed{.block = block, .size = size});
  return Advance();
}

std::string SetWatch::Advance() {
  for (auto next = executed_.find(judged_ + 1); next != executed_.end();
       next = executed_.find(judged_ + 1)) {
    const auto header = headers_.find(next->second.block);
    if (header == headers_.end()) return "";  // It was taken from elsewhere before it was sent.
    TakeAnnouncements(header->second);
    std::string wrong = Judge(header->second, next->second);
    if (!wrong.empty()) return wrong;
    executed_before_ = header->second.executed;
    ++judged_;
    executed_.erase(next);
  }
  return "";
}

std::string SetWatch::Judge(const Header& header, const Executed& executed) {
  const auto block = [&] {
    return absl::StrCat("block ", judged_ + 1, " of epoch ", header.epoch);
  };
  if (header.height != judged_ + 1) return absl::StrCat(block(), " says height ", header.height);
  if (header.epoch != epoch()) {
    return absl::StrCat(block(), " was executed in epoch ", epoch());
  }
  if (header.set_hash != HashOf(set())) return absl::StrCat(block(), " names another set");
  if (header.proposer >= set().members.size()) {
    return absl::StrCat(block(), " is of validator ", header.proposer, " of ",
                        set().members.size());
  }
  if (!Signed(set().members[header.proposer], executed.block, header.signature)) {
    return absl::StrCat(block(), " was not signed by validator ", header.proposer, " of its set");
  }
  return header.next_set_hash == header.set_hash ? "" : EndEpoch(header, executed.size);
}

// Only what continues a member's announcements counts.
void SetWatch::TakeAnnouncements(const Header& header) {
  for (const std::string& leaf : header.announcements) {
    const Announcement said = ReadAnnouncement(leaf);
    for (size_t i = 0; i < set().members.size(); ++i) {
      if (KeyIdText(set().members[i].record_key) != said.author) continue;
      std::vector<Announced>& before = announced_[i];
      if (said.epoch != epoch() || said.number != before.size() + 1) continue;
      before.push_back({.height = header.height, .key = said.key});
    }
  }
}

// `proposed`, with cosigner keys such that it is the set that the sealing block names.
std::optional<SetWatch::Set> SetWatch::FindNext(const Header& header, const Set& proposed) const {
  std::vector<Set> candidates = {proposed};
  for (size_t i = 0; i < proposed.members.size(); ++i) {
    for (size_t place = 0; place < set().members.size(); ++place) {
      const auto said = announced_.find(place);
      if (!(set().members[place] == proposed.members[i]) || said == announced_.end()) continue;
      std::vector<PublicKey> keys = {proposed.members[i].cosigner_key};
      for (const Announced& one : said->second) {
        if (one.height <= executed_before_) keys.clear();  // Surely before the approval.
        if (one.height <= header.executed) keys.push_back(one.key);
      }
      std::vector<Set> more;
      for (const Set& candidate : candidates) {
        for (const PublicKey& key : keys) {
          more.push_back(candidate);
          more.back().members[i].cosigner_key = key;
        }
      }
      candidates = std::move(more);
    }
  }
  for (const Set& candidate : candidates) {
    if (HashOf(candidate) == header.next_set_hash) return candidate;
  }
  return std::nullopt;
}

std::string SetWatch::EndEpoch(const Header& header, uint64_t size) {
  std::set<std::string> organisations;
  for (const ledger::GenesisValidator& member : set().members) organisations.insert(member.org);
  for (const auto& [leaf, proposal] : proposals_) {
    if (proposal.epoch != epoch()) continue;
    std::optional<Set> next = FindNext(header, proposal.next);
    if (!next.has_value()) continue;
    const auto approving = std::ranges::count_if(
        proposal.approving,
        [&](const std::string& organisation) { return organisations.contains(organisation); });
    if (2 * static_cast<size_t>(approving) <= organisations.size()) continue;
    ends_.push_back({.height = header.height, .size = size});
    sets_.push_back(*std::move(next));
    announced_.clear();
    return CheckEnded(header.epoch);
  }
  return absl::StrCat("block ", header.height, " ends epoch ", header.epoch,
                      " with a set that no majority of its organisations approved");
}

std::string SetWatch::CheckEnded(uint64_t epoch) const {
  if (epoch == 0 || epoch > ends_.size()) return "";
  const End& end = ends_[epoch - 1];
  const auto committed = committed_.find(epoch);
  if (committed != committed_.end() && committed->second > end.height) {
    return absl::StrCat("epoch ", epoch, " ended with block ", end.height,
                        ", and a leader of it calls block ", committed->second, " committed");
  }
  const auto cosigned = cosigned_.find(epoch);
  if (cosigned != cosigned_.end() && cosigned->second > end.size) {
    return absl::StrCat("epoch ", epoch, " ended with a log of ", end.size,
                        " leaves, and a validator of it cosigns ", cosigned->second);
  }
  return "";
}

std::string SetWatch::Finish(uint64_t height) const {
  if (judged_ >= height) return "";
  return absl::StrCat("block ", judged_ + 1, " was executed and never sent");
}

std::set<uint32_t> SetWatch::everybody() const {
  std::set<uint32_t> nodes;
  for (const Set& set : sets_) nodes.insert(set.nodes.begin(), set.nodes.end());
  return nodes;
}

bool SetWatch::IsReplaced(uint32_t node) const {
  const auto name_of = [](const ledger::GenesisValidator& member) {
    return std::pair(member.org, member.name);
  };
  for (const Set& past : sets_) {
    for (size_t i = 0; i < past.nodes.size(); ++i) {
      if (past.nodes[i] != node) continue;
      for (size_t j = 0; j < set().nodes.size(); ++j) {
        if (set().nodes[j] != node && name_of(set().members[j]) == name_of(past.members[i])) {
          return true;
        }
      }
    }
  }
  return false;
}

bool SetWatch::IsOver(const PublicKey& key) const {
  const auto has = [&](const Set& set) {
    return std::ranges::count(set.members, key, &ledger::GenesisValidator::cosigner_key) > 0;
  };
  return !has(set()) && std::ranges::any_of(sets_, has);
}

size_t SetWatch::smallest() const {
  size_t size = sets_.front().nodes.size();
  for (const Set& set : sets_) size = std::min(size, set.nodes.size());
  return size;
}

std::optional<uint64_t> SetWatch::WasUntil(uint32_t node) const {
  if (std::ranges::count(set().nodes, node) > 0) return std::nullopt;
  for (size_t i = ends_.size(); i-- > 0;) {
    if (std::ranges::count(sets_[i].nodes, node) > 0) return ends_[i].height;
  }
  return std::nullopt;
}

}  // namespace vigil::sim
