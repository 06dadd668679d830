#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/storage/file.h"
#include "tests/ledger/storage/storage_test_support.h"

namespace vigil::ledger {
namespace {

TEST_CASE("posix: what is appended is read back and a reopened file goes on at its end",
          "[ledger_storage]") {
  const TemporaryDirectory directory;
  FileSystem* files = PosixFileSystem();
  const std::string path = directory.path() + "/a";
  {
    auto file = *files->OpenAppend(path);
    REQUIRE(file->Append(AsBytes("hello ")).ok());
    REQUIRE(file->Sync().ok());
    CHECK(file->size() == 6);
  }
  auto file = *files->OpenAppend(path);
  CHECK(file->size() == 6);
  REQUIRE(file->Append(AsBytes("world")).ok());
  CHECK(*files->ReadAll(path) == "hello world");
  CHECK(*files->Size(path) == 11);

  auto reader = *files->OpenRead(path);
  CHECK(*reader->Read(6, 5) == "world");
  CHECK(*reader->Read(9, 100) == "ld");
  CHECK(reader->Read(11, 1)->empty());
  CHECK(reader->Read(1000, 1)->empty());
}

TEST_CASE("posix: a secret is its owner's alone and is wiped where it lies", "[ledger_storage]") {
  const TemporaryDirectory directory;
  FileSystem* files = PosixFileSystem();
  const std::string path = directory.path() + "/secret";
  const mode_t before = umask(0);  // Which would let everybody in.
  REQUIRE(files->WriteSecret(path, AsBytes("a secret")).ok());
  umask(before);
  struct stat info;
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  CHECK(*files->ReadSecret(path) == "a secret");
  CHECK(absl::IsAlreadyExists(files->WriteSecret(path, AsBytes("another"))));
  for (const mode_t mode : {0640, 0604, 0610}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    CHECK(absl::IsPermissionDenied(files->ReadSecret(path).status()));
  }
  CHECK(absl::IsNotFound(files->ReadSecret(path + "x").status()));

  const ino_t inode = info.st_ino;
  const std::string large(10'000, 's');
  REQUIRE((*files->OpenAppend(path))->Append(AsBytes(large)).ok());
  REQUIRE(files->Wipe(path).ok());
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK(info.st_ino == inode);
  CHECK(*files->ReadAll(path) == std::string(8 + large.size(), '\0'));
  CHECK(absl::IsNotFound(files->Wipe(path + "x")));
}

TEST_CASE("posix: names are listed in order and change by rename and remove", "[ledger_storage]") {
  const TemporaryDirectory directory;
  FileSystem* files = PosixFileSystem();
  const std::string deep = directory.path() + "/x/y/z";
  REQUIRE(files->MakeDirs(deep).ok());
  REQUIRE(files->MakeDirs(deep).ok());  // Again is no error.
  for (const char* name : {"c", "a", "b"}) {
    REQUIRE(files->WriteAtomically(absl::StrCat(deep, "/", name), AsBytes(name)).ok());
  }
  CHECK(*files->List(deep) == std::vector<std::string>{"a", "b", "c"});
  REQUIRE(files->Rename(deep + "/a", deep + "/b").ok());
  REQUIRE(files->Remove(deep + "/c").ok());
  REQUIRE(files->SyncDir(deep).ok());
  CHECK(*files->List(deep) == std::vector<std::string>{"b"});
  CHECK(*files->ReadAll(deep + "/b") == "a");
  REQUIRE(files->Truncate(deep + "/b", 0).ok());
  CHECK(files->ReadAll(deep + "/b")->empty());
  CHECK(files->Exists(deep + "/b"));
  CHECK_FALSE(files->Exists(deep + "/a"));
}

TEST_CASE("posix: writing atomically replaces the whole content and leaves nothing else",
          "[ledger_storage]") {
  const TemporaryDirectory directory;
  FileSystem* files = PosixFileSystem();
  const std::string path = directory.path() + "/guard";
  REQUIRE(files->WriteAtomically(path, AsBytes("a long first content")).ok());
  REQUIRE(files->WriteAtomically(path, AsBytes("short")).ok());
  CHECK(*files->ReadAll(path) == "short");
  CHECK(*files->List(directory.path()) == std::vector<std::string>{"guard"});
}

TEST_CASE("posix: each error names the path and the system's text", "[ledger_storage]") {
  const TemporaryDirectory directory;
  FileSystem* files = PosixFileSystem();
  const std::string missing = directory.path() + "/missing";
  const absl::Status not_found = files->OpenRead(missing).status();
  CHECK(absl::IsNotFound(not_found));
  CHECK(absl::StrContains(not_found.message(), missing));
  CHECK(absl::StrContains(not_found.message(), "No such file"));
  CHECK(absl::IsNotFound(files->ReadAll(missing).status()));
  CHECK(absl::IsNotFound(files->Size(missing).status()));
  CHECK(absl::IsNotFound(files->Truncate(missing, 0)));
  CHECK(absl::IsNotFound(files->Remove(missing)));
  CHECK(absl::IsNotFound(files->Rename(missing, missing + "2")));
  CHECK(absl::IsNotFound(files->List(missing).status()));
  CHECK(absl::IsNotFound(files->SyncDir(missing)));
  CHECK(absl::IsNotFound(files->OpenAppend(missing + "/inside").status()));

  REQUIRE(files->WriteAtomically(directory.path() + "/file", AsBytes("x")).ok());
  CHECK(absl::IsAlreadyExists(files->MakeDirs(directory.path() + "/file")));
  CHECK(absl::IsUnavailable(files->MakeDirs(directory.path() + "/file/below")));
}

TEST_CASE("posix: a full disk is resource exhausted", "[ledger_storage]") {
  FileSystem* files = PosixFileSystem();
  auto full = files->OpenAppend("/dev/full");  // Every write to it fails with ENOSPC.
  if (!full.ok()) {
    WARN("no /dev/full here: skipped");
    return;
  }
  const absl::Status status = (*full)->Append(AsBytes("x"));
  CHECK(absl::IsResourceExhausted(status));
  CHECK(absl::StrContains(status.message(), "/dev/full"));
  CHECK((*full)->size() == 0);
}

TEST_CASE("posix: a lock is exclusive between objects and dies with its holder",
          "[ledger_storage]") {
  const TemporaryDirectory directory;
  FileSystem* files = PosixFileSystem();
  const std::string path = directory.path() + "/LOCK";
  {
    const auto held = files->Lock(path);
    REQUIRE(held.ok());
    const absl::Status refused = files->Lock(path).status();
    CHECK(absl::IsAlreadyExists(refused));
    CHECK(absl::StrContains(refused.message(), path));
  }
  CHECK(files->Lock(path).ok());
}

TEST_CASE("posix: a lock is exclusive between processes and dies with its process",
          "[ledger_storage]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/LOCK";
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = PosixFileSystem()->Lock(path);
    const char answer = held.ok() ? '1' : '0';
    if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  CHECK(answer == '1');
  CHECK(absl::IsAlreadyExists(PosixFileSystem()->Lock(path).status()));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(PosixFileSystem()->Lock(path).ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

// Pages of a file that the system holds in memory.
size_t CachedPages(const std::string& path, size_t bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  void* const map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  REQUIRE(map != MAP_FAILED);
  std::vector<unsigned char> pages((bytes + 4095) / 4096);
  REQUIRE(::mincore(map, bytes, pages.data()) == 0);
  ::munmap(map, bytes);
  return static_cast<size_t>(std::count_if(pages.begin(), pages.end(),
                                           [](unsigned char page) { return (page & 1) != 0; }));
}

TEST_CASE("posix: what was dropped from memory is read from the device again", "[ledger_storage]") {
  const TemporaryDirectory directory;
  FileSystem* files = PosixFileSystem();
  const std::string path = directory.path() + "/a";
  const std::string content(1 << 20, 'a');
  {
    const auto file = files->OpenAppend(path);
    REQUIRE(file.ok());
    REQUIRE((*file)->Append(AsBytes(content)).ok());
    REQUIRE((*file)->Sync().ok());
  }
  const size_t before = CachedPages(path, content.size());
  CHECK(before > 200);
  REQUIRE(files->DropCached(path).ok());
  const size_t after = CachedPages(path, content.size());
  if (after == before) WARN("this file system keeps its files in memory alone");
  CHECK((after == 0 || after == before));
  CHECK(files->ReadAll(path).value() == content);
  CHECK(absl::IsNotFound(files->DropCached(directory.path() + "/none")));
}

TEST_CASE("posix: descriptors are closed in programs that the process starts", "[ledger_storage]") {
  const TemporaryDirectory directory;
  FileSystem* files = PosixFileSystem();
  const int before = ::dup(0);  // The lowest free number.
  ::close(before);
  const auto file = files->OpenAppend(directory.path() + "/a");
  REQUIRE(file.ok());
  CHECK((::fcntl(before, F_GETFD) & FD_CLOEXEC) != 0);
}

}  // namespace
}  // namespace vigil::ledger
