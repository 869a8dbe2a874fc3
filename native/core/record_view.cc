#include "record_view.h"

namespace nfconntrack {

bool find_tail_entry(Bytes tail, u8 type, Bytes& payload) {
  u16 head[2];
  while (tail.size() >= sizeof head) {
    std::memcpy(head, tail.data(), sizeof head);
    tail = tail.subspan(sizeof head);
    const std::size_t size = head[1];
    if (size > tail.size()) return false;
    if (head[0] == type) {
      payload = tail.first(size);
      return true;
    }
    const std::size_t padded = (size + 3) & ~std::size_t{3};
    tail = padded < tail.size() ? tail.subspan(padded) : Bytes{};
  }
  return false;
}

}  // namespace nfconntrack
