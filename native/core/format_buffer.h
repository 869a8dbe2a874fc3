// Where formatted output grows: bytes that are appended and never looked at again.
#pragma once

#include <charconv>
#include <concepts>
#include <cstring>
#include <memory>
#include <string_view>

#include "attribute.h"

namespace nfconntrack {

class FormatBuffer {
 public:
  [[nodiscard]] const char* data() const { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view view() const { return {data(), size_}; }

  void text(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(room(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void text(Bytes bytes) { text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}); }
  void character(char character) {
    *room(1) = character;
    ++size_;
  }
  void number(std::integral auto value) {
    char* const start = room(kMaxDigits);
    size_ += static_cast<std::size_t>(std::to_chars(start, start + kMaxDigits, value).ptr - start);
  }
  // Lower-case, without a prefix.
  void hex(std::unsigned_integral auto value) {
    char* const start = room(kMaxDigits);
    const auto end = std::to_chars(start, start + kMaxDigits, value, 16);
    size_ += static_cast<std::size_t>(end.ptr - start);
  }
  // With at least `width` digits.
  void padded(u32 value, int width);
  void hex_bytes(Bytes bytes);
  // Takes back the last `count` bytes.
  void chop(std::size_t count = 1) { size_ -= count; }

  // At least `size` bytes behind the end, to be written and then claimed by grow().
  char* room(std::size_t size) {
    if (capacity_ - size_ < size) reallocate(size);
    return bytes_.get() + size_;
  }
  void grow(std::size_t size) { size_ += size; }

 private:
  // Of a u64 in decimal.
  static constexpr std::size_t kMaxDigits = 20;

  void reallocate(std::size_t size);

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace nfconntrack
