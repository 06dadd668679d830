// The reader against real files and a sink in memory: what is read once is never read again, what
// is new is found, and every line is accounted for.
#include "client/ingest/reader.h"

#include <set>

#include "client/ingest/ingest.h"
#include "client/ingest/value_parsers.h"
#include "client/ingest/zeek_tsv_adapter.h"
#include "ledger/crypto/sha256.h"
#include "tests/client/ingest/ingest_test_support.h"
#include "tests/client/ingest/temp_folder.h"

namespace vigil::client {
namespace {

// Takes batches and says that they were delivered at once, or only at Flush().
class MemorySink final : public BatchSink {
 public:
  explicit MemorySink(CheckpointStore* store) : store_(store) {}

  absl::Status Submit(EventBatch batch) override {
    if (!refusal.ok()) return refusal;
    for (const std::string& bytes : batch.events) {
      v1::Event event;
      REQUIRE(event.ParseFromString(bytes));
      uids.push_back(event.source_uid());
    }
    stats_.events_delivered += batch.events.size();
    ++stats_.batches_delivered;
    marks.push_back(batch.source_mark);
    return absl::OkStatus();
  }
  absl::Status Poll() override { return absl::OkStatus(); }
  absl::Status Flush() override {
    for (; kept_ < marks.size(); ++kept_) {
      if (marks[kept_].empty()) continue;
      const auto checkpoint = DecodeCheckpoint(marks[kept_]);
      REQUIRE(checkpoint.ok());
      REQUIRE(store_->Put(*checkpoint).ok());
    }
    return absl::OkStatus();
  }
  DeliveryStats stats() const override { return stats_; }

  std::vector<std::string> uids;
  std::vector<std::string> marks;
  absl::Status refusal;

 private:
  CheckpointStore* const store_;
  DeliveryStats stats_;
  size_t kept_ = 0;
};

std::string ConnLine(int number) {
  return R"({"_path":"conn","ts":1.5,"uid":"C)" + std::to_string(number) +
         R"(","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","conn_state":"SF"})" + "\n";
}
std::string ConnLines(int first, int last) {
  std::string lines;
  for (int i = first; i <= last; ++i) lines += ConnLine(i);
  return lines;
}
std::vector<std::string> Uids(int first, int last) {
  std::vector<std::string> uids;
  for (int i = first; i <= last; ++i) uids.push_back("C" + std::to_string(i));
  return uids;
}

struct Run {
  IngestReport report;
  std::vector<std::string> uids;
  std::vector<std::string> marks;
};

// One run of the command over `inputs`, with the state folder "state".
Run Ingest(const TempFolder& folder, const std::vector<std::string>& inputs, uint32_t items_max = 3,
           absl::Status refusal = absl::OkStatus(), bool final_lines = false,
           bool reingest = false) {
  ledger::FileSystem* const files = ledger::PosixFileSystem();
  auto store = CheckpointStore::Open(files, folder.path("state/checkpoints"));
  REQUIRE(store.ok());
  MemorySink sink(store->get());
  sink.refusal = refusal;
  IngestOptions options;
  for (const std::string& input : inputs) options.inputs.push_back(folder.path(input));
  options.state_folder = folder.path("state");
  options.read.batch.items_max = items_max;
  options.read.final_lines = final_lines;
  options.read.reingest = reingest;
  SilentProgress progress;
  auto report = RunIngestInto(options, store->get(), &sink, SystemClock(), files, &progress);
  REQUIRE(report.ok());
  const InputReport& total = report->total;
  CHECK(total.lines ==
        total.accepted + total.already_covered + total.quarantined + total.skipped + total.unsent);
  if (refusal.ok()) CHECK(total.accepted == sink.uids.size());
  return {.report = *std::move(report), .uids = sink.uids, .marks = sink.marks};
}

