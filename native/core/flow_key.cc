#include "flow_key.h"

namespace nfconntrack {
namespace {

// Both halves of a 128-bit product: every bit of the result depends on every bit of the factors.
u64 fold(u64 a, u64 b) {
  __extension__ using u128 = unsigned __int128;
  const u128 product = static_cast<u128>(a) * b;
  return static_cast<u64>(product) ^ static_cast<u64>(product >> 64);
}

constexpr u64 kOdd[] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb};

}  // namespace

u64 FlowKey::hash(u64 seed) const {
  static_assert(sizeof words_ == 44);
  u64 parts[6] = {};
  std::memcpy(parts, words_.data(), sizeof words_);
  // In a place where the words do not reach, so that no two keys give the same parts.
  parts[5] |= u64{1} << 63;
  u64 hash = seed;
  for (std::size_t i = 0; i < 6; i += 2) {
    hash = fold(parts[i] ^ kOdd[i / 2] ^ hash, parts[i + 1] ^ seed ^ kOdd[0]) ^ (hash >> 32);
  }
  return fold(hash ^ kOdd[1], kOdd[2]);
}

}  // namespace nfconntrack
