// Flows, events, gaps and expectations as JSON: what JSON.stringify() gives of the objects of the
// TypeScript library, byte for byte.
#pragma once

#include "format_buffer.h"
#include "record_view.h"

namespace nfconntrack {

// A flow's `toJSON()`, whatever the record's kind.
void format_json(FormatBuffer& out, const FlowView& flow);
void format_json(FormatBuffer& out, const ExpectationView& expectation);
// An event by its kind: {"type":"new","flow":{...},"time":1700000000000.5,"portid":7}.
void format_json_event(FormatBuffer& out, const FlowView& flow);
void format_json_event(FormatBuffer& out, const ExpectationView& expectation);
void format_json(FormatBuffer& out, const GapRecord& gap);

}  // namespace nfconntrack