TEST_CASE("reader: running the same command again adds nothing", "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 10));
  folder.Write("dns.log.gz", Gzip(ConnLines(11, 20)));
  CHECK(Ingest(folder, {"conn.log", "dns.log.gz"}).uids == Uids(1, 20));
  const Run again = Ingest(folder, {"conn.log", "dns.log.gz"});
  CHECK(again.uids.empty());
  CHECK(again.report.total.already_covered == 20);
  CHECK(again.report.total.lines == 20);
  CHECK(IngestVerdict(again.report).ok());
}

TEST_CASE("reader: lines appended to a file are picked up", "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 4));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, 4));
  folder.Append("conn.log", ConnLines(5, 9));
  const Run grown = Ingest(folder, {"conn.log"});
  CHECK(grown.uids == Uids(5, 9));
  CHECK(grown.report.total.already_covered == 4);
  CHECK(grown.report.inputs[0].lines == 9);
  SECTION("also to a gzip file as another member") {
    folder.Write("z.log", Gzip(ConnLines(1, 4)));
    CHECK(Ingest(folder, {"z.log"}).uids == Uids(1, 4));
    folder.Append("z.log", Gzip(ConnLines(5, 6)));
    CHECK(Ingest(folder, {"z.log"}).uids == Uids(5, 6));
  }
}

TEST_CASE("reader: an empty file that grows is read from its start", "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", "");
  CHECK(Ingest(folder, {"conn.log"}).report.total.lines == 0);
  folder.Append("conn.log", ConnLines(1, 2));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, 2));
}

TEST_CASE("reader: a file renamed by rotation is read to its end and the new one from its start",
          "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 5));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, 5));
  folder.Append("conn.log", ConnLines(6, 7));
  folder.Rename("conn.log", "conn.log.1");
  folder.Write("conn.log", ConnLines(101, 103));
  const Run rotated = Ingest(folder, {"conn.log"});
  std::vector<std::string> expected = Uids(6, 7);
  for (const std::string& uid : Uids(101, 103)) expected.push_back(uid);
  CHECK(rotated.uids == expected);
  CHECK(rotated.report.inputs.size() == 2);
  SECTION("and neither a second time, under any of their names") {
    CHECK(Ingest(folder, {"conn.log", "conn.log.1"}).uids.empty());
    folder.Rename("conn.log.1", "conn.log.2");
    CHECK(Ingest(folder, {"conn.log.2", "conn.log"}).uids.empty());
  }
}

TEST_CASE("reader: a renamed file whose reading failed is read to its end by the next run",
          "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 5));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, 5));
  folder.Append("conn.log", ConnLines(6, 7));
  folder.Rename("conn.log", "conn.log.1");
  folder.Write("conn.log", ConnLines(101, 101));
  CHECK(Ingest(folder, {"conn.log"}, 3, absl::UnavailableError("nobody there")).uids.empty());
  CHECK(Ingest(folder, {"conn.log"}).uids == std::vector<std::string>{"C6", "C7", "C101"});
  CHECK(Ingest(folder, {"conn.log", "conn.log.1"}).uids.empty());
}

TEST_CASE("reader: rotation that compresses or copies and truncates is followed", "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 5));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, 5));
  SECTION("compressed") {
    folder.Write("conn.2024-05-01.log.gz", Gzip(ConnLines(1, 8)));
    folder.Write("conn.log", ConnLines(101, 101));
    CHECK(Ingest(folder, {"conn.log"}).uids == std::vector<std::string>{"C6", "C7", "C8", "C101"});
  }
  SECTION("copied and truncated, with the new file already longer than the old one was") {
    folder.Write("conn.log.1", ConnLines(1, 6));
    folder.Write("conn.log", ConnLines(101, 120));
    std::vector<std::string> expected = {"C6"};
    for (const std::string& uid : Uids(101, 120)) expected.push_back(uid);
    CHECK(Ingest(folder, {"conn.log"}).uids == expected);
  }
  SECTION("gone: the new file is read, and the report says so") {
    folder.Write("conn.log", ConnLines(101, 101));
    const Run replaced = Ingest(folder, {"conn.log"});
    CHECK(replaced.uids == Uids(101, 101));
    CHECK(replaced.report.inputs[0].note.find("replaced") == 0);
  }
}

