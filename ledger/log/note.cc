#include "ledger/log/note.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ledger/base/check.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/sha256.h"
#include "ledger/log/text.h"

namespace vigil::ledger {
namespace {

// U+2014 EM DASH and a space.
constexpr absl::string_view kSignatureMark = "\xe2\x80\x94 ";
constexpr size_t kTimeSize = 8;

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20; }

// Size of the well-formed UTF-8 sequence at the front of `text` (Unicode, table 3-7); 0 when there
// is none. REQUIRES: not empty.
size_t Utf8SequenceSize(absl::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (text.size() < size) return 0;
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xbf;
  if (lead == 0xe0) second_min = 0xa0;
  if (lead == 0xed) second_max = 0x9f;
  if (lead == 0xf0) second_min = 0x90;
  if (lead == 0xf4) second_max = 0x8f;
  if (at(1) < second_min || at(1) > second_max) return 0;
  for (size_t i = 2; i < size; ++i) {
    if (at(i) < 0x80 || at(i) > 0xbf) return 0;
  }
  return size;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t size = Utf8SequenceSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// Unicode's White_Space outside ASCII, as UTF-8.
bool HasWideSpace(absl::string_view text) {
  static constexpr absl::string_view kSpaces[] = {
      "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
      "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
      "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
      "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
  return std::any_of(std::begin(kSpaces), std::end(kSpaces), [&](absl::string_view space) {
    return text.find(space) != absl::string_view::npos;
  });
}

bool IsNoteText(absl::string_view text) {
  return !text.empty() && text.back() == '\n' && IsUtf8(text) &&
         std::none_of(text.begin(), text.end(), [](char c) { return IsControl(c) && c != '\n'; });
}

absl::Status CheckNoteSize(absl::string_view bytes) {
  if (bytes.size() <= kNoteBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("note of ", bytes.size(), " bytes, at most ", kNoteBytesMax));
}

// Messages say what is wrong, the caller says where.
absl::StatusOr<NoteSignature> DecodeSignatureLine(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, kSignatureMark)) {
    return absl::InvalidArgumentError("does not begin with an em dash and a space");
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(line, ' ');
  if (parts.size() != 2 || !IsNoteKeyName(parts[0])) {
    return absl::InvalidArgumentError("not a key name and a signature");
  }
  ASSIGN_OR_RETURN(const std::string raw, DecodeBase64(parts[1]));
  ByteReader reader(raw);
  NoteSignature signature{.name = std::string(parts[0]), .key_hash = reader.U32(), .signature = ""};
  if (!reader.ok() || reader.remaining() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("signature of ", raw.size(), " bytes with its key hash"));
  }
  signature.signature = ToString(reader.rest());
  return signature;
}

std::string CosignatureMessage(absl::string_view text, uint64_t unix_seconds) {
  return absl::StrCat("cosignature/v1\ntime ", unix_seconds, "\n", text);
}

}  // namespace

uint32_t NoteKey::KeyHash() const {
  const uint8_t separator_and_type[] = {'\n', static_cast<uint8_t>(type)};
  const Hash hash = Sha256({AsBytes(name), ByteSpan(separator_and_type), key.span()});
  return ByteReader(hash.span()).U32();
}

bool IsNoteKeyName(absl::string_view name) {
  return !name.empty() && IsUtf8(name) && !HasWideSpace(name) &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return IsControl(c) || c == ' ' || c == '+' || c == 0x7f; });
}

std::string EncodeNoteKey(const NoteKey& key) {
  VIGIL_CHECK(IsNoteKeyName(key.name), "note key name of ", key.name.size(), " bytes");
  std::string hash;
  ByteWriter(&hash).U32(key.KeyHash());
  std::string raw;
  ByteWriter(&raw).U8(static_cast<uint8_t>(key.type)).Fixed(key.key);
  return absl::StrCat(key.name, "+", HexEncode(AsBytes(hash)), "+", absl::Base64Escape(raw));
}

absl::StatusOr<NoteKey> DecodeNoteKey(absl::string_view text) {
  // Base64 may hold a '+' itself.
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('+', 2));
  if (parts.size() != 3 || !IsNoteKeyName(parts[0])) {
    return absl::InvalidArgumentError("note key: not name+hash+key");
  }
  const absl::StatusOr<std::string> raw = DecodeBase64(parts[2]);
  if (!raw.ok()) return Annotate(raw.status(), "note key");
  ByteReader reader(*raw);
  const uint8_t type = reader.U8();
  NoteKey key;
  key.name = std::string(parts[0]);
  key.type = static_cast<NoteKeyType>(type);
  key.key = reader.FixedValue<PublicKey>();
  RETURN_IF_ERROR(reader.Finish("note key"));
  if (key.type != NoteKeyType::kEd25519 && key.type != NoteKeyType::kCosignatureV1) {
    return absl::InvalidArgumentError(absl::StrCat("note key: unknown type ", type));
  }
  if (EncodeNoteKey(key) != text) {
    return absl::InvalidArgumentError("note key: the key hash is another key's");
  }
  return key;
}

