// Remembers which flows were destroyed lately, by hashes of what identified them.
#pragma once

#include <vector>

#include "record.h"

namespace nfconntrack {

class GoneFlows {
 public:
  void add(u64 flow);
  [[nodiscard]] bool contains(u64 flow) const {
    return current_.contains(flow) || before_.contains(flow);
  }
  // Whether it was destroyed since begin().
  [[nodiscard]] bool contains_since(u64 flow) const { return current_.contains(flow); }
  // Older ones become those from before.
  void begin();
  // While nothing needs to know since when, only the last few ten thousand are kept.
  void forget_old();
  // More than are worth their memory.
  [[nodiscard]] bool too_many() const { return current_.size() > kMost; }

 private:
  static constexpr std::size_t kFew = 32768;
  static constexpr std::size_t kMost = 4U << 20;

  // Hashes of 64 bits, which are their own hash; 0 is an empty place.
  class Set {
   public:
    void add(u64 value);
    [[nodiscard]] bool contains(u64 value) const;
    [[nodiscard]] std::size_t size() const { return size_; }

   private:
    void grow();
    [[nodiscard]] std::size_t place_of(u64 value) const;

    std::vector<u64> places_;
    std::size_t size_ = 0;
  };

  Set current_;
  Set before_;
};

}  // namespace nfconntrack
