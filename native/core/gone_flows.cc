#include "gone_flows.h"

#include <utility>

namespace nfconntrack {
namespace {

constexpr std::size_t kFirst = 1024;
// What would be an empty place.
constexpr u64 kZero = 0x9e3779b97f4a7c15;

u64 stored(u64 value) { return value == 0 ? kZero : value; }

}  // namespace

void GoneFlows::add(u64 flow) { current_.add(stored(flow)); }

void GoneFlows::begin() { before_ = std::exchange(current_, Set{}); }

void GoneFlows::forget_old() {
  if (current_.size() >= kFew) begin();
}

std::size_t GoneFlows::Set::place_of(u64 value) const {
  const std::size_t mask = places_.size() - 1;
  std::size_t place = value & mask;
  while (places_[place] != 0 && places_[place] != value) place = (place + 1) & mask;
  return place;
}

bool GoneFlows::Set::contains(u64 value) const {
  return size_ > 0 && places_[place_of(stored(value))] != 0;
}

void GoneFlows::Set::add(u64 value) {
  if (2 * (size_ + 1) > places_.size()) grow();
  u64& place = places_[place_of(value)];
  if (place == 0) ++size_;
  place = value;
}

void GoneFlows::Set::grow() {
  const std::vector<u64> old = std::exchange(places_, {});
  places_.resize(old.empty() ? kFirst : 2 * old.size());
  for (const u64 value : old) {
    if (value != 0) places_[place_of(value)] = value;
  }
}

}  // namespace nfconntrack
