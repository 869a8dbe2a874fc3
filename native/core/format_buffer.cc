#include "format_buffer.h"

#include <algorithm>

namespace nfconntrack {
namespace {

constexpr std::size_t kFirstCapacity = 1024;
constexpr char kHexDigits[] = "0123456789abcdef";

}  // namespace

void FormatBuffer::reallocate(std::size_t size) {
  const std::size_t capacity = std::max({kFirstCapacity, 2 * capacity_, size_ + size});
  auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
  if (size_ > 0) std::memcpy(bytes.get(), bytes_.get(), size_);
  bytes_ = std::move(bytes);
  capacity_ = capacity;
}

void FormatBuffer::padded(u32 value, int width) {
  u32 bound = 10;
  for (int digits = 1; digits < width; ++digits, bound *= 10) {
    if (value < bound) character('0');
  }
  number(value);
}

void FormatBuffer::hex_bytes(Bytes bytes) {
  char* at = room(2 * bytes.size());
  for (const u8 byte : bytes) {
    *at++ = kHexDigits[byte >> 4];
    *at++ = kHexDigits[byte & 0xf];
  }
  grow(2 * bytes.size());
}

}  // namespace nfconntrack
