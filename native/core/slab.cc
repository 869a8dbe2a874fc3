#include "slab.h"

#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <new>

namespace nfconntrack {

void Slab::Unmap::operator()(u8* memory) const { munmap(memory, kUnit * kUnits); }

std::size_t Slab::class_of(std::size_t size) {
  const std::size_t units = (size + kUnit - 1) / kUnit;
  if (units <= kSmall) return units == 0 ? 0 : units - 1;
  return kSmall + static_cast<std::size_t>(std::bit_width(units - 1)) - std::bit_width(kSmall);
}

u32 Slab::units_of(std::size_t size_class) {
  if (size_class < kSmall) return static_cast<u32>(size_class) + 1;
  return static_cast<u32>(kSmall << (size_class - kSmall + 1));
}

bool Slab::has_room(const Chunk& chunk) {
  return chunk.free != kNothing || chunk.fresh + units_of(chunk.size_class) <= kUnits;
}

Slab::Handle Slab::allocate(std::size_t size) {
  if (size > kMaxPiece) return kNone;
  const std::size_t size_class = class_of(size);
  if (open_[size_class] == kNothing) list(add_chunk(size_class));
  const u32 index = open_[size_class];
  Chunk& chunk = *chunks_[index];
  u32 unit = chunk.free;
  if (unit == kNothing) {
    unit = chunk.fresh;
    chunk.fresh += units_of(size_class);
  } else {
    std::memcpy(&chunk.free, chunk.memory.get() + unit * kUnit, sizeof chunk.free);
  }
  ++chunk.live;
  if (!has_room(chunk)) unlist(index);
  return index * kUnits + unit;
}

void Slab::free(Handle handle) {
  const u32 index = handle / kUnits;
  const u32 unit = handle % kUnits;
  Chunk& chunk = *chunks_[index];
  std::memcpy(chunk.memory.get() + unit * kUnit, &chunk.free, sizeof chunk.free);
  chunk.free = unit;
  if (--chunk.live > 0) {
    if (!chunk.listed) list(index);
    return;
  }
  if (chunk.listed) unlist(index);
  chunks_[index].reset();
  vacant_.push_back(index);
}

void Slab::clear() {
  chunks_.clear();
  chunks_.shrink_to_fit();
  vacant_.clear();
  vacant_.shrink_to_fit();
  open_ = filled();
}

std::size_t Slab::bytes() const {
  return (chunks_.size() - vacant_.size()) * (sizeof(Chunk) + kUnit * kUnits) +
         chunks_.capacity() * sizeof(chunks_[0]);
}

u32 Slab::add_chunk(std::size_t size_class) {
  constexpr std::size_t kMaxChunks = kNone / kUnits;
  auto chunk = std::make_unique<Chunk>();
  void* memory =
      mmap(nullptr, kUnit * kUnits, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  chunk->memory.reset(static_cast<u8*>(memory));
  chunk->size_class = static_cast<u32>(size_class);
  if (!vacant_.empty()) {
    const u32 index = vacant_.back();
    vacant_.pop_back();
    chunks_[index] = std::move(chunk);
    return index;
  }
  if (chunks_.size() >= kMaxChunks) throw std::bad_alloc();
  chunks_.push_back(std::move(chunk));
  // So that free() never has to ask for memory.
  vacant_.reserve(chunks_.capacity());
  return static_cast<u32>(chunks_.size() - 1);
}

void Slab::list(u32 index) {
  Chunk& chunk = *chunks_[index];
  chunk.listed = true;
  chunk.previous = kNothing;
  chunk.next = open_[chunk.size_class];
  if (chunk.next != kNothing) chunks_[chunk.next]->previous = index;
  open_[chunk.size_class] = index;
}

void Slab::unlist(u32 index) {
  Chunk& chunk = *chunks_[index];
  chunk.listed = false;
  if (chunk.next != kNothing) chunks_[chunk.next]->previous = chunk.previous;
  if (chunk.previous != kNothing) {
    chunks_[chunk.previous]->next = chunk.next;
  } else {
    open_[chunk.size_class] = chunk.next;
  }
}

}  // namespace nfconntrack
