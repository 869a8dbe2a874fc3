// A compiled filter: which flows a listing, a subscription or a delete is about.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "record_batch.h"

namespace nfconntrack {

using Words = std::span<const u32>;

class Filter {
 public:
  // Takes a program as layout.txt describes it; null if it is not one. Everything that matches()
  // relies on (sizes, nesting, fields) is checked here, once.
  static std::shared_ptr<const Filter> compile(Words program);

  // `record`'s tail lies in `tail`. A value that the message did not carry matches nothing.
  [[nodiscard]] bool matches(const FlowRecord& record, const Tail& tail) const;

 private:
  explicit Filter(Words program) : program_(program.begin(), program.end()) {}

  std::vector<u32> program_;
};

}  // namespace nfconntrack
