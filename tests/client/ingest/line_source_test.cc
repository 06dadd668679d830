#include "client/ingest/line_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/client/ingest/temp_folder.h"
#include "tests/support/catch.h"

namespace vigil::client {
namespace {

struct Read {
  std::vector<std::string> lines;
  std::vector<uint64_t> offsets;
  SourceLine last;
  absl::Status status;
};

Read ReadAll(LineSource* source) {
  Read read;
  SourceLine line;
  for (;;) {
    const auto more = source->Next(&line);
    if (!more.ok()) read.status = more.status();
    if (!more.ok() || !*more) return read;
    read.lines.emplace_back(line.text);
    read.offsets.push_back(source->offset());
    read.last = line;
  }
}

std::unique_ptr<LineSource> Open(const std::string& path) {
  auto source = LineSource::Open(path);
  INFO(source.status());
  REQUIRE(source.ok());
  return *std::move(source);
}

TEST_CASE("line source: lines end with LF or CR LF or the file", "[ingest]") {
  TempFolder folder;
  const auto source = Open(folder.Write("a", "one\r\n\ntwo\nthree"));
  const Read read = ReadAll(source.get());
  CHECK(read.lines == std::vector<std::string>{"one", "", "two", "three"});
  CHECK(read.offsets == std::vector<uint64_t>{5, 6, 10, 15});
  CHECK_FALSE(read.last.terminated);
  CHECK_FALSE(read.last.broken);
  CHECK(source->tail() == "three");
  CHECK(ReadAll(Open(folder.Write("b", "")).get()).lines.empty());
}

TEST_CASE("line source: gzip is decompressed whatever its name and in several members",
          "[ingest]") {
  TempFolder folder;
  const std::string path = folder.Write("log", Gzip("one\ntw") + Gzip("o\nthree\n"));
  const Read read = ReadAll(Open(path).get());
  CHECK(read.status.ok());
  CHECK(read.lines == std::vector<std::string>{"one", "two", "three"});
  CHECK(read.offsets == std::vector<uint64_t>{4, 8, 14});
}

TEST_CASE("line source: a truncated gzip gives its whole lines and then data loss", "[ingest]") {
  TempFolder folder;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  const std::string packed = Gzip(text);
  for (const size_t size :
       {packed.size() - 1, packed.size() / 2, size_t{30}, size_t{11}, size_t{3}}) {
    INFO(size);
    const Read read = ReadAll(Open(folder.Write("cut", packed.substr(0, size))).get());
    CHECK(absl::IsDataLoss(read.status));
    std::string again;
    for (size_t i = 0; i < read.lines.size(); ++i) {
      again += read.lines[i];
      if (i + 1 < read.lines.size() || read.last.terminated) again += "\n";
    }
    CHECK(text.compare(0, again.size(), again) == 0);
    if (!read.lines.empty()) CHECK(read.last.broken == !read.last.terminated);
  }
}

TEST_CASE("line source: damaged gzip is data loss and never more", "[ingest]") {
  TempFolder folder;
  const std::string packed = Gzip("one\ntwo\nthree\nfour\nfive\n");
  int unharmed_count = 0;
  for (size_t at = 2; at < packed.size(); ++at) {
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    const Read read = ReadAll(Open(folder.Write("bad", damaged)).get());
    // Header bytes 4 to 9 (time, flags, system) and padding bits mean nothing; all else is noticed.
    const bool unharmed = read.status.ok() && read.lines.size() == 5 && read.lines[4] == "five";
    CHECK((unharmed || absl::IsDataLoss(read.status)));
    if (unharmed) ++unharmed_count;
  }
  CHECK(unharmed_count <= 8);
  CHECK(absl::IsDataLoss(ReadAll(Open(folder.Write("tail", packed + "garbage")).get()).status));
}

TEST_CASE("line source: a line beyond the limit is told with its size and the next one read",
          "[ingest]") {
  TempFolder folder;
  const std::string most(kLineBytesMax, 'a');
  const auto source = Open(
      folder.Write("long", most + "\n" + most + "b\nnext\n" + std::string(3 * kLineBytesMax, 'c')));
  SourceLine line;
  REQUIRE(source->Next(&line).value());
  CHECK_FALSE(line.too_long);
  CHECK(line.size == kLineBytesMax);
  REQUIRE(source->Next(&line).value());
  CHECK(line.too_long);
  CHECK(line.size == kLineBytesMax + 1);
  CHECK(line.text.size() < 10'000);
  REQUIRE(source->Next(&line).value());
  CHECK(line.text == "next");
  CHECK(source->offset() == 2 * kLineBytesMax + 3 + 5);
  REQUIRE(source->Next(&line).value());
  CHECK(line.too_long);
  CHECK_FALSE(line.terminated);
  CHECK(line.size == 3 * kLineBytesMax);
  CHECK_FALSE(source->Next(&line).value());
}

TEST_CASE("line source: peeking consumes nothing and skipping goes on at the offset", "[ingest]") {
  TempFolder folder;
  for (const bool packed : {false, true}) {
    const std::string text = "one\ntwo\nthree\n";
    const auto source = Open(folder.Write("s", packed ? Gzip(text) : text));
    CHECK(source->Peek(5).value() == "one\nt");
    CHECK(source->Skip(8, 3).value() == "wo\n");
    CHECK(source->offset() == 8);
    CHECK(ReadAll(source.get()).lines == std::vector<std::string>{"three"});
    CHECK(absl::IsOutOfRange(Open(folder.Write("t", text))->Skip(15, 3).status()));
  }
}

TEST_CASE("line source: a pipe is waited for", "[ingest]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(write(ends[1], "one\ntw", 6) == 6);
  auto source = LineSource::OfDescriptor(ends[0], "pipe");
  REQUIRE(source.ok());
  CHECK_FALSE((*source)->is_regular_file());
  SourceLine line;
  CHECK((*source)->WaitReadable(0));
  REQUIRE((*source)->Next(&line).value());
  CHECK(line.text == "one");
  CHECK_FALSE((*source)->WaitReadable(0));
  REQUIRE(write(ends[1], "o\n", 2) == 2);
  CHECK((*source)->WaitReadable(1000));
  REQUIRE((*source)->Next(&line).value());
  CHECK(line.text == "two");
  close(ends[1]);
  CHECK((*source)->WaitReadable(1000));
  CHECK_FALSE((*source)->Next(&line).value());
}

TEST_CASE("line source: told to stop it waits for no pipe and reads no endless line", "[ingest]") {
  TempFolder folder;
  std::atomic<bool> stop{true};
  SECTION("a pipe that stays quiet") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    CHECK(absl::IsCancelled(LineSource::OfDescriptor(ends[0], "pipe", &stop).status()));
    close(ends[1]);
  }
  SECTION("a named pipe that nobody writes to") {
    REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
    CHECK(absl::IsCancelled(LineSource::Open(folder.path("fifo"), &stop).status()));
  }
  SECTION("a line without end") {
    stop = false;
    const auto source = LineSource::Open("/dev/zero", &stop);
    REQUIRE(source.ok());
    stop = true;
    SourceLine line;
    REQUIRE((*source)->Next(&line).value());
    CHECK(line.broken);
    CHECK(absl::IsCancelled((*source)->Next(&line).status()));
  }
  SECTION("going to where the last run stopped") {
    stop = false;
    const auto source = LineSource::Open(folder.Write("a", std::string(1 << 20, 'x')), &stop);
    REQUIRE(source.ok());
    stop = true;
    CHECK(absl::IsCancelled((*source)->Skip(1 << 20, 64).status()));
  }
}

TEST_CASE("line source: a named pipe is read to the end of its writer", "[ingest]") {
  TempFolder folder;
  REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  // Open for both, so that neither side waits for the other.
  const int writer = open(folder.path("fifo").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(writer >= 0);
  REQUIRE(write(writer, "one\ntwo\n", 8) == 8);
  const auto source = Open(folder.path("fifo"));
  SourceLine line;
  REQUIRE(source->Next(&line).value());
  close(writer);
  CHECK(ReadAll(source.get()).lines == std::vector<std::string>{"two"});
}

TEST_CASE("line source: what cannot be opened is named", "[ingest]") {
  TempFolder folder;
  CHECK(absl::IsNotFound(LineSource::Open(folder.path("none")).status()));
  CHECK(absl::IsInvalidArgument(LineSource::Open(folder.path("")).status()));
}

}  // namespace
}  // namespace vigil::client