TEST_CASE("reader: two files that begin alike are two files", "[ingest]") {
  TempFolder folder;
  const std::string head = ConnLines(1, 20);  // More than the first KiB.
  folder.Write("a.log", head + ConnLines(21, 22));
  folder.Write("b.log", head + ConnLines(31, 32));
  const Run run = Ingest(folder, {"a.log", "b.log"});
  CHECK(run.uids.size() == 44);
  CHECK(Ingest(folder, {"b.log", "a.log"}).uids.empty());
}

TEST_CASE("reader: a changed beginning or end makes it another file", "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 5));
  CHECK(Ingest(folder, {"conn.log"}).uids.size() == 5);
  std::string text = ConnLines(1, 5);
  SECTION("beginning") { text[text.find("10.0.0.1")] = '9'; }
  SECTION("end") { text[text.rfind("C5") + 1] = '8'; }
  folder.Write("conn.log", text);
  CHECK(Ingest(folder, {"conn.log"}).uids.size() == 5);
}

TEST_CASE("reader: a file that was cut is refused until it is to be read once more", "[ingest]") {
  TempFolder folder;
  const int lines = GENERATE(9, 40);  // Less and more than the first KiB.
  folder.Write("conn.log", ConnLines(1, lines));
  folder.Write("other.log", ConnLine(100));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, lines));
  folder.Write("conn.log", ConnLines(1, lines - 4));
  const Run cut = Ingest(folder, {"conn.log", "other.log"});
  CHECK(cut.uids == Uids(100, 100));
  const absl::Status& status = cut.report.inputs[0].status;
  CHECK(absl::IsFailedPrecondition(status));
  CHECK(status.message().find(folder.path("conn.log")) == 0);
  CHECK(status.message().find("--reingest") != absl::string_view::npos);
  SECTION("it is then read from its beginning") {
    CHECK(Ingest(folder, {"conn.log"}, 3, absl::OkStatus(), false, /*reingest=*/true).uids ==
          Uids(1, lines - 4));
    CHECK(Ingest(folder, {"conn.log"}).uids.empty());
  }
  SECTION("one that grows back is the old one") {
    folder.Write("conn.log", ConnLines(1, lines + 1));
    CHECK(Ingest(folder, {"conn.log"}).uids == Uids(lines + 1, lines + 1));
  }
  SECTION("one that begins alike beside the old one under another name is new") {
    folder.Write("conn.log.1", ConnLines(1, lines));
    CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, lines - 4));
  }
}

TEST_CASE("reader: a Zeek TSV file goes on with its header after a pause", "[ingest]") {
  TempFolder folder;
  folder.Write("weird.log",
               "#separator \\x09\n#path\tweird\n#fields\tts\tuid\tname\n"
               "#types\ttime\tstring\tstring\n1.5\tC1\tx\n1.5\tC2\tx\n");
  const Run first = Ingest(folder, {"weird.log"});
  CHECK(first.uids == Uids(1, 2));
  CHECK(first.report.total.skipped == 4);
  folder.Append("weird.log", "1.5\tC3\tx\n#close\t2024\n");
  const Run second = Ingest(folder, {"weird.log"});
  CHECK(second.uids == Uids(3, 3));
  CHECK(second.report.total.already_covered == 6);
  CHECK(second.report.total.skipped == 1);
}

