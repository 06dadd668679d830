// Writes a corpus of proof files, good, damaged and forged, with the verdict and facts of each, for
// another verifier to agree with.
//
//   proof_corpus FOLDER SEED COUNT
//
//   FOLDER/policy.txt    the policy of all of them
//   FOLDER/corpus.bin    per file: u32be size, bytes
//   FOLDER/expected.txt  per file: one line, how it was made, a tab, verdict and facts
//   FOLDER/epochs-policy.txt, epochs.bin, epochs.txt  the same of epoch chains: per entry the chain
//                        and a proof, both with their size; verdicts alone
//
// Damage is of three depths: of the file's text, of the decoded extra, and of what stands in the
// leaves, where a quorum signs the forged tree, so that every step is reached.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ledger/base/random.h"
#include "ledger/chain/header.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"
#include "ledger/proof/policy_chain.h"
#include "tests/ledger/proof/epoch_sample.h"
#include "tests/ledger/proof/proof_sample.h"

namespace vigil::ledger {
namespace {

struct Made {
  std::string how;
  std::string file;
};

// One to three changes: a flipped bit, a byte set, removed, doubled or inserted, or a cut.
std::string Damage(std::string bytes, SplitMix64* random) {
  for (uint64_t i = 1 + random->Below(3); i > 0 && !bytes.empty(); --i) {
    const size_t at = random->Below(bytes.size());
    switch (random->Below(8)) {
      case 0:
        bytes[at] = static_cast<char>(random->Below(256));
        break;
      case 1:
        bytes.erase(at, 1 + random->Below(4));
        break;
      case 2:
        bytes.insert(at, 1, bytes[at]);
        break;
      case 3:
        bytes.insert(at, 1 + random->Below(3), static_cast<char>(random->Below(4)));
        break;
      case 4:
        if (random->Chance(200)) bytes.resize(at);
        break;
      default:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random->Below(8)));
    }
  }
  return bytes;
}

// Lines of one text and of another, cut between lines; or one line removed, doubled or swapped.
std::string SpliceLines(const std::string& a, const std::string& b, SplitMix64* random) {
  std::vector<std::string> lines = absl::StrSplit(a, '\n');
  const std::vector<std::string> others = absl::StrSplit(b, '\n');
  const size_t at = random->Below(lines.size());
  switch (random->Below(4)) {
    case 0:
      lines.erase(lines.begin() + static_cast<ptrdiff_t>(at));
      break;
    case 1:
      lines.insert(lines.begin() + static_cast<ptrdiff_t>(at), lines[at]);
      break;
    case 2:
      lines[at] = others[random->Below(others.size())];
      break;
    default:
      lines.resize(at);
      lines.insert(lines.end(),
                   others.begin() + static_cast<ptrdiff_t>(std::min(at, others.size())),
                   others.end());
  }
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) absl::StrAppend(&text, i == 0 ? "" : "\n", lines[i]);
  return text;
}

std::string SpliceBytes(const std::string& a, const std::string& b, SplitMix64* random) {
  const size_t at = random->Below(std::min(a.size(), b.size()));
  return a.substr(0, at) + b.substr(at);
}

// The text of a file around an extra that no encoder would write.
std::string WithExtra(const ProofParts& parts, std::string extra) {
  TlogProof file = parts.file;
  file.extra = std::move(extra);
  return EncodeTlogProof(file);
}

// Parts of two proofs, each sound by itself.
ProofParts Mix(ProofParts a, const ProofParts& b, SplitMix64* random) {
  switch (random->Below(9)) {
    case 0:
      a.extra.block = b.extra.block;
      break;
    case 1:
      a.extra.result = b.extra.result;
      break;
    case 2:
      a.extra.event = b.extra.event;
      break;
    case 3:
      a.extra.leaf = b.extra.leaf;
      break;
    case 4:
      a.extra.author_key = b.extra.author_key;
      break;
    case 5:
      a.file = b.file;
      break;
    case 6:
      a.extra.result.seal = b.extra.result.seal;
      break;
    case 7:
      // An index beyond the tree is no proof that an encoder would write.
      if (a.file.index < DecodeSignedCheckpoint(b.file.checkpoint)->checkpoint.size)
        a.file.checkpoint = b.file.checkpoint;
      break;
    default:
      a.extra.subject = static_cast<ProofSubject>(1 + random->Below(3));
  }
  return a;
}

std::string DamagedSeal(const std::string& leaf, SplitMix64* random) {
  std::string damaged = leaf;
  damaged[random->Below(damaged.size())] ^= static_cast<char>(1 << random->Below(8));
  return damaged;
}

