#include "tests/ledger/proof/proof_sample.h"

#include "absl/strings/str_cat.h"
#include "ledger/chain/header.h"
#include "ledger/log/checkpoint.h"
#include "ledger/log/note.h"
#include "ledger/proof/facts.h"

namespace vigil::ledger {
namespace {

std::vector<Hash> HashesOf(const std::vector<std::string>& leaves) {
  std::vector<Hash> hashes;
  for (const std::string& leaf : leaves) hashes.push_back(LeafHash(AsBytes(leaf)));
  return hashes;
}

std::string SignedLeaf(const TestNetwork& network, uint8_t kind, const std::string& body,
                       const std::string& identity) {
  const std::string message = RecordSigningMessage(static_cast<RecordKind>(kind),
                                                   network.genesis().chain_id, AsBytes(body));
  std::string leaf;
  ByteWriter(&leaf)
      .U8(kLeafVersion)
      .U8(kind)
      .Prefixed(body)
      .Fixed(network.key(identity).Sign(AsBytes(message)));
  return leaf;
}

}  // namespace

absl::StatusOr<std::vector<Hash>> MemoryTiles::ReadTile(const TileId& id) const {
  const uint64_t span = uint64_t{1} << (8 * id.level);
  std::vector<Hash> hashes;
  for (uint64_t i = id.index * kTileWidth; i < id.index * kTileWidth + id.width; ++i) {
    if ((i + 1) * span > leaves_.size()) return absl::NotFoundError("no such tile");
    hashes.push_back(MerkleRoot(std::span(leaves_).subspan(i * span, span)));
  }
  return hashes;
}

ProofParts TakeApart(const std::string& text) {
  absl::StatusOr<TlogProof> file = DecodeTlogProof(text);
  VIGIL_CHECK(file.ok(), file.status().message());
  absl::StatusOr<ProofExtra> extra = DecodeProofExtra(AsBytes(file->extra));
  VIGIL_CHECK(extra.ok(), extra.status().message());
  return {.file = *std::move(file), .extra = *std::move(extra)};
}

std::string PutTogether(const ProofParts& parts) {
  TlogProof file = parts.file;
  file.extra = EncodeProofExtra(parts.extra);
  return EncodeTlogProof(file);
}

ProofSample::ProofSample(const std::string& detector_rules)
    : network_(/*validator_count=*/4, /*snapshot_interval_blocks=*/2048, detector_rules),
      chain_(&network_) {
  TestStream conn(&network_, "acme/fw-1", "conn");
  TestStream ids(&network_, "globex/ids-1", "alerts");
  TestStream large(&network_, "acme/fw-2", "conn");
  const Record first = conn.Batch(5);
  const Record conflict = conn.MakeBatch(2);
  conn.NumberEventsFrom(1000);
  Commit({first, conn.Heartbeat(), ids.Batch(1)});
  Commit({first, conflict, large.Batch(300)});
  Commit({conn.Batch(2)}, /*lag=*/3);
  StreamResetBody reset;
  reset.identity = "globex/ids-1";
  reset.stream = "alerts";
  reset.head_sequence = 1;
  reset.reason = "disk lost";
  ModelCommitmentBody model;
  model.event_type = 1;
  model.period = 1;
  model.window_end = Height(2);
  model.model_digest = TestHash(9);
  model.row_count = 512;
  Commit({network_.Sign(reset, "globex/root"), network_.Sign(model, "acme/v0"), conn.Gap(7)});
  for (int i = 0; i < 45; ++i) {
    std::vector<Record> records;
    for (int j = 0; j < i % 12; ++j) records.push_back(conn.Heartbeat());
    Commit(records, /*lag=*/1 + i % 3);
  }
  absl::StatusOr<Policy> policy = ParsePolicy(policy_text());
  VIGIL_CHECK(policy.ok(), policy.status().message());
  policy_ = *std::move(policy);
}

RecordIndex ProofSample::CommitBody(const RecordBody& body, const std::string& signer) {
  const RecordIndex index(leaves().size());
  Commit({network().Sign(body, signer)});
  return index;
}

RecordIndex ProofSample::CommitAlert(const AlertBody& body, const std::string& signer) {
  const RecordIndex index = CommitBody(body, signer);
  VIGIL_CHECK(chain().reader().GetAlert(index).ok(), "the chain refused the alert");
  return index;
}

void ProofSample::Commit(const std::vector<Record>& records, uint64_t lag) {
  const Hash previous_seal = chain_.tip().seal_leaf;
  const RecordIndex first(leaves_.size());
  const ExecutedBlock executed = chain_.Commit(records, lag);
  for (const Record& record : records) {
    leaves_.push_back(record.leaf);
    payloads_.push_back(record.payload);
  }
  const uint32_t count = static_cast<uint32_t>(records.size());
  leaves_.push_back(
      EncodeSealLeaf(chain_.blocks().back()->header_bytes(), previous_seal, first, count));
  payloads_.emplace_back();
  blocks_.push_back({.height = chain_.tip().height, .first = first, .record_count = count});
  for (uint64_t i = first.value(); i < leaves_.size(); ++i) {
    tiles_.Append(LeafHash(AsBytes(leaves_[i])));
  }
  VIGIL_CHECK(MerkleRoot(tiles_.leaves()) == chain_.tip().tree.Root(), "another tree");
}

std::string ProofSample::origin() const {
  return CheckpointOrigin(network_.genesis().network, network_.genesis().genesis_hash);
}

std::string ProofSample::policy_text() const {
  std::string text;
  std::string members;
  for (uint32_t i = 0; i < network_.genesis().validators.size(); ++i) {
    const GenesisValidator& validator = network_.genesis().validators[i];
    const NoteKey log{origin(), NoteKeyType::kEd25519, validator.log_key};
    const NoteKey cosigner{absl::StrCat(origin(), "/v/", validator.identity(), "/1"),
                           NoteKeyType::kCosignatureV1, validator.cosigner_key};
    absl::StrAppend(&text, "log ", EncodeNoteKey(log), "\n", "witness ", validator.identity(), " ",
                    EncodeNoteKey(cosigner), "\n");
    absl::StrAppend(&members, " ", validator.identity());
  }
  return absl::StrCat(text, "group validators 3", members, "\nquorum validators\n");
}

std::string ProofSample::SignHead(uint64_t size, const Hash& root, const Signers& signers) const {
  const std::string name = signers.origin.empty() ? origin() : signers.origin;
  SignedNote note;
  note.text = EncodeCheckpoint({.origin = name, .size = size, .root = root});
  note.signatures.push_back(SignNote(network_.key("log/0"), name, note.text));
  for (uint32_t i = 0; i < signers.witness_count; ++i) {
    note.signatures.push_back(
        CosignNote(network_.key(absl::StrCat("cosigner/", i)),
                   absl::StrCat(name, "/v/", network_.validator(i), "/", signers.epoch), note.text,
                   kSeconds + i));
  }
  return EncodeNote(note);
}

std::string ProofSample::HeadAt(uint64_t size) const {
  return SignHead(size, MerkleRoot(std::span(tiles_.leaves()).first(size)));
}

std::string ProofSample::EventProofFile(RecordIndex index, uint32_t item) const {
  return BuildEventProof(*this, Head(), index, ItemIndex(item), EventBytes::kInclude).value();
}
std::string ProofSample::RecordProofFile(RecordIndex index) const {
  return BuildRecordProof(*this, Head(), index).value();
}
std::string ProofSample::BlockProofFile(uint64_t height) const {
  return BuildBlockProof(*this, Head(), Height(height)).value();
}

void ProofSample::Relog(ProofParts* parts) const {
  std::vector<std::string> leaves = leaves_;
  leaves.at(parts->file.index) = parts->extra.leaf;
  const bool is_block = parts->extra.subject == ProofSubject::kBlock;
  if (!is_block) {
    leaves.at(parts->extra.block.index.value()) = parts->extra.block.leaf;
    leaves.at(parts->extra.result.seal.index.value()) = parts->extra.result.seal.leaf;
  }
  const std::vector<Hash> hashes = HashesOf(leaves);
  parts->file.path = InclusionPath(hashes, parts->file.index);
  parts->file.checkpoint = SignHead(hashes.size(), MerkleRoot(hashes));
  if (is_block) return;
  parts->extra.block.path = InclusionPath(hashes, parts->extra.block.index.value());
  parts->extra.result.seal.path = InclusionPath(hashes, parts->extra.result.seal.index.value());
}

void ProofSample::ForgeRecord(ProofParts* parts, uint8_t kind, const std::string& body,
                              const std::string& identity) const {
  parts->extra.author_key = network_.key(identity).public_key();
  ForgeLeaf(parts, SignedLeaf(network_, kind, body, identity));
}

void ProofSample::ForgeEvent(ProofParts* parts, const std::string& event,
                             const std::string& identity) const {
  const RecordView record = DecodeRecord(AsBytes(parts->extra.leaf)).value();
  EventBatchBody body = std::get<EventBatchBody>(record.body);
  body.item_count = 1;
  body.items_root = LeafHash(AsBytes(event));
  const std::string leaf = network_.Sign(body, identity).leaf;
  parts->extra.event = {
      .item = ItemIndex(0), .leaf_hash = LeafHash(AsBytes(event)), .path = {}, .bytes = event};
  ForgeLeaf(parts, leaf);
}

void ProofSample::ForgeResult(ProofParts* parts, const std::string& result) const {
  const Seal seal = DecodeSealLeaf(AsBytes(parts->extra.result.seal.leaf)).value();
  BlockHeader header = seal.header;
  header.results_root = LeafHash(AsBytes(result));
  ResultProof& proof = parts->extra.result;
  proof.bytes = result;
  proof.position = 0;
  proof.count = 1;
  proof.path.clear();
  ForgeCoveringSeal(parts, EncodeSealLeaf(AsBytes(EncodeHeader(header)), seal.previous_seal,
                                          seal.first, seal.record_count));
}

void ProofSample::ForgeBlockSeal(ProofParts* parts, const std::string& leaf) const {
  parts->extra.block.leaf = leaf;
  Relog(parts);
}
void ProofSample::ForgeCoveringSeal(ProofParts* parts, const std::string& leaf) const {
  parts->extra.result.seal.leaf = leaf;
  Relog(parts);
}
void ProofSample::ForgeLeaf(ProofParts* parts, const std::string& leaf) const {
  parts->extra.leaf = leaf;
  Relog(parts);
}

absl::StatusOr<ProofSource::BlockRange> ProofSample::BlockAt(Height height) const {
  if (height.value() == 0 || height.value() > blocks_.size()) {
    return absl::NotFoundError(absl::StrCat("block ", height.value()));
  }
  return blocks_[height.value() - 1];
}
absl::StatusOr<ProofSource::BlockRange> ProofSample::BlockOf(RecordIndex index) const {
  for (const BlockRange& block : blocks_) {
    if (index <= block.seal_index()) return block;
  }
  return absl::NotFoundError(absl::StrCat("record ", index.value()));
}
absl::StatusOr<std::string> ProofSample::Leaf(RecordIndex index) const {
  return leaves_.at(index.value());
}
absl::StatusOr<std::string> ProofSample::Payload(RecordIndex index) const {
  return payloads_.at(index.value());
}
absl::StatusOr<std::vector<RecordResult>> ProofSample::Results(Height height) const {
  return chain_.reader().GetResults(height);
}
absl::StatusOr<PublicKey> ProofSample::AuthorKey(const KeyId& id) const {
  absl::StatusOr<IdentityInfo> identity = chain_.reader().FindKey(id);
  if (!identity.ok()) return identity.status();
  return identity->key;
}

const ProofSample& Sample() {
  static const ProofSample* const sample = new ProofSample;
  return *sample;
}

std::string OneLine(const ProofReport& report) {
  std::string line(ProofVerdictName(report.verdict));
  for (const auto& [name, value] : ProofFacts(report))
    absl::StrAppend(&line, " ", name, "=", value);
  return line;
}

}  // namespace vigil::ledger