TEST_CASE("reader: bad lines go to quarantine with their reason and nothing else is lost",
          "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLine(1) + "not json\n\n" + ConnLine(2) + "{\"ts\":\xFF}\n" +
                               std::string(kLineBytesMax + 1, 'x') + "\n" + ConnLine(3));
  const Run run = Ingest(folder, {"conn.log"});
  CHECK(run.uids == Uids(1, 3));
  CHECK(run.report.total.quarantined == 3);
  CHECK(run.report.total.skipped == 1);
  CHECK(IngestVerdict(run.report).ok());
  const std::string quarantine = folder.Read("state/quarantine.ndjson");
  CHECK(std::count(quarantine.begin(), quarantine.end(), '\n') == 3);
  CHECK(quarantine.find(R"("line":2,"reason":"not)") != std::string::npos);
  CHECK(quarantine.find(R"("raw":"not json"})") != std::string::npos);
  CHECK(quarantine.find(R"("raw_base64":"eyJ0cyI6/30="})") != std::string::npos);
  CHECK(quarantine.find(R"("size":1048577)") != std::string::npos);
  CHECK(Ingest(folder, {"conn.log"}).report.total.already_covered == 7);
  CHECK(folder.Read("state/quarantine.ndjson") == quarantine);
}

TEST_CASE("reader: a last line that is still being written is read when it is complete",
          "[ingest]") {
  TempFolder folder;
  const std::string third = ConnLine(3);
  folder.Write("conn.log", ConnLines(1, 2) + third.substr(0, 30));
  const Run first = Ingest(folder, {"conn.log"});
  CHECK(first.uids == Uids(1, 2));
  CHECK(first.report.total.quarantined == 0);
  CHECK(first.report.total.lines == 2);
  CHECK(first.report.inputs[0].unfinished);
  CHECK(FormatIngestReport(first.report).find("left for the next run") != std::string::npos);
  SECTION("unchanged, it is left again") {
    const Run same = Ingest(folder, {"conn.log"});
    CHECK(same.report.total.already_covered == 2);
    CHECK(same.report.inputs[0].unfinished);
  }
  SECTION("unless it is final: then it is quarantined once") {
    const Run final = Ingest(folder, {"conn.log"}, 3, absl::OkStatus(), /*final_lines=*/true);
    CHECK(final.report.total.quarantined == 1);
    CHECK_FALSE(final.report.inputs[0].unfinished);
    const Run same = Ingest(folder, {"conn.log"});
    CHECK(same.report.total.already_covered == 3);
    CHECK(same.report.total.quarantined == 0);
  }
  folder.Append("conn.log", third.substr(30) + ConnLine(4));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(3, 4));
}

TEST_CASE("reader: a row that is still being written becomes no event with a cut number",
          "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log",
               "#separator \\x09\n#path\tconn\n#fields\tts\tuid\torig_bytes\n"
               "#types\ttime\tstring\tcount\n1.5\tC1\t5\n1.5\tC2\t12");
  const Run first = Ingest(folder, {"conn.log"});
  CHECK(first.uids == Uids(1, 1));
  CHECK(first.report.inputs[0].unfinished);
  SECTION("it is read when it is whole") {
    folder.Append("conn.log", "34\n");
    const Run second = Ingest(folder, {"conn.log"});
    CHECK(second.uids == Uids(2, 2));
    CHECK(second.report.total.quarantined == 0);
  }
  SECTION("or when it is final") {
    CHECK(Ingest(folder, {"conn.log"}, 3, absl::OkStatus(), /*final_lines=*/true).uids ==
          Uids(2, 2));
    CHECK(Ingest(folder, {"conn.log"}).uids.empty());
  }
  SECTION("a compressed log is whole") {
    folder.Write("dns.log", Gzip(folder.Read("conn.log")));
    CHECK(Ingest(folder, {"dns.log"}).uids == Uids(1, 2));
  }
}