class Maker {
 public:
  Maker(uint64_t seed, std::vector<std::string> files) : random_(seed), files_(std::move(files)) {
    for (const std::string& file : files_) parts_.push_back(TakeApart(file));
  }

  Made Next() {
    const std::string& a = files_[random_.Below(files_.size())];
    const std::string& b = files_[random_.Below(files_.size())];
    switch (random_.Below(12)) {
      case 0:
        return {"text", Damage(a, &random_)};
      case 1:
        return {"cut", a.substr(0, random_.Below(a.size()))};
      case 2:
        return {"lines", SpliceLines(a, b, &random_)};
      case 3:
        return {"splice", SpliceBytes(a, b, &random_)};
      case 4:
        return DamageExtra();
      case 5:
        return {"mix", PutTogether(Mix(AnyParts(), AnyParts(), &random_))};
      case 6:
        return Resign();
      case 7:
      case 8:
        return ForgeRecord();
      case 9:
        return ForgeEvent();
      case 10:
        return ForgeResult();
      default:
        return ForgeSeal();
    }
  }

 private:
  const ProofParts& AnyParts() { return parts_[random_.Below(parts_.size())]; }
  ProofParts PartsOf(ProofSubject subject) {
    for (;;) {
      const ProofParts& parts = AnyParts();
      if (parts.extra.subject == subject) return parts;
    }
  }
  ProofParts RecordOrEvent() {
    return PartsOf(random_.Chance(500) ? ProofSubject::kRecord : ProofSubject::kEvent);
  }

  Made DamageExtra() {
    const ProofParts& parts = AnyParts();
    std::string extra = Damage(EncodeProofExtra(parts.extra), &random_);
    if (extra.empty()) extra = "x";
    return {"extra", WithExtra(parts, extra)};
  }

  // Other signers over the same or another root.
  Made Resign() {
    ProofParts parts = AnyParts();
    Checkpoint head = DecodeSignedCheckpoint(parts.file.checkpoint)->checkpoint;
    ProofSample::Signers signers;
    signers.witness_count = static_cast<uint32_t>(random_.Below(5));
    signers.epoch = random_.Chance(700) ? 1 : random_.Below(4);
    if (random_.Chance(100)) signers.origin = "other.vigil/" + TestHash(1).ToHex();
    if (random_.Chance(100)) head.root.bytes[0] ^= 1;
    SignedNote note = DecodeNote(Sample().SignHead(head.size, head.root, signers)).value();
    std::vector<NoteSignature>& lines = note.signatures;
    const auto any = lines.begin() + static_cast<ptrdiff_t>(random_.Below(lines.size()));
    switch (random_.Below(5)) {
      case 0:
        lines.push_back(NoteSignature(*any));
        break;
      case 1:
        if (lines.size() > 1) lines.erase(any);
        break;
      case 2:
        any->name += "x";
        break;
      case 3:
        any->signature = Damage(any->signature + "y", &random_);
        break;
      default:
        break;
    }
    for (NoteSignature& line : lines) {
      if (line.signature.empty()) line.signature = "z";
    }
    parts.file.checkpoint = EncodeNote(note);
    return {"signers", PutTogether(parts)};
  }

  Made ForgeRecord() {
    ProofParts parts = RecordOrEvent();
    const RecordView record = DecodeRecord(AsBytes(parts.extra.leaf)).value();
    const uint8_t kind = random_.Chance(900) ? static_cast<uint8_t>(record.kind)
                                             : static_cast<uint8_t>(random_.Below(30));
    const std::string body = Damage(ToString(record.body_bytes), &random_);
    const std::string identity = IdentityOf(record.author);
    Sample().ForgeRecord(&parts, kind, body, identity);
    return {absl::StrCat("record of kind ", static_cast<int>(kind)), PutTogether(parts)};
  }

  Made ForgeEvent() {
    ProofParts parts = PartsOf(ProofSubject::kEvent);
    const RecordView record = DecodeRecord(AsBytes(parts.extra.leaf)).value();
    std::string event = random_.Chance(600) ? FullEvent() : parts.extra.event.bytes;
    if (random_.Chance(900)) event = Damage(event, &random_);
    if (event.empty()) event = "x";
    Sample().ForgeEvent(&parts, event, IdentityOf(record.author));
    return {"event", PutTogether(parts)};
  }

  Made ForgeResult() {
    ProofParts parts = RecordOrEvent();
    RecordResult result = DecodeResult(AsBytes(parts.extra.result.bytes)).value();
    result.effects.push_back({EffectType::kModelActivated, 7, "detail"});
    std::string bytes = Damage(EncodeResult(result), &random_);
    Sample().ForgeResult(&parts, bytes);
    return {"result", PutTogether(parts)};
  }

