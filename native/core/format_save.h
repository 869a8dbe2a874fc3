// A flow as the arguments of `conntrack -R`: "-A -t 120 -u UNSET -s 192.0.2.1 ...". What has no
// option there is not kept: mark, labels, helper, counters and the id.
#pragma once

#include "format_buffer.h"
#include "format_options.h"
#include "record_view.h"

namespace nfconntrack {

void format_save(FormatBuffer& out, const FlowView& flow, const FormatOptions& options);

}  // namespace nfconntrack
