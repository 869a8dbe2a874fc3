// The bits of a flow's labels (CTA_LABELS): u32 words in host order.
#pragma once

#include <bit>
#include <cstring>

#include "attribute.h"

namespace nfconntrack {

// Calls `use` with the number of each bit that is set, in their order.
template <typename Use>
void for_each_label(Bytes labels, Use use) {
  constexpr std::size_t kBits = 32;
  u32 word;
  for (std::size_t index = 0; index < labels.size() / sizeof word; ++index) {
    std::memcpy(&word, labels.data() + index * sizeof word, sizeof word);
    for (; word != 0; word &= word - 1) {
      use(kBits * index + static_cast<std::size_t>(std::countr_zero(word)));
    }
  }
}

}  // namespace nfconntrack
