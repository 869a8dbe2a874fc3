// The flows of the benchmarks: numbered, IPv4, half of them TCP, half UDP.
//
// Flow `index` goes from one of four sources in turn, so that one of them has a quarter of the
// table, to 192.0.2.1; one in a hundred goes to port 8080, the others to 443.
#pragma once

#include "netlink.h"

namespace bench {

inline constexpr std::uint16_t kRarePort = 8080;

void put_create(Requests& requests, std::uint32_t index, std::uint32_t sequence,
                std::uint16_t flags);
void put_delete(Requests& requests, std::uint32_t index, std::uint32_t sequence);

// Makes or deletes flows [first, first + count), 64 requests a send, the last of each acknowledged.
void create_flows(Socket& socket, std::uint32_t first, std::uint32_t count);
void delete_flows(Socket& socket, std::uint32_t first, std::uint32_t count);
void flush_flows(Socket& socket);

}  // namespace bench