TEST_CASE("reader: a last line without its line end counts once", "[ingest]") {
  TempFolder folder;
  const std::string lines = ConnLines(1, 3);
  folder.Write("conn.log", lines.substr(0, lines.size() - 1));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, 3));
  CHECK(Ingest(folder, {"conn.log"}).uids.empty());
  SECTION("the line end comes later") {
    folder.Append("conn.log", "\n" + ConnLine(4));
    const Run run = Ingest(folder, {"conn.log"});
    CHECK(run.uids == Uids(4, 4));
    CHECK(run.report.total.lines == 4);
  }
  SECTION("what is glued to it is quarantined once it has a line end") {
    folder.Append("conn.log", "glu");
    CHECK(Ingest(folder, {"conn.log"}).report.inputs[0].unfinished);
    folder.Append("conn.log", "ed\n" + ConnLine(4));
    const Run run = Ingest(folder, {"conn.log"});
    CHECK(run.uids == Uids(4, 4));
    CHECK(run.report.total.quarantined == 1);
  }
  SECTION("what is glued to it at once is quarantined") {
    folder.Append("conn.log", "glued\n" + ConnLine(4));
    const Run run = Ingest(folder, {"conn.log"});
    CHECK(run.uids == Uids(4, 4));
    CHECK(run.report.total.quarantined == 1);
  }
}

TEST_CASE("reader: an input that breaks off is reported and the others are read", "[ingest]") {
  TempFolder folder;
  const std::string packed = Gzip(ConnLines(1, 200));
  folder.Write("a.log.gz", packed.substr(0, packed.size() / 2));
  folder.Write("b.log", ConnLines(301, 302));
  const Run run = Ingest(folder, {"none.log", "a.log.gz", "b.log"});
  REQUIRE(run.report.inputs.size() == 3);
  CHECK(absl::IsNotFound(run.report.inputs[0].status));
  CHECK(absl::IsDataLoss(run.report.inputs[1].status));
  CHECK(run.report.inputs[1].accepted > 0);
  CHECK(run.report.inputs[2].accepted == 2);
  CHECK(absl::IsAborted(IngestVerdict(run.report)));
  const uint64_t taken = run.report.inputs[1].accepted;
  SECTION("the rest is read when the file is whole") {
    folder.Write("a.log.gz", packed);
    CHECK(Ingest(folder, {"a.log.gz"}).uids.size() == 200 - taken);
  }
}

TEST_CASE("reader: what came of it says whether nothing or not everything could be read",
          "[ingest]") {
  TempFolder folder;
  folder.Write("bad.log", "not json\n{}\n");
  folder.Write("what.log", "who knows\n");
  folder.Write("cut.log.gz", Gzip("who knows\n").substr(0, 15));
  folder.Write("good.log", ConnLine(1));
  const auto verdict = [&](const std::vector<std::string>& inputs) {
    const absl::Status status = IngestVerdict(Ingest(folder, inputs).report);
    INFO(status);
    return status.code();
  };
  CHECK(verdict({"none.log"}) == absl::StatusCode::kNotFound);
  CHECK(verdict({"what.log"}) == absl::StatusCode::kFailedPrecondition);
  CHECK(verdict({"cut.log.gz"}) == absl::StatusCode::kFailedPrecondition);
  CHECK(verdict({"state"}) == absl::StatusCode::kFailedPrecondition);  // A folder.
  CHECK(verdict({"good.log", "none.log"}) == absl::StatusCode::kAborted);
  CHECK(verdict({"good.log", "what.log"}) == absl::StatusCode::kAborted);
  CHECK(verdict({"good.log"}) == absl::StatusCode::kOk);
  IngestReport report;
  report.total.lines = report.total.quarantined = 2;
  CHECK(absl::IsAborted(IngestVerdict(report)));
  report.total.already_covered = 1;
  CHECK(IngestVerdict(report).ok());
  report.interrupted = true;
  CHECK(absl::IsCancelled(IngestVerdict(report)));
}

TEST_CASE("reader: gzip data that ends before its format can be told says so", "[ingest]") {
  TempFolder folder;
  std::string noise;
  for (int i = 0; i < 3000; ++i) noise += std::to_string(i * 7919) + " ";
  const std::string packed = Gzip(noise);
  folder.Write("cut.log.gz", packed.substr(0, packed.size() / 2));
  const Run run = Ingest(folder, {"cut.log.gz"});
  CHECK(run.report.inputs[0].status.message().find("gzip data ends early") !=
        absl::string_view::npos);
}

