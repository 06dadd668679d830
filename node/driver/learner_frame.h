// Learner frames: what a newcomer and a validator say to each other before the newcomer's epoch
// begins (docs/formats/peer_frame.md, Learner frames). Pure.
//
// They travel on streams of their own, so that nothing a learner says can be taken for a word of
// agreement: there is no frame for one. Decoding is as strict as that of peer frames.
#ifndef VIGIL_NODE_DRIVER_LEARNER_FRAME_H_
#define VIGIL_NODE_DRIVER_LEARNER_FRAME_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/base/bytes.h"
#include "ledger/base/strong_id.h"
#include "ledger/state/epoch_anchor.h"
#include "ledger/storage/journal.h"
#include "node/driver/fetch_frame.h"

namespace vigil::node {

// On the wire: never renumber.
enum class LearnerFrameType : uint8_t {
  kHello = 1,    // Learner: who speaks; the first of every stream.
  kWelcome = 2,  // Validator: where it stands; the answer to every hello of this chain.
  kRequest = 3,  // Learner: how far it is, and perhaps a fetch request.
  kAnswer = 4,   // Validator: a fetch answer.
};

inline constexpr uint32_t kLearnerProtocolVersion = 1;

struct LearnerHello {
  Hash chain_id;
  uint32_t protocol_version = kLearnerProtocolVersion;
  ledger::JournalId journal_id;
  Epoch epoch{1};       // That it knows of.
  Height height;        // That it has executed.
  Signature signature;  // By its consensus key, over LearnerHelloMessage().
};
// What the signature covers: the sender, the receiver by its name, and the certificate that the
// sender shows, so that neither another's certificate nor another receiver can use it.
std::string LearnerHelloMessage(const LearnerHello& hello, absl::string_view identity,
                                absl::string_view to, const Hash& certificate_hash);

struct LearnerWelcome {
  Epoch epoch{1};                            // The validator's.
  Height final;                              // That it knows.
  std::vector<ledger::EpochAnchor> anchors;  // From the learner's epoch on, the oldest first.
};

struct LearnerRequest {
  Height height;
  std::optional<FetchRequest> fetch;
};

std::string EncodeLearnerHello(const LearnerHello& hello);
std::string EncodeLearnerWelcome(const LearnerWelcome& welcome);
// `fetch`: an encoded request, or empty.
std::string EncodeLearnerRequest(Height height, absl::string_view fetch);
// `fetch_answer`: an encoded answer.
std::string EncodeLearnerAnswer(absl::string_view fetch_answer);

// Errors of all below: kInvalidArgument naming the frame and what is wrong.
absl::StatusOr<LearnerFrameType> LearnerFrameTypeOf(absl::string_view frame);
absl::StatusOr<LearnerHello> DecodeLearnerHello(absl::string_view frame);
absl::StatusOr<LearnerWelcome> DecodeLearnerWelcome(absl::string_view frame);
absl::StatusOr<LearnerRequest> DecodeLearnerRequest(absl::string_view frame);
absl::StatusOr<FetchAnswer> DecodeLearnerAnswer(absl::string_view frame);

}  // namespace vigil::node

#endif  // VIGIL_NODE_DRIVER_LEARNER_FRAME_H_