  Made ForgeSeal() {
    if (random_.Chance(300)) {
      ProofParts parts = PartsOf(ProofSubject::kBlock);
      Sample().ForgeLeaf(&parts, DamagedSeal(parts.extra.leaf, &random_));
      return {"seal", PutTogether(parts)};
    }
    ProofParts parts = RecordOrEvent();
    if (random_.Chance(500)) {
      Sample().ForgeBlockSeal(&parts, DamagedSeal(parts.extra.block.leaf, &random_));
      return {"block seal", PutTogether(parts)};
    }
    Sample().ForgeCoveringSeal(&parts, DamagedSeal(parts.extra.result.seal.leaf, &random_));
    return {"covering seal", PutTogether(parts)};
  }

  static std::string IdentityOf(const KeyId& author) {
    for (const char* identity :
         {"acme/fw-1", "acme/fw-2", "globex/ids-1", "acme/root", "globex/root", "acme/v0"}) {
      if (Sample().network().key(identity).id() == author) return identity;
    }
    return "acme/eve";
  }

  // An event with a field of every kind: text, nested messages, repeated ones, addresses.
  static std::string FullEvent() {
    const auto nested = [](int tag, const std::string& body) {
      std::string field;
      if (tag >= 16) {
        field += static_cast<char>(((tag & 15) << 3) | 2 | 0x80);
        field += static_cast<char>(tag >> 4);
      } else {
        field += static_cast<char>(tag << 3 | 2);
      }
      return field + static_cast<char>(body.size()) + body;
    };
    std::string event = TestEvent(5);
    event += nested(10, "uid-1") + nested(11, "4624");
    event += nested(12, nested(1, "anna") + "\x38\x05" + nested(9, "s"));
    event += nested(14, nested(1, std::string("\x0a\x01\x00\x07", 4)) + "\x10\xb0\x17");
    event += nested(15, nested(1, std::string(15, '\x20') + "\x01") + nested(4, "macmac"));
    event += std::string("\x80\x01\x06", 3) + nested(17, "http") + nested(18, "\x08\x05\x10\x07");
    event += nested(22, "T1110") + nested(22, "T1110.001");
    event += nested(23, "\x08\x02" + nested(2, "value"));
    event += nested(24, nested(1, "ratio") + "\x10\x03") + nested(24, nested(1, "other"));
    event += nested(25, nested(1, "key") + nested(2, "v\xc3\xa4lue"));
    event += nested(27, std::string(32, 'c')) + nested(29, "http://a/b");
    event += nested(30, nested(1, "f") + nested(3, std::string(32, 'h')) + "\x20\x09");
    event += std::string("\x98\x02\x02", 3) +
             nested(37, nested(1, "g") + nested(2, std::string(32, 'k')));
    return event;
  }

  SplitMix64 random_;
  std::vector<std::string> files_;
  std::vector<ProofParts> parts_;
};

std::vector<std::string> GoodFiles() {
  const ProofSample& sample = Sample();
  const auto event = [&](uint64_t index, uint32_t item, EventBytes bytes) {
    return BuildEventProof(sample, sample.Head(), RecordIndex(index), ItemIndex(item), bytes)
        .value();
  };
  std::vector<std::string> files = {
      event(0, 0, EventBytes::kInclude),   event(0, 2, EventBytes::kInclude),
      event(0, 4, EventBytes::kWithhold),  event(2, 0, EventBytes::kInclude),
      event(5, 1, EventBytes::kInclude),   event(6, 299, EventBytes::kInclude),
      event(6, 128, EventBytes::kInclude), event(8, 1, EventBytes::kInclude)};
  // The last three are a reset, a model commitment and a gap.
  for (const uint64_t index : {0, 1, 2, 4, 5, 8, 10, 11, 12}) {
    files.push_back(sample.RecordProofFile(RecordIndex(index)));
  }
  for (const uint64_t height : {1, 2, 3, 40}) files.push_back(sample.BlockProofFile(height));
  files.push_back(BuildRecordProof(sample, sample.HeadAt(8), RecordIndex(1)).value());
  return files;
}

// An epoch chain and a proof that it is to be judged with.
struct MadeEpochs {
  std::string how;
  std::string chain;
  std::string proof;
};

