#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "ledger/crypto/keys.h"
#include "tests/support/catch.h"

namespace vigil::ledger {
namespace {

namespace fs = std::filesystem;

// docs/formats/key_file.md, Example: the key of RFC 8032 section 7.1, test 1.
constexpr absl::string_view kGoldenFile =
    "vigil-key/v1 rfc8032 test 1\n"
    "seed 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n"
    "public d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n";

class KeyFolder {
 public:
  KeyFolder() {
    std::string pattern = (fs::temp_directory_path() / "vigil-key-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~KeyFolder() { fs::remove_all(folder_); }
  std::string path() const { return folder_ / "test.key"; }
  const fs::path& folder() const { return folder_; }

  void Write(absl::string_view text, mode_t mode = 0600) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc)
        .write(text.data(), static_cast<std::streamsize>(text.size()));
    REQUIRE(chmod(path().c_str(), mode) == 0);
  }
  std::string Read() const {
    std::ifstream file(path(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

 private:
  fs::path folder_;
};

SigningKey GoldenKey() {
  return SigningKey::FromSeed(
      Hash::FromHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")->bytes);
}

TEST_CASE("key file: is written byte for byte as documented and read back", "[crypto]") {
  const KeyFolder folder;
  REQUIRE(GoldenKey().Save(folder.path(), "rfc8032 test 1").ok());
  CHECK(folder.Read() == kGoldenFile);
  const absl::StatusOr<SigningKey> loaded = SigningKey::Load(folder.path());
  REQUIRE(loaded.ok());
  CHECK(loaded->public_key() == GoldenKey().public_key());
  CHECK(loaded->Sign(AsBytes("x")) == GoldenKey().Sign(AsBytes("x")));
}

TEST_CASE("key file: belongs to its owner alone whatever the umask", "[crypto]") {
  for (mode_t mask : {mode_t{0}, mode_t{022}, mode_t{0777}}) {
    const KeyFolder folder;
    const mode_t before = umask(mask);
    const absl::Status saved = GoldenKey().Save(folder.path(), "name");
    umask(before);
    REQUIRE(saved.ok());
    struct stat info;
    REQUIRE(stat(folder.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
  }
}

TEST_CASE("key file: an existing file is never replaced", "[crypto]") {
  const KeyFolder folder;
  folder.Write("something else");
  CHECK(absl::IsAlreadyExists(GoldenKey().Save(folder.path(), "name")));
  CHECK(folder.Read() == "something else");
  // Nothing of the attempt stays behind.
  CHECK(std::distance(fs::directory_iterator(folder.folder()), fs::directory_iterator()) == 1);
}

TEST_CASE("key file: saving leaves exactly one file", "[crypto]") {
  const KeyFolder folder;
  REQUIRE(GoldenKey().Save(folder.path(), "name").ok());
  CHECK(std::distance(fs::directory_iterator(folder.folder()), fs::directory_iterator()) == 1);
}

TEST_CASE("key file: a folder that is not there is an error that names it", "[crypto]") {
  const KeyFolder folder;
  const absl::Status status = GoldenKey().Save(folder.path() + ".d/x.key", "name");
  CHECK(absl::IsUnavailable(status));
  CHECK(std::string(status.message()).find("No such file") != std::string::npos);
}

TEST_CASE("key file: names that would break the line or the limit are refused", "[crypto]") {
  const KeyFolder folder;
  for (const std::string& name : {std::string(), std::string(" a"), std::string("a "),
                                  std::string("a\nb"), std::string("a\tb"), std::string("a\0b", 3),
                                  std::string("\xc3\xa9"), std::string(65, 'n')}) {
    CHECK(absl::IsInvalidArgument(GoldenKey().Save(folder.path(), name)));
    CHECK_FALSE(fs::exists(folder.path()));
  }
  CHECK(GoldenKey().Save(folder.path(), std::string(64, 'n')).ok());
  CHECK(SigningKey::Load(folder.path()).ok());
}

TEST_CASE("key file: any right for group or others makes it unusable", "[crypto]") {
  const KeyFolder folder;
  for (mode_t bit = 01; bit <= 040; bit <<= 1) {
    folder.Write(kGoldenFile, 0600 | bit);
    CHECK(absl::IsPermissionDenied(SigningKey::Load(folder.path()).status()));
  }
  folder.Write(kGoldenFile, 0400);
  CHECK(SigningKey::Load(folder.path()).ok());
}

TEST_CASE("key file: what is not a regular file is refused", "[crypto]") {
  const KeyFolder folder;
  CHECK(absl::IsNotFound(SigningKey::Load(folder.path()).status()));
  REQUIRE(mkfifo(folder.path().c_str(), 0600) == 0);
  CHECK(absl::IsInvalidArgument(SigningKey::Load(folder.path()).status()));
  REQUIRE(chmod(folder.folder().c_str(), 0700) == 0);
  CHECK(absl::IsInvalidArgument(SigningKey::Load(folder.folder().string()).status()));
}

TEST_CASE("key file: a symbolic link to a key file will do", "[crypto]") {
  const KeyFolder folder;
  folder.Write(kGoldenFile);
  const std::string link = folder.path() + ".link";
  fs::create_symlink(folder.path(), link);
  CHECK(SigningKey::Load(link).ok());
}

TEST_CASE("key file: every cut and every byte more is refused", "[crypto]") {
  const KeyFolder folder;
  for (size_t size = 0; size < kGoldenFile.size(); ++size) {
    folder.Write(kGoldenFile.substr(0, size));
    CHECK(absl::IsInvalidArgument(SigningKey::Load(folder.path()).status()));
  }
  for (absl::string_view more : {"\n", " ", "x", "\nseed "}) {
    folder.Write(std::string(kGoldenFile) + std::string(more));
    CHECK(absl::IsInvalidArgument(SigningKey::Load(folder.path()).status()));
  }
  folder.Write(std::string(kGoldenFile) + std::string(1 << 20, 'x'));
  CHECK(absl::IsInvalidArgument(SigningKey::Load(folder.path()).status()));
}

TEST_CASE("key file: every flipped bit outside the name is refused", "[crypto]") {
  const KeyFolder folder;
  const size_t name_begin = kGoldenFile.find(' ') + 1;
  const size_t name_end = kGoldenFile.find('\n');
  for (size_t bit = 0; bit < 8 * kGoldenFile.size(); ++bit) {
    if (bit / 8 >= name_begin && bit / 8 < name_end) continue;
    std::string text(kGoldenFile);
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    folder.Write(text);
    INFO("bit " << bit);
    CHECK(absl::IsInvalidArgument(SigningKey::Load(folder.path()).status()));
  }
}

TEST_CASE("key file: a public key that is not the seed's is named as the cause", "[crypto]") {
  const KeyFolder folder;
  std::string text(kGoldenFile);
  const std::string other = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
  text.replace(text.find("d75a98"), other.size(), other);
  folder.Write(text);
  const absl::Status status = SigningKey::Load(folder.path()).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK(std::string(status.message()).find("the public key is not the seed's") !=
        std::string::npos);
}

}  // namespace
}  // namespace vigil::ledger