std::string EncodeNoteSignatures(std::span<const NoteSignature> signatures) {
  std::string lines;
  for (const NoteSignature& signature : signatures) {
    VIGIL_CHECK(IsNoteKeyName(signature.name), "note key name of ", signature.name.size(),
                " bytes");
    std::string raw;
    ByteWriter(&raw).U32(signature.key_hash).Raw(signature.signature);
    absl::StrAppend(&lines, kSignatureMark, signature.name, " ", absl::Base64Escape(raw), "\n");
  }
  return lines;
}

absl::StatusOr<std::vector<NoteSignature>> DecodeNoteSignatures(absl::string_view bytes) {
  RETURN_IF_ERROR(CheckNoteSize(bytes));
  LineReader lines("note: signatures", bytes);
  std::vector<NoteSignature> signatures;
  do {
    ASSIGN_OR_RETURN(const absl::string_view line, lines.Next());
    if (signatures.size() == kNoteSignaturesMax) {
      return lines.Error(absl::StrCat("more than ", kNoteSignaturesMax, " signatures"));
    }
    absl::StatusOr<NoteSignature> signature = DecodeSignatureLine(line);
    if (!signature.ok()) return lines.Error(signature.status().message());
    signatures.push_back(*std::move(signature));
  } while (!lines.rest().empty());
  return signatures;
}

std::string EncodeNote(const SignedNote& note) {
  VIGIL_CHECK(IsNoteText(note.text), "note text of ", note.text.size(), " bytes");
  return absl::StrCat(note.text, "\n", EncodeNoteSignatures(note.signatures));
}

absl::StatusOr<SignedNote> DecodeNote(absl::string_view bytes) {
  RETURN_IF_ERROR(CheckNoteSize(bytes));
  const size_t split = bytes.rfind("\n\n");
  if (split == absl::string_view::npos || !IsNoteText(bytes)) {
    return absl::InvalidArgumentError("note: no text, empty line and signatures in UTF-8");
  }
  SignedNote note;
  note.text = std::string(bytes.substr(0, split + 1));
  ASSIGN_OR_RETURN(note.signatures, DecodeNoteSignatures(bytes.substr(split + 2)));
  return note;
}

NoteSignature SignNote(const SigningKey& key, absl::string_view name, absl::string_view text) {
  const NoteKey signer{
      .name = std::string(name), .type = NoteKeyType::kEd25519, .key = key.public_key()};
  return {.name = signer.name,
          .key_hash = signer.KeyHash(),
          .signature = ToString(key.Sign(AsBytes(text)).span())};
}

NoteSignature CosignNote(const SigningKey& key, absl::string_view name, absl::string_view text,
                         uint64_t unix_seconds) {
  VIGIL_CHECK(unix_seconds <= kCosignatureSecondsMax, "cosignature at second ", unix_seconds);
  const NoteKey signer{
      .name = std::string(name), .type = NoteKeyType::kCosignatureV1, .key = key.public_key()};
  NoteSignature signature{.name = signer.name, .key_hash = signer.KeyHash(), .signature = ""};
  ByteWriter(&signature.signature)
      .U64(unix_seconds)
      .Fixed(key.Sign(AsBytes(CosignatureMessage(text, unix_seconds))));
  return signature;
}

absl::StatusOr<uint64_t> VerifyNoteSignature(const NoteKey& key, absl::string_view text,
                                             const NoteSignature& signature) {
  if (signature.name != key.name || signature.key_hash != key.KeyHash()) {
    return absl::NotFoundError(absl::StrCat("note: signature is not of ", key.name));
  }
  const bool timed = key.type == NoteKeyType::kCosignatureV1;
  const absl::Status bad = absl::DataLossError(absl::StrCat("note: bad signature of ", key.name));
  if (signature.signature.size() != (timed ? kTimeSize : 0) + Signature::size()) return bad;
  ByteReader reader(signature.signature);
  const uint64_t unix_seconds = timed ? reader.U64() : 0;
  if (unix_seconds > kCosignatureSecondsMax) return bad;
  const Signature raw = reader.FixedValue<Signature>();
  const std::string message = timed ? CosignatureMessage(text, unix_seconds) : std::string(text);
  if (!VerifySignature(key.key, AsBytes(message), raw)) return bad;
  return unix_seconds;
}

absl::StatusOr<std::vector<std::optional<uint64_t>>> VerifyNote(const SignedNote& note,
                                                                std::span<const NoteKey> keys) {
  std::vector<std::optional<uint64_t>> times(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    for (const NoteSignature& signature : note.signatures) {
      const absl::StatusOr<uint64_t> time = VerifyNoteSignature(keys[i], note.text, signature);
      if (absl::IsNotFound(time.status())) continue;
      if (!time.ok()) return time.status();
      times[i] = std::max(times[i].value_or(0), *time);
    }
  }
  return times;
}

}  // namespace vigil::ledger