// Chains as they are, cut, put together otherwise and forged.
std::vector<MadeEpochs> EpochFiles() {
  const EpochSample& sample = SampleOfEpochs();
  const std::vector<EpochAnchor>& good = sample.anchors();
  std::vector<MadeEpochs> made;
  const auto add = [&](const std::string& how, const std::vector<EpochAnchor>& anchors,
                       const std::string& proof) {
    made.push_back({how, EncodeEpochChain(anchors), proof});
  };
  for (uint64_t epoch = 1; epoch <= EpochSample::kEpochs; ++epoch) {
    const uint64_t end = EpochSample::FinalSize(epoch);
    for (size_t count = 0; count <= good.size(); ++count) {
      const std::vector<EpochAnchor> anchors(good.begin(), good.begin() + count);
      add("within", anchors, sample.BlockProof(end - 1, end, epoch));
      if (end < sample.leaves().size())
        add("beyond", anchors, sample.BlockProof(2, end + 1, epoch));
    }
  }
  // Cosigner keys that were replaced, under the names of the epoch after them.
  add("old keys", good, sample.BlockProofByOldKeys(2, 17, 4));
  add("old keys", {good[0], good[1]}, sample.BlockProofByOldKeys(2, 17, 4));
  const std::string proof = sample.BlockProof(7, 20, 4);
  const std::vector<std::string> before(sample.leaves().begin(), sample.leaves().begin() + 4);
  add("skipped", {good[1], good[2]}, proof);
  add("twice", {good[0], good[0], good[2]}, proof);
  for (size_t signers = 1; signers <= 4; ++signers) {
    add("signers",
        {sample.MakeAnchor(before, sample.leaves()[4], 1, sample.set(2), signers), good[1],
         good[2]},
        proof);
  }
  for (size_t a = 0; a < good.size(); ++a) {
    for (size_t b = 0; b < good.size(); ++b) {
      std::vector<EpochAnchor> anchors = good;
      anchors[a].seal_leaf = good[b].seal_leaf;
      add("another seal", anchors, proof);
      anchors = good;
      anchors[a].next_set = good[b].next_set;
      add("another set", anchors, proof);
      anchors = good;
      anchors[a].path = good[b].path;
      add("another path", anchors, proof);
      anchors = good;
      anchors[a].checkpoint = good[b].checkpoint;
      add("another checkpoint", anchors, proof);
    }
    for (const std::string addresses : {"a:1", "a:1,b:2,c:3,d:4,e:5", ",,,,", "a:0,,,,", "x,,,,"}) {
      std::vector<EpochAnchor> anchors = good;
      anchors[a].addresses = addresses;
      add("addresses", anchors, proof);
    }
  }
  return made;
}

void WriteEpochs(const std::string& folder, uint64_t seed, uint64_t count) {
  const Policy pinned = SampleOfEpochs().policy();
  std::ofstream(folder + "/epochs-policy.txt", std::ios::binary) << EncodePolicy(pinned);
  std::ofstream corpus(folder + "/epochs.bin", std::ios::binary);
  std::ofstream expected(folder + "/epochs.txt", std::ios::binary);
  std::vector<MadeEpochs> made = EpochFiles();
  SplitMix64 random(seed);
  const std::string good = SampleOfEpochs().Chain();
  const std::string proof = SampleOfEpochs().BlockProof(7, 20, 4);
  for (uint64_t i = 0; i < count; ++i) made.push_back({"damage", Damage(good, &random), proof});
  for (const MadeEpochs& one : made) {
    std::string entry;
    ByteWriter(&entry).Prefixed(one.chain).Prefixed(one.proof);
    corpus << entry;
    const absl::StatusOr<PolicyChain> walked = PolicyChain::Walk(pinned, AsBytes(one.chain));
    const ProofVerdict verdict =
        walked.ok() ? VerifyProof(*walked, one.proof).verdict : EpochChainVerdict(walked.status());
    expected << one.how << '\t' << ProofVerdictName(verdict) << '\n';
  }
}

int Write(const std::string& folder, uint64_t seed, uint64_t count) {
  WriteEpochs(folder, seed, count / 4);
  std::ofstream policy(folder + "/policy.txt", std::ios::binary);
  std::ofstream corpus(folder + "/corpus.bin", std::ios::binary);
  std::ofstream expected(folder + "/expected.txt", std::ios::binary);
  policy << Sample().policy_text();
  const auto add = [&](const Made& made) {
    std::string entry;
    ByteWriter(&entry).Prefixed(made.file);
    corpus << entry;
    expected << made.how << '\t' << OneLine(VerifyProof(Sample().policy(), made.file)) << '\n';
  };
  const std::vector<std::string> files = GoodFiles();
  for (const std::string& file : files) add({"good", file});
  Maker maker(seed, files);
  for (uint64_t i = 0; i < count; ++i) add(maker.Next());
  policy.close();
  corpus.close();
  expected.close();
  return policy.good() && corpus.good() && expected.good() ? 0 : 1;
}

}  // namespace
}  // namespace vigil::ledger

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: proof_corpus FOLDER SEED COUNT\n");
    return 2;
  }
  return vigil::ledger::Write(argv[1], std::strtoull(argv[2], nullptr, 10),
                              std::strtoull(argv[3], nullptr, 10));
}