TEST_CASE("reader: a mark covers the lines of its batch and none behind", "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 7));
  const Run run = Ingest(folder, {"conn.log"}, /*items_max=*/3);
  REQUIRE(run.marks.size() == 3);
  for (size_t i = 0; i < run.marks.size(); ++i) {
    const auto mark = DecodeCheckpoint(run.marks[i]);
    REQUIRE(mark.ok());
    CHECK(mark->line == std::min<size_t>(3 * (i + 1), 7));
    CHECK(mark->offset == ConnLines(1, static_cast<int>(mark->line)).size());
  }
}

TEST_CASE("reader: when the sink refuses the lines that were read count as unsent", "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 10));
  const Run run = Ingest(folder, {"conn.log"}, 3, absl::UnavailableError("nobody there"));
  CHECK(run.report.total.unsent > 0);
  CHECK(run.report.total.accepted == 0);
  CHECK(absl::IsUnavailable(IngestVerdict(run.report)));
  CHECK(Ingest(folder, {"conn.log"}).uids == Uids(1, 10));
}

TEST_CASE("reader: one file named twice is read once", "[ingest]") {
  TempFolder folder;
  folder.Write("conn.log", ConnLines(1, 3));
  CHECK(Ingest(folder, {"conn.log", "../" + folder.path("").substr(5) + "conn.log"}).uids.size() ==
        3);
  CHECK(Ingest(folder, {"./conn.log"}).uids.empty());
}

TEST_CASE("checkpoint: text that is none is refused and names the key", "[ingest]") {
  Checkpoint checkpoint;
  checkpoint.path = "/tmp/a \"b\"\n\xC3\xA9";
  checkpoint.offset = UINT64_MAX;
  checkpoint.adapter_state = "#separator \\x09\n";
  checkpoint.format = "zeek-tsv";
  checkpoint.unterminated = true;
  const std::string json = EncodeCheckpoint(checkpoint);
  const auto decoded = DecodeCheckpoint(json);
  REQUIRE(decoded.ok());
  CHECK(*decoded == checkpoint);
  for (size_t size = 0; size + 2 < json.size(); ++size) {
    CHECK_FALSE(DecodeCheckpoint(json.substr(0, size)).ok());
  }
  std::string newer = json;
  newer.replace(newer.find("\"checkpoint\":2"), 14, "\"checkpoint\":3");
  CHECK_FALSE(DecodeCheckpoint(newer).ok());
  std::string wrong = json;
  wrong.replace(wrong.find("\"offset\""), 8, "\"offsex\"");
  CHECK(DecodeCheckpoint(wrong).status().message().find("offset") != std::string::npos);

  TempFolder folder;
  std::filesystem::create_directories(folder.path("state"));
  folder.Write("state/x.json", "{");
  CHECK(absl::IsDataLoss(
      CheckpointStore::Open(ledger::PosixFileSystem(), folder.path("state")).status()));
}

TEST_CASE("checkpoint: any bytes in path and state come back and so they do from version 1",
          "[ingest]") {
  Checkpoint checkpoint;
  checkpoint.path = "/tmp/caf\xE9 100%.log";
  checkpoint.adapter_state = "#path\tcaf\xE9%41\n";
  const std::string json = EncodeCheckpoint(checkpoint);
  CHECK(IsValidUtf8(json));
  const auto decoded = DecodeCheckpoint(json);
  REQUIRE(decoded.ok());
  CHECK(decoded->path == checkpoint.path);
  CHECK(decoded->adapter_state == checkpoint.adapter_state);

  std::string old = json;
  old.replace(old.find("\"checkpoint\":2"), 14, "\"checkpoint\":1");
  old.replace(old.find("caf%e9 100%25"), 13, "caf\xE9 100%");
  old.replace(old.find("caf%e9%2541"), 11, "caf\xE9%41");
  const auto decoded_old = DecodeCheckpoint(old);
  REQUIRE(decoded_old.ok());
  CHECK(decoded_old->path == checkpoint.path);
  CHECK(decoded_old->adapter_state == checkpoint.adapter_state);
}

