#include "format_options.h"

namespace nfconntrack {

LabelNames::LabelNames(std::string text) : text_(std::move(text)) {
  std::size_t start = 0;
  while (start <= text_.size()) {
    const std::size_t end = std::min(text_.find('\n', start), text_.size());
    names_.push_back({start, end - start});
    start = end + 1;
  }
}

std::string_view FormatOptions::program(u32 portid) const {
  for (const Program& program : programs) {
    if (program.portid == portid) return program.name;
  }
  return {};
}

}  // namespace nfconntrack
