// The line that conntrack(8) prints of a flow or of an event (conntrack 1.4.9 with
// libnetfilter_conntrack 1.1.1). Each field is printed if the kernel sent it, whatever its value.
// Nothing is cut: the original ends a listed flow's line at 4096 bytes and an event's at 1024.
#pragma once

#include "format_buffer.h"
#include "format_options.h"
#include "record_view.h"

namespace nfconntrack {

// Without a line feed.
void format_line(FormatBuffer& out, const FlowView& flow, const FormatOptions& options);

// " [USERSPACE] portid=7 progname=conntrack" where a program caused the event.
void format_portid(FormatBuffer& out, u32 portid, const FormatOptions& options);
// "src=192.0.2.1 dst=192.0.2.2 ", with these names.
void format_addresses(FormatBuffer& out, const TupleRecord& tuple, std::string_view src,
                      std::string_view dst);
// "sport=1 dport=2 ", or what else the tuple's protocol has.
void format_ports(FormatBuffer& out, const TupleRecord& tuple);

}  // namespace nfconntrack
