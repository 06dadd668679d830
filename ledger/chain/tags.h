// Domain tags: what every hash and signature of the protocol begins with (docs/formats.md).
//
// A tag is its text and one zero byte. Stored: never change one.
#ifndef VIGIL_LEDGER_CHAIN_TAGS_H_
#define VIGIL_LEDGER_CHAIN_TAGS_H_

#include "absl/strings/string_view.h"

namespace vigil::ledger {

#define VIGIL_TAG(text) absl::string_view(text "\0", sizeof(text))

inline constexpr absl::string_view kGenesisTag = VIGIL_TAG("vigil/genesis/v1");
inline constexpr absl::string_view kChainIdTag = VIGIL_TAG("vigil/chain-id/v1");
inline constexpr absl::string_view kRecordTag = VIGIL_TAG("vigil/record/v1");
inline constexpr absl::string_view kHeaderTag = VIGIL_TAG("vigil/header/v1");
inline constexpr absl::string_view kProposalTag = VIGIL_TAG("vigil/proposal/v1");
inline constexpr absl::string_view kWriteSetTag = VIGIL_TAG("vigil/write-set/v1");
inline constexpr absl::string_view kStateTag = VIGIL_TAG("vigil/state/v1");
inline constexpr absl::string_view kValidatorSetTag = VIGIL_TAG("vigil/validator-set/v1");
inline constexpr absl::string_view kRevealTag = VIGIL_TAG("vigil/reveal/v1");
inline constexpr absl::string_view kHelloTag = VIGIL_TAG("vigil/hello/v1");
inline constexpr absl::string_view kRulesTag = VIGIL_TAG("vigil/detector/rules/v1");
inline constexpr absl::string_view kRuleTag = VIGIL_TAG("vigil/detector/rule/v1");
inline constexpr absl::string_view kCosignerKeyTag = VIGIL_TAG("vigil/cosigner-key/v1");
inline constexpr absl::string_view kSnapshotTag = VIGIL_TAG("vigil/snapshot/v1");

}  // namespace vigil::ledger

#endif  // VIGIL_LEDGER_CHAIN_TAGS_H_
