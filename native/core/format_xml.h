// The XML of conntrack(8), one <flow> without a line feed, with its oddities: ICMP has an empty
// layer4, SCTP's and DCCP's states have the names of TCP's of the same number, and nothing is
// escaped.
#pragma once

#include "format_buffer.h"
#include "format_options.h"
#include "record_view.h"

namespace nfconntrack {

void format_xml(FormatBuffer& out, const FlowView& flow, const FormatOptions& options);

// "<layer3 protonum="2" protoname="ipv4">"
void format_layer3(FormatBuffer& out, u8 family);
// "<layer4 protonum="6" protoname="tcp">"
void format_layer4(FormatBuffer& out, u8 protonum);
// "<src>192.0.2.1</src><dst>192.0.2.2</dst>"
void format_xml_addresses(FormatBuffer& out, const TupleRecord& tuple);
// "<sport>1</sport><dport>2</dport>"; nothing of a protocol without ports.
void format_xml_ports(FormatBuffer& out, const TupleRecord& tuple);

}  // namespace nfconntrack
