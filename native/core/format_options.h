// What a caller wants to see of flows beyond what conntrack(8) prints of itself.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record.h"

namespace nfconntrack {

// Names of connlabel bits.
class LabelNames {
 public:
  // One name a line, bit 0 first; an empty line is a bit without a name.
  explicit LabelNames(std::string text);
  [[nodiscard]] std::string_view operator[](std::size_t bit) const {
    return bit < names_.size() ? std::string_view(text_).substr(names_[bit].start, names_[bit].size)
                               : std::string_view{};
  }

 private:
  struct Name {
    std::size_t start;
    std::size_t size;
  };
  std::string text_;
  std::vector<Name> names_;
};

// The program behind a netlink port.
struct Program {
  u32 portid;
  std::string name;
};

struct FormatOptions {
  bool extended = false;    // the family, in lines
  bool id = false;          // the id, in lines
  bool timestamp = false;   // when an event happened
  bool ktimestamp = false;  // when the flow began and ended
  u8 verb = 0;              // 'A', 'U' or 'D' of a line to be loaded; 0: what the event says
  u64 now = 0;              // ns since the epoch: how long a flow has lasted that goes on
  const LabelNames* labels = nullptr;  // null: none are wanted
  std::span<const Program> programs;

  // Empty: unknown.
  [[nodiscard]] std::string_view program(u32 portid) const;
};

enum class FormatStyle : u8 { kLine, kXml, kSave, kJson };
inline constexpr int kFormatStyleCount = 4;

}  // namespace nfconntrack
