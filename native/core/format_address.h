// Addresses as inet_ntop(3) writes them.
#pragma once

#include "format_buffer.h"

namespace nfconntrack {

// `address` is in network order, an IPv4 address in its first four bytes; `family` is AF_*, and all
// but AF_INET6 is IPv4.
void format_address(FormatBuffer& out, const u8 (&address)[16], u8 family);

}  // namespace nfconntrack
