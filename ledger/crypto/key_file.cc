// Key files: SigningKey::Load and Save. The bytes are drawn in docs/formats/key_file.md.
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "ledger/base/check.h"
#include "ledger/base/limits.h"
#include "ledger/base/status_macros.h"
#include "ledger/crypto/key_file.h"
#include "ledger/crypto/keys.h"

namespace vigil::ledger {
namespace {

constexpr absl::string_view kHeader = "vigil-key/v1 ";
constexpr absl::string_view kSeedLabel = "\nseed ";
constexpr absl::string_view kPublicLabel = "\npublic ";
constexpr size_t kHexSize = 64;
constexpr size_t kFileBytesMax =
    kHeader.size() + kNameBytesMax + kSeedLabel.size() + kPublicLabel.size() + 2 * kHexSize + 1;

// A fixed buffer for the file, wiped on every way out; a growing string would leave copies behind.
struct SecretText {
  std::array<char, kFileBytesMax + 1> bytes{};
  size_t size = 0;

  SecretText() = default;
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { sodium_memzero(bytes.data(), bytes.size()); }

  absl::string_view view() const { return absl::string_view(bytes.data(), size); }
  void Append(absl::string_view text) {
    VIGIL_CHECK(size + text.size() <= bytes.size(), "key file of ", size + text.size(), " bytes");
    std::copy(text.begin(), text.end(), bytes.begin() + size);
    size += text.size();
  }
  void AppendHex(ByteSpan raw) {
    VIGIL_CHECK(size + 2 * raw.size() + 1 <= bytes.size(), "key file too long");
    sodium_bin2hex(bytes.data() + size, bytes.size() - size, raw.data(), raw.size());
    size += 2 * raw.size();
  }
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status ErrnoStatus(absl::string_view action, absl::string_view path, int error) {
  const std::string text = absl::StrCat(action, " ", path, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(text);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(text);
  if (error == EEXIST) return absl::AlreadyExistsError(text);
  return absl::UnavailableError(text);
}

bool IsValidName(absl::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  if (name.front() == ' ' || name.back() == ' ') return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

void AppendKeyFile(absl::string_view name, ByteSpan seed, const PublicKey& public_key,
                   SecretText* out) {
  out->Append(kHeader);
  out->Append(name);
  out->Append(kSeedLabel);
  out->AppendHex(seed);
  out->Append(kPublicLabel);
  out->AppendHex(public_key.span());
  out->Append("\n");
}

// Reads at most one byte more than a key file can have, so that a longer one is noticed.
absl::Status ReadKeyFile(const std::string& path, SecretText* out) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return ErrnoStatus("open", path, errno);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return ErrnoStatus("stat", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a regular file"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": mode 0", (info.st_mode >> 6) & 7,
                                                    (info.st_mode >> 3) & 7, info.st_mode & 7,
                                                    " lets others at the key; use chmod 600"));
  }
  while (out->size < out->bytes.size()) {
    const ssize_t got =
        read(file.get(), out->bytes.data() + out->size, out->bytes.size() - out->size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read", path, errno);
    if (got == 0) break;
    out->size += static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

// Takes `label` and 32 bytes of hex off the front of `rest`.
bool ConsumeHexField(absl::string_view label, absl::string_view* rest,
                     std::array<uint8_t, 32>* value) {
  if (!absl::ConsumePrefix(rest, label) || rest->size() < kHexSize) return false;
  size_t decoded = 0;
  const char* end = nullptr;
  if (sodium_hex2bin(value->data(), value->size(), rest->data(), kHexSize, nullptr, &decoded,
                     &end) != 0 ||
      decoded != value->size() || end != rest->data() + kHexSize) {
    return false;
  }
  rest->remove_prefix(kHexSize);
  return true;
}

absl::Status WriteAll(int fd, absl::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return absl::UnavailableError(ErrnoStatus("write", path, errno).message());
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

// Writes and syncs `path`, which must not exist, with mode 0600 whatever the umask.
absl::Status WriteSynced(const std::string& path, absl::string_view text) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return absl::UnavailableError(ErrnoStatus("create", path, errno).message());
  if (fchmod(file.get(), 0600) != 0) {
    return absl::UnavailableError(ErrnoStatus("chmod", path, errno).message());
  }
  RETURN_IF_ERROR(WriteAll(file.get(), text, path));
  if (fsync(file.get()) != 0) {
    return absl::UnavailableError(ErrnoStatus("sync", path, errno).message());
  }
  return absl::OkStatus();
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  const Descriptor handle(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.get() < 0 || fsync(handle.get()) != 0) {
    return absl::UnavailableError(ErrnoStatus("sync", directory, errno).message());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SigningKey> DecodeKeyFile(absl::string_view file, absl::string_view path) {
  absl::string_view rest = file;
  if (!absl::ConsumePrefix(&rest, kHeader)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a vigil-key/v1 file"));
  }
  const absl::string_view name = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(name.size());
  KeySeed seed{};
  std::array<uint8_t, 32> stated_public{};
  const bool parsed = IsValidName(name) && ConsumeHexField(kSeedLabel, &rest, &seed) &&
                      ConsumeHexField(kPublicLabel, &rest, &stated_public) && rest == "\n";
  SigningKey key = SigningKey::FromSeed(seed);
  SecretText canonical;
  if (parsed) AppendKeyFile(name, seed, key.public_key(), &canonical);
  WipeSecret(&seed);
  if (!parsed) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": damaged or cut key file"));
  }
  if (stated_public != key.public_key().bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the public key is not the seed's; the file is damaged"));
  }
  if (canonical.view() != file) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": hex must be lower-case"));
  }
  return key;
}

std::string EncodeKeyFile(absl::string_view name, const KeySeed& seed) {
  VIGIL_CHECK(IsValidName(name), "key name ", name);
  SecretText text;
  AppendKeyFile(name, seed, SigningKey::FromSeed(seed).public_key(), &text);
  return std::string(text.view().data(), text.size);
}

KeySeed RandomKeySeed() {
  std::string bytes = RandomBytes(KeySeed().size());
  KeySeed seed;
  std::copy(bytes.begin(), bytes.end(), seed.begin());
  WipeSecret(&bytes);
  return seed;
}

void WipeSecret(std::string* text) {
  sodium_memzero(text->data(), text->size());
  text->clear();
}

void WipeSecret(KeySeed* seed) { sodium_memzero(seed->data(), seed->size()); }

absl::StatusOr<SigningKey> SigningKey::Load(const std::string& path) {
  SecretText text;
  RETURN_IF_ERROR(ReadKeyFile(path, &text));
  return DecodeKeyFile(text.view(), path);
}

absl::Status SigningKey::Save(const std::string& path, absl::string_view name) const {
  VIGIL_CHECK(!public_key_.IsZero(), "saving a key that was moved away");
  if (!IsValidName(name)) {
    return absl::InvalidArgumentError(absl::StrCat("key name of ", name.size(), " bytes: 1 to ",
                                                   kNameBytesMax,
                                                   " printable ASCII characters belong there"));
  }
  SecretText text;
  AppendKeyFile(name, ByteSpan(secret_.data(), 32), public_key_, &text);
  return SaveSecret(path, text.view());
}

absl::Status SaveSecret(const std::string& path, absl::string_view text) {
  // link() makes the finished file appear under its name, and fails when the name is taken.
  const std::string temporary = absl::StrCat(path, ".", HexEncode(AsBytes(RandomBytes(8))), ".tmp");
  absl::Status status = WriteSynced(temporary, text);
  if (status.ok() && link(temporary.c_str(), path.c_str()) != 0) {
    status = errno == EEXIST ? ErrnoStatus("create", path, EEXIST)
                             : absl::UnavailableError(ErrnoStatus("create", path, errno).message());
  }
  unlink(temporary.c_str());
  RETURN_IF_ERROR(status);
  return SyncDirectoryOf(path);
}

}  // namespace vigil::ledger
