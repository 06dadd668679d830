#include "ledger/base/check.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "ledger/base/status_macros.h"
#include "tests/support/catch.h"

namespace vigil {
namespace {

// What a child process that runs `body` writes to stderr, and how it ended.
template <typename Body>
std::string StderrOfChild(Body body, int* wait_status) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  close(ends[0]);
  REQUIRE(waitpid(child, wait_status, 0) == child);
  return text;
}

absl::Status FailWith(absl::Status status, bool* went_on) {
  RETURN_IF_ERROR(status);
  *went_on = true;
  return absl::OkStatus();
}

absl::StatusOr<int> Doubled(absl::StatusOr<int> number) {
  ASSIGN_OR_RETURN(const int value, number);
  return 2 * value;
}

TEST_CASE("check: a broken invariant stops the process and says where and why", "[base]") {
  int wait_status = 0;
  const std::string text =
      StderrOfChild([] { VIGIL_CHECK(1 + 1 == 3, "got ", 2, " want ", 3); }, &wait_status);
  REQUIRE(WIFSIGNALED(wait_status));
  CHECK(WTERMSIG(wait_status) == SIGABRT);
  CHECK(text.find("check_test.cc:") != std::string::npos);
  CHECK(text.find("check failed: 1 + 1 == 3: got 2 want 3\n") != std::string::npos);
}

TEST_CASE("check: a kept invariant costs nothing and evaluates its condition once", "[base]") {
  int count = 0;
  VIGIL_CHECK(++count == 1);
  CHECK(count == 1);
}

TEST_CASE("status macros: an error returns at once and a value goes on", "[base]") {
  bool went_on = false;
  CHECK(absl::IsAborted(FailWith(absl::AbortedError("no"), &went_on)));
  CHECK_FALSE(went_on);
  CHECK(FailWith(absl::OkStatus(), &went_on).ok());
  CHECK(went_on);
  CHECK(*Doubled(21) == 42);
  CHECK(absl::IsNotFound(Doubled(absl::NotFoundError("gone")).status()));
}

TEST_CASE("annotate: keeps code and payloads and puts the context first", "[base]") {
  absl::Status status = absl::DataLossError("torn");
  status.SetPayload("test/url", absl::Cord("payload"));
  const absl::Status annotated = Annotate(status, "segment 7");
  CHECK(absl::IsDataLoss(annotated));
  CHECK(annotated.message() == "segment 7: torn");
  REQUIRE(annotated.GetPayload("test/url").has_value());
  CHECK(*annotated.GetPayload("test/url") == "payload");
  CHECK(Annotate(absl::OkStatus(), "nothing").ok());
}

}  // namespace
}  // namespace vigil
