// Expectations as conntrack(8) prints them.
#pragma once

#include "format_buffer.h"
#include "format_options.h"
#include "record_view.h"

namespace nfconntrack {

void format_line(FormatBuffer& out, const ExpectationView& expectation,
                 const FormatOptions& options);
// One <flow>; nothing is escaped.
void format_xml(FormatBuffer& out, const ExpectationView& expectation,
                const FormatOptions& options);

}  // namespace nfconntrack
