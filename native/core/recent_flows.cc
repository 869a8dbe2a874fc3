#include "recent_flows.h"

#include <algorithm>
#include <cstring>

namespace nfconntrack {

RecentFlows::Identity RecentFlows::identity_of(const FlowRecord& flow) {
  return {flow.id, flow.zone, flow.orig};
}

bool RecentFlows::seen(const FlowRecord& flow) {
  const std::size_t place = current_.size();
  current_.push_back(identity_of(flow));
  // The bits make the common case, an id that did not come before, one look-up.
  if (place >= kWindow || !ids_before_[flow.id % ids_before_.size()]) return false;
  const Identity& wanted = current_.back();
  return std::any_of(before_.begin(), before_.end(), [&](const Identity& other) {
    // Ids are 32-bit hashes and do collide; the zone and the tuple decide.
    return other.id == wanted.id && other.zone == wanted.zone &&
           std::memcmp(&other.orig, &wanted.orig, sizeof wanted.orig) == 0;
  });
}

void RecentFlows::next_datagram() {
  if (current_.empty()) return;
  if (current_.size() >= kWindow) {
    before_.assign(current_.end() - kWindow, current_.end());
  } else {
    const std::size_t keep = std::min(before_.size(), kWindow - current_.size());
    before_.erase(before_.begin(), before_.end() - static_cast<std::ptrdiff_t>(keep));
    before_.insert(before_.end(), current_.begin(), current_.end());
  }
  ids_before_.reset();
  for (const Identity& flow : before_) ids_before_.set(flow.id % ids_before_.size());
  current_.clear();
}

}  // namespace nfconntrack
