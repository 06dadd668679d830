#include "client/cli/evidence_page.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/catch.h"
#include "vigil/v1/event.pb.h"

namespace vigil::client {
namespace {

// A report as a verifier gives it, with an event whose author means harm.
struct Sample {
  explicit Sample(size_t events = 1) {
    v1::Event event;
    event.set_source("<script>alert(1)</script>");
    event.set_event_id("\x1b[31m\"><img src=x onerror=y>");
    event.SerializeToString(&bytes);
    report.verdict = ledger::ProofVerdict::kVerified;
    report.question.emplace();
    report.head.emplace();
    report.head->checkpoint.origin = "net/<b>";
    report.head->witnesses = {{.name = "a&b", .unix_seconds = 1'800'000'000}};
    ledger::ShownRecord record;
    record.report.record.emplace();
    record.report.block.emplace();
    record.report.result.emplace();
    record.report.result->signer = "acme/<i>fw</i>";
    for (size_t i = 0; i < events; ++i) {
      record.events.push_back(
          {.ref = {.record_index = RecordIndex(7), .item = ItemIndex(static_cast<uint32_t>(i))},
           .leaf_hash = {},
           .bytes = bytes});
    }
    report.records.push_back(std::move(record));
  }

  std::string bytes;
  ledger::EvidenceReport report;
};

TEST_CASE("evidence page: text of others has no effect", "[evidence]") {
  const Sample sample;
  const std::string page = EvidencePage(sample.report, "file", "policy");
  for (const char* harm : {"<script", "<img", "\x1b", "<i>fw", "net/<b>", "a&b<"}) {
    INFO(harm);
    CHECK_FALSE(absl::StrContains(page, harm));
  }
  CHECK(absl::StrContains(page, "&lt;script&gt;"));
  CHECK(absl::StrContains(page, "acme/&lt;i&gt;fw&lt;/i&gt;"));
  CHECK(absl::StrContains(page, "a&amp;b"));
}

TEST_CASE(
    "evidence page: nothing is loaded from elsewhere and the hashes of both files stand there",
    "[evidence]") {
  const Sample sample;
  const std::string page = EvidencePage(sample.report, "file", "policy");
  for (const char* way : {"src=\"", "href", "@import", "url(", "http:", "https:"}) {
    INFO(way);
    CHECK_FALSE(absl::StrContains(page, way));
  }
  // sha256sum of "file" and of "policy".
  CHECK(
      absl::StrContains(page, "3b9c358f36f0a31b6ad3e14f309c7cf198ac9246e8316f9ce543d5b19ac02b80"));
  CHECK(
      absl::StrContains(page, "823412d1eacb67956220e532959f0104603057c88704863ca38e7cd188fda812"));
  CHECK(page == EvidencePage(sample.report, "file", "policy"));
}

TEST_CASE("evidence page: it lists so many events and says how many more there are", "[evidence]") {
  const Sample sample(kPageEventsMax + 5);
  const std::string page = EvidencePage(sample.report, "file", "policy");
  CHECK(absl::StrContains(page, "<p class=note>5 more events are in the file.</p>"));
  CHECK(absl::StrContains(page, absl::StrCat("7.", kPageEventsMax - 1, "<")));
  CHECK_FALSE(absl::StrContains(page, absl::StrCat("7.", kPageEventsMax, "<")));
}

TEST_CASE("evidence page: an alert both confirmed and contested is told as both", "[evidence]") {
  Sample sample;
  sample.report.alert.emplace();
  sample.report.alert->activated_by = RecordIndex(5);
  std::string page = EvidencePage(sample.report, "file", "policy");
  CHECK(absl::StrContains(page, "nothing in this file shows that it was confirmed"));
  CHECK(absl::StrContains(page, "that no validator disputed it"));
  sample.report.alert->confirmed_by = RecordIndex(8);
  sample.report.alert->contested_by = RecordIndex(9);
  page = EvidencePage(sample.report, "file", "policy");
  CHECK(absl::StrContains(page, "confirmed by the chain, record 8; contested, record 9"));
}

TEST_CASE("evidence page: a claimed time beyond the calendar is not shown as another time",
          "[evidence]") {
  Sample sample;
  sample.report.head->witnesses[0].unix_seconds = UINT64_MAX;
  sample.report.records[0].report.block->time_unix_millis = UINT64_MAX;
  const std::string page = EvidencePage(sample.report, "file", "policy");
  CHECK(absl::StrContains(page, "18446744073709551615 s after 1970"));
  CHECK(absl::StrContains(page, "18446744073709551615 ms after 1970"));
}

TEST_CASE("evidence page: what a sensor lost stands beside its stream", "[evidence]") {
  Sample sample;
  sample.report.question->subject = ledger::EvidenceSubject::kSpan;
  sample.report.records[0].events.clear();
  sample.report.streams.push_back(
      {.sensor = "acme/fw", .stream = "conn", .breaks = {}, .events_lost = 4711});
  CHECK(absl::StrContains(EvidencePage(sample.report, "file", "policy"), "<td>4711</td>"));
}

}  // namespace
}  // namespace vigil::client
