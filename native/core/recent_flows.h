// Finds a flow that a dump repeats.
#pragma once

#include <bitset>
#include <vector>

#include "record.h"

namespace nfconntrack {

// When the flow at which a dump was interrupted is gone by the time it goes on, the kernel starts
// that flow's hash bucket again (ctnetlink_dump_table()), and says nothing: the first flows of a
// datagram may then repeat the last ones of the datagram before. A bucket holds far fewer than
// kWindow flows.
class RecentFlows {
 public:
  // True if `flow` was seen among the last flows of the datagram before; remembers it.
  bool seen(const FlowRecord& flow);
  // A new datagram begins.
  void next_datagram();

 private:
  static constexpr std::size_t kWindow = 256;

  struct Identity {
    u32 id;
    u16 zone;
    TupleRecord orig;
  };
  static Identity identity_of(const FlowRecord& flow);

  std::vector<Identity> before_;
  std::vector<Identity> current_;
  std::bitset<4096> ids_before_;
};

}  // namespace nfconntrack
