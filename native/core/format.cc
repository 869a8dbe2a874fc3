#include "format.h"

#include "format_expectation.h"
#include "format_json.h"
#include "format_line.h"
#include "format_save.h"
#include "format_time.h"
#include "format_xml.h"

namespace nfconntrack {
namespace {

void format_gap(FormatBuffer& out, FormatStyle style, const void* record) {
  if (style != FormatStyle::kJson) return;
  GapRecord gap;
  std::memcpy(&gap, record, sizeof gap);
  format_json(out, gap);
  out.character('\n');
}

template <typename Record>
void format_json_item(FormatBuffer& out, const RecordView<Record>& item) {
  if (is_event(item.record)) {
    format_json_event(out, item);
  } else {
    format_json(out, item);
  }
}

}  // namespace

void format(FormatBuffer& out, FormatStyle style, const FlowView& flow,
            const FormatOptions& options) {
  switch (style) {
    case FormatStyle::kLine:
      format_line(out, flow, options);
      break;
    case FormatStyle::kXml:
      format_xml(out, flow, options);
      break;
    case FormatStyle::kSave:
      format_save(out, flow, options);
      break;
    case FormatStyle::kJson:
      format_json_item(out, flow);
      break;
  }
}

void format(FormatBuffer& out, FormatStyle style, const ExpectationView& expectation,
            const FormatOptions& options) {
  switch (style) {
    case FormatStyle::kLine:
    case FormatStyle::kSave:
      format_line(out, expectation, options);
      break;
    case FormatStyle::kXml:
      format_xml(out, expectation, options);
      break;
    case FormatStyle::kJson:
      format_json_item(out, expectation);
      break;
  }
}

template <typename Record>
void format_batch(FormatBuffer& out, FormatStyle style, const RecordBatchView<Record>& batch,
                  const FormatOptions& options) {
  static_assert(sizeof(GapRecord) <= sizeof(Record));
  for (std::size_t index = 0; index < batch.size(); ++index) {
    const RecordView<Record> item = batch.view(index);
    if (item.record.kind == Kind::kGap) {
      format_gap(out, style, &item.record);
      continue;
    }
    format(out, style, item, options);
    out.character('\n');
  }
}

template void format_batch(FormatBuffer&, FormatStyle, const RecordBatchView<FlowRecord>&,
                           const FormatOptions&);
template void format_batch(FormatBuffer&, FormatStyle, const RecordBatchView<ExpectationRecord>&,
                           const FormatOptions&);

}  // namespace nfconntrack
