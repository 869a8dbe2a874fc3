// Bounds-checked reading of netlink attributes. Nothing here trusts a length: the kernel pads
// neither the last attribute nor, always, the message (nlmsg_len need not be a multiple of four).
#pragma once

#include <endian.h>

#include <cstring>
#include <span>

#include "record.h"

namespace nfconntrack {

using Bytes = std::span<const u8>;

struct Attribute {
  u16 type = 0;  // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
  Bytes payload;

  [[nodiscard]] bool has(std::size_t size) const { return payload.size() >= size; }

  // Readers of big-endian integers. Call them after has().
  [[nodiscard]] u8 byte() const { return payload[0]; }
  [[nodiscard]] u16 be16() const { return be16toh(read<u16>()); }
  [[nodiscard]] u32 be32() const { return be32toh(read<u32>()); }
  [[nodiscard]] u64 be64() const { return be64toh(read<u64>()); }
  // A string up to its NUL, which may be missing.
  [[nodiscard]] Bytes text() const {
    std::size_t length = 0;
    while (length < payload.size() && payload[length] != 0) ++length;
    return payload.first(length);
  }

 private:
  template <typename T>
  [[nodiscard]] T read() const {
    T value;
    std::memcpy(&value, payload.data(), sizeof value);
    return value;
  }
};

// Walks a run of attributes:
//   AttributeReader reader(bytes);
//   while (reader.next()) use(reader.attribute());
//   if (!reader.complete()) ... the run was cut short or a length lied
class AttributeReader {
 public:
  explicit AttributeReader(Bytes bytes) : rest_(bytes) {}

  bool next() {
    if (rest_.size() < kHeaderSize) return false;
    u16 length;
    u16 type;
    std::memcpy(&length, rest_.data(), sizeof length);
    std::memcpy(&type, rest_.data() + sizeof length, sizeof type);
    if (length < kHeaderSize || length > rest_.size()) return false;
    attribute_.type = type & kTypeMask;
    attribute_.payload = rest_.subspan(kHeaderSize, length - kHeaderSize);
    const std::size_t padded = (length + std::size_t{3}) & ~std::size_t{3};
    rest_ = padded < rest_.size() ? rest_.subspan(padded) : Bytes{};
    return true;
  }

  [[nodiscard]] const Attribute& attribute() const { return attribute_; }
  [[nodiscard]] bool complete() const { return rest_.empty(); }

 private:
  static constexpr std::size_t kHeaderSize = 4;
  static constexpr u16 kTypeMask = 0x3fff;

  Bytes rest_;
  Attribute attribute_;
};

}  // namespace nfconntrack
