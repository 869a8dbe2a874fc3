// Times as conntrack(8) prints them.
#pragma once

#include "format_buffer.h"
#include "format_options.h"
#include "record_view.h"

namespace nfconntrack {

// Whether a record came as an event, and not from a listing.
bool is_event(const FlowRecord& flow);
bool is_event(const ExpectationRecord& expectation);
// When an event happened: by the kernel's clock where it sent a time (CTA_TIMESTAMP_EVENT), else
// when the message was read.
u64 time_of(const FlowRecord& flow);
u64 time_of(const ExpectationRecord& expectation);

// Seconds that a flow whose start is known has lasted: until it ended, or until `now` (ns since the
// epoch), by the difference of the times' seconds, as in a line.
u64 duration_of(const FlowView& flow, u64 now);
// The same by the difference of the times themselves where it has ended, as in XML: it may be one
// less.
u64 exact_duration_of(const FlowView& flow, u64 now);

// "Mon Nov 23 03:48:14 2026", local time, as ctime(3).
void format_date(FormatBuffer& out, u64 ns);
// "<when>...</when>", local time.
void format_when(FormatBuffer& out, u64 ns);

}  // namespace nfconntrack
