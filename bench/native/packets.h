// Real packets: UDP datagrams, each of them a new flow.
#pragma once

#include <cstdint>

namespace bench {

// Sends `count` datagrams to addresses of 10.0.0.0/8 in turn, at `rate` a second (0: as fast as it
// goes); the number that went out.
std::uint32_t send_packets(std::uint32_t first, std::uint32_t count, double rate);

}  // namespace bench
