#include "detector/rules/rule_set.h"

namespace vigil::detector {

namespace {

constexpr std::string_view kRules = R"(vigil-rules 1
version 1

rule 1 logon-brute-force
  title One source fails to log on again and again
  technique T1110
  score 14
  entity source
  when status failure
  at-least logon_failures 10 in 60s
  quiet 1h

rule 2 slow-logon-brute-force
  title One source keeps failing to log on over an hour
  technique T1110
  score 12
  entity source
  when status failure
  at-least logon_failures 30 in 1h
  quiet 1d

rule 3 account-under-attack
  title Logons to one account fail from several sources
  technique T1110.003
  score 12
  entity user
  when status failure
  at-least logon_failures 10 in 1h
  at-least peers 4 in 1h
  quiet 1d

rule 4 port-scan
  title One source tries many ports of one destination
  technique T1046
  score 13
  entity pair
  when type flow
  at-least ports 20 in 60s
  at-least failed_permille 500 in 60s
  quiet 1h

rule 5 slow-port-scan
  title One source tries many ports of one destination over an hour
  technique T1046
  score 12
  entity pair
  when type flow
  at-least ports 40 in 1h
  at-least failed_permille 500 in 1h
  quiet 1d

rule 6 host-sweep
  title One source tries many hosts, mostly in vain
  technique T1018
  score 13
  entity source
  when type flow
  when status failure
  at-least peers 25 in 60s
  at-least failed_permille 500 in 60s
  quiet 1h

rule 7 login-port-sweep
  title One source connects to a remote login port of many hosts
  technique T1021
  score 12
  entity source
  when port 22 23 135 445 3389 5900 5985 5986
  at-least peers 25 in 60s
  at-least failed 1 in 60s
  quiet 1h

rule 8 login-port-hammering
  title One source connects to a remote login port of one host again and again
  technique T1110
  score 11
  entity pair
  when port 21 22 23 3389 5900
  at-least events 30 in 60s
  quiet 1h

rule 9 beacon
  title One source calls a public destination at even intervals
  technique T1071
  score 9
  entity pair
  when type flow application
  when to public
  at-least regular 15
  at-least interval_seconds 20
  quiet 1d

rule 10 new-destination
  title A source that long kept to what it knew reaches a new destination
  technique T1071
  score 8
  entity source
  when type flow
  when to public
  at-least new_peer_seconds 14400
  at-least sightings 200
  quiet 1d

rule 11 volume-out
  title One source sends a lot to one public destination within an hour
  technique T1048
  score 12
  entity pair
  when type flow
  when to public
  at-least bytes_out 1000000000 in 1h
  quiet 1d

rule 12 name-tunnel
  title One source asks for many different long names
  technique T1071.004
  score 13
  entity source
  when type application
  when port 53
  at-least names 30 in 60s
  quiet 1h
)";

}  // namespace

// Every network keeps the file that it began with; a change here is for new ones.
std::string_view BuiltInRules() { return kRules; }

}  // namespace vigil::detector