TEST_CASE("reader: names of fields and files cannot drive the terminal of who reads the report",
          "[ingest]") {
  TempFolder folder;
  const std::string name = "evil\x1b[31m\xc2\x9b.json";
  folder.Write(name,
               "{\"ts\":1.5,\"_path\":\"conn\",\"uid\":\"C1\",\"\\u001b[31mEVIL\\u202e\":1}\n"
               "{\"ts\":\n");
  const std::string report = FormatIngestReport(Ingest(folder, {name, "no\x1bne"}).report);
  CHECK(report.find("no rule for: ?[31mEVIL? (1)") != std::string::npos);
  for (const char c : report) CHECK((c == '\n' || c >= 0x20));
  const std::string quarantine = folder.Read("state/quarantine.ndjson");
  CHECK(quarantine.find("evil\\u001b[31m\\u009b.json") != std::string::npos);
  IngestProgress progress;
  progress.input = name;
  CHECK(ProgressLine(progress).find("evil?[31m?.json") == 0);
}

TEST_CASE("reader: a header and a file name that are not UTF-8 keep their place", "[ingest]") {
  TempFolder folder;
  const std::string name = "caf\xE9%.log";
  const std::string header =
      "#separator \\x09\n#path\tcaf\xE9\n#fields\tts\tuid\n#types\ttime\tstring\n";
  folder.Write(name, header + "1.5\tC1\n");
  const Run first = Ingest(folder, {name});
  CHECK(first.report.status.ok());
  CHECK(first.uids == Uids(1, 1));
  folder.Append(name, "1.5\tC2\n");
  CHECK(Ingest(folder, {name}).uids == Uids(2, 2));
  CHECK(Ingest(folder, {name}).uids.empty());
}

TEST_CASE("reader: a header line that is too long costs its rows and not the place", "[ingest]") {
  TempFolder folder;
  const std::string header = "#separator \\x09\n#path\tweird\n#fields\tts\tuid\n";
  folder.Write("weird.log", header + "1.5\tC1\n#fields\tts\t" +
                                std::string(ZeekTsvAdapter::kHeaderBytesMax, '\x01') +
                                "\n1.5\tC2\n" + header + "1.5\tC3\n");
  const Run run = Ingest(folder, {"weird.log"}, /*items_max=*/1);
  CHECK(run.uids == std::vector<std::string>{"C1", "C3"});
  CHECK(run.report.total.quarantined == 2);
  for (const std::string& mark : run.marks) CHECK(mark.size() < kSourceMarkBytesMax);
}

TEST_CASE("ingest: a mark that cannot be read holds nothing up and is told", "[ingest]") {
  TempFolder folder;
  auto store = CheckpointStore::Open(ledger::PosixFileSystem(), folder.path("checkpoints"));
  REQUIRE(store.ok());
  Checkpoint checkpoint;
  checkpoint.path = "/tmp/a";
  AssumeMarks(store->get(), {"{", EncodeCheckpoint(checkpoint)});
  CHECK((*store)->Find("/tmp/a") != nullptr);
  CHECK(KeepMarks(store->get(), {EncodeCheckpoint(checkpoint), "{"}).ok());
  CHECK((*store)->unreadable_count() == 1);
  CHECK(std::filesystem::exists(folder.path("checkpoints")));
  IngestReport report;
  report.unreadable_positions = 1;
  report.unreadable_reason = (*store)->unreadable_reason();
  CHECK(FormatIngestReport(report).find("cannot be read (checkpoint: not a JSON") !=
        std::string::npos);
}

}  // namespace
}  // namespace vigil::client
