// libnetfilter_conntrack calls __abi_breakage(), which ends the process by exit(1), when an
// attribute has a length that it does not expect. The guard makes that call come here instead.
#pragma once

#include <libmnl/libmnl.h>

struct nf_conntrack;

namespace nfconntrack::testing {

enum class Parsed {
  kComplete,
  kRejected,     // the parser returned an error
  kAbiBreakage,  // it would have ended the process
};

// nfct_nlmsg_parse() that always returns. Throws ENOTSUP if the library cannot be guarded.
[[nodiscard]] Parsed guarded_parse(const nlmsghdr* message, nf_conntrack* flow);

}  // namespace nfconntrack::testing
