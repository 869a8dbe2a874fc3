// The part of a filter that the kernel evaluates while it dumps or deletes.
#pragma once

#include <vector>

#include "record.h"
#include "request.h"

namespace nfconntrack {

// Exact values, all of which must hold: what CTA_FILTER (Linux 5.8), CTA_MARK with CTA_MARK_MASK,
// CTA_STATUS with CTA_STATUS_MASK (5.15) and CTA_ZONE (6.8) can say. A kernel that does not know
// one of them ignores it, so that it may return more, and never less.
class KernelFilter {
 public:
  KernelFilter() = default;
  // `pattern` says by its presence what is asked for; `mark` and `status` are under these masks.
  KernelFilter(const FlowRecord& pattern, u32 mark_mask, u32 status_mask)
      : pattern_(pattern), mark_mask_(mark_mask), status_mask_(status_mask) {}

  [[nodiscard]] u8 family() const { return pattern_.family; }
  // Whether it asks for more than a family.
  [[nodiscard]] bool narrows() const { return pattern_.presence != 0; }
  [[nodiscard]] KernelFilter only_family() const;
  // CTA_FILTER wants a family: without one, a filter on tuples is asked for each.
  [[nodiscard]] std::vector<KernelFilter> by_family() const;

  void put(Request& request) const;

 private:
  [[nodiscard]] bool has_tuples() const;

  FlowRecord pattern_{};
  u32 mark_mask_ = 0;
  u32 status_mask_ = 0;
};

}  // namespace nfconntrack
