// The names that conntrack(8) prints, which are those of the kernel.
#pragma once

#include <string_view>

#include "record.h"

namespace nfconntrack {

// A bit and what stands for it.
struct FlagName {
  u32 bit;
  std::string_view name;
};

// "ipv4", "ipv6", else "unknown".
std::string_view family_name(u8 family);
// "tcp", ...; empty for a protocol that conntrack has no tracker of.
std::string_view protocol_name(u8 protonum);
// What a tuple of a protocol has beside its addresses.
enum class PortKind : u8 { kNone, kPorts, kKeys, kIcmp };
PortKind port_kind(u8 protonum);
// A state of TCP, SCTP or DCCP (`Protoinfo`); empty for one that is newer than these tables.
std::string_view state_name(u8 protoinfo, u8 state);

}  // namespace nfconntrack
