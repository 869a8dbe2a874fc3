// Memory for very many small pieces of a few sizes: a piece costs its size rounded up to 16 bytes,
// and is named by 31 bits instead of a pointer.
//
// Lifetime rules
// 1. A piece stays where it is until it is freed; its handle may then name another one.
// 2. A chunk whose pieces are all free goes back to the system.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "record.h"

namespace nfconntrack {

class Slab {
 public:
  using Handle = u32;
  static constexpr Handle kNone = 0x7fffffff;
  // Larger pieces are refused: no flow of the kernel's comes near.
  static constexpr std::size_t kMaxPiece = 16384;

  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // kNone if `size` is too large. Throws std::bad_alloc.
  Handle allocate(std::size_t size);
  void free(Handle handle);
  void clear();

  [[nodiscard]] u8* at(Handle handle) {
    return chunks_[handle / kUnits]->memory.get() + std::size_t{handle % kUnits} * kUnit;
  }
  [[nodiscard]] const u8* at(Handle handle) const {
    return chunks_[handle / kUnits]->memory.get() + std::size_t{handle % kUnits} * kUnit;
  }
  // Whether pieces of both sizes have the same room, so that one can take the other's place.
  [[nodiscard]] static bool same_room(std::size_t a, std::size_t b) {
    return class_of(a) == class_of(b);
  }
  // Bytes taken from the system.
  [[nodiscard]] std::size_t bytes() const;

 private:
  static constexpr std::size_t kUnit = 16;
  static constexpr u32 kUnits = 4096;                  // of a chunk
  static constexpr std::size_t kSmall = 64;            // classes of whole units, up to 1 KiB
  static constexpr std::size_t kClasses = kSmall + 4;  // and powers of two up to 16 KiB
  static constexpr u32 kNothing = ~0U;

  // From mmap(), since what malloc() takes back may stay with the process.
  struct Unmap {
    void operator()(u8* memory) const;
  };
  struct Chunk {
    std::unique_ptr<u8, Unmap> memory;
    u32 size_class = 0;
    u32 live = 0;
    u32 fresh = 0;        // units from here on were never given
    u32 free = kNothing;  // the first free piece, which holds the next one's unit
    // The list of chunks of the class that have room.
    u32 previous = kNothing;
    u32 next = kNothing;
    bool listed = false;
  };

  [[nodiscard]] static std::size_t class_of(std::size_t size);
  [[nodiscard]] static u32 units_of(std::size_t size_class);
  [[nodiscard]] static bool has_room(const Chunk& chunk);
  u32 add_chunk(std::size_t size_class);
  void list(u32 index);
  void unlist(u32 index);

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<u32> vacant_;  // indices of chunks that were given back
  std::array<u32, kClasses> open_ = filled();

  static constexpr std::array<u32, kClasses> filled() {
    std::array<u32, kClasses> heads{};
    heads.fill(kNothing);
    return heads;
  }
};

}  // namespace nfconntrack
