#include "record_batch.h"

namespace nfconntrack {

void Tail::add(u8 type, Bytes payload) {
  // Attribute payloads are below 64 KiB, so the length fits its u16.
  const u16 head[2] = {type, static_cast<u16>(payload.size())};
  const std::size_t start = bytes_.size();
  const std::size_t padded = (payload.size() + 3) & ~std::size_t{3};
  bytes_.resize(start + sizeof head + padded);
  std::memcpy(bytes_.data() + start, head, sizeof head);
  if (!payload.empty()) {
    std::memcpy(bytes_.data() + start + sizeof head, payload.data(), payload.size());
  }
}

void Tail::append(const Tail& other, u32 offset, u32 length) {
  const auto start = other.bytes_.begin() + offset;
  bytes_.insert(bytes_.end(), start, start + length);
}

bool Tail::find(u32 offset, u32 length, u8 type, Bytes& payload) const {
  Bytes rest = Bytes(bytes_).subspan(offset, length);
  while (!rest.empty()) {
    u16 head[2];
    std::memcpy(head, rest.data(), sizeof head);
    const std::size_t size = head[1];
    if (head[0] == type) {
      payload = rest.subspan(sizeof head, size);
      return true;
    }
    rest = rest.subspan(sizeof head + ((size + 3) & ~std::size_t{3}));
  }
  return false;
}

}  // namespace nfconntrack
