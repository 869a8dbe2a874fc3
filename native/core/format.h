// Any item in any style, and whole batches of them.
#pragma once

#include "batch_view.h"
#include "format_buffer.h"
#include "format_options.h"

namespace nfconntrack {

// A flow, an event of one, or an expectation or its event, as the record's kind says. Expectations
// have no `kSave`: they are lines then, as conntrack(8) prints them.
void format(FormatBuffer& out, FormatStyle style, const FlowView& flow,
            const FormatOptions& options);
void format(FormatBuffer& out, FormatStyle style, const ExpectationView& expectation,
            const FormatOptions& options);

// Each item with a line feed behind it. A gap is an object of JSON, and nothing elsewhere.
template <typename Record>
void format_batch(FormatBuffer& out, FormatStyle style, const RecordBatchView<Record>& batch,
                  const FormatOptions& options);

}  // namespace nfconntrack
