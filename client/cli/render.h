// The messages of vigil.v1 as JSON and as lines for people.
#ifndef VIGIL_CLIENT_CLI_RENDER_H_
#define VIGIL_CLIENT_CLI_RENDER_H_

#include <string>

#include "client/cli/output.h"
#include "vigil/v1/api.pb.h"
#include "vigil/v1/event.pb.h"

namespace vigil::client {

Json ToJson(const v1::Status& status);
Json ToJson(const v1::Block& block);
Json ToJson(const v1::RecordSummary& summary);
Json ToJson(const v1::Record& record);
Json ToJson(const v1::StoredEvent& event);
// "forest"; "?" for a number that is no component.
absl::string_view ComponentName(uint32_t component);
Json ToJson(const v1::Triage& triage);
Json ToJson(const v1::Alert& alert);
Json ToJson(const v1::EntityProfile& entity);
Json ToJson(const v1::Model& model);
// What a quorum agreed on about a window's drift: "-" nothing, "none since period 4",
// "0.62 since period 4 in dst_port, bytes_out".
std::string DriftNoticeText(uint64_t since_period,
                            const google::protobuf::RepeatedPtrField<v1::FeatureDrift>& drifted);
Json DriftNoticeJson(uint64_t since_period,
                     const google::protobuf::RepeatedPtrField<v1::FeatureDrift>& drifted);
Json ToJson(const v1::Receipt& receipt);
Json ToJson(const v1::Checkpoint& checkpoint);

// The event's fields; addresses as text, times as RFC 3339.
Json EventJson(const v1::Event& event);
// "10.1.0.7:443 -> ..." and what else says most in one line; safe for a terminal.
std::string EventLine(const v1::Event& event);
// The same of what a validator keeps of an event.
std::string StoredEventLine(const v1::StoredEvent& stored);
// "bytes out +9.1, port +4.0": the largest reasons of an alert; of a rule
// "T1110 logon-brute-force of source 10.0.0.5".
std::string ReasonsLine(const v1::Alert& alert);
std::string ResultName(v1::ResultCode code);
absl::string_view EventTypeName(uint32_t event_type);
// "record.item", how commands name an event.
std::string EventRefText(const v1::StoredEvent& event);

}  // namespace vigil::client

#endif  // VIGIL_CLIENT_CLI_RENDER_H_
