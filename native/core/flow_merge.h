// Putting together what several messages tell of one flow.
//
// A dump tells all of a flow; an event only what it is about and, always, status, timeout, mark and
// helper: one that an event leaves out is not there (ctnetlink_conntrack_event(), Linux 6.18). Two
// things an event cannot tell: that a flow lost its last label, and what its counters are.
#pragma once

#include "packed_flow.h"

namespace nfconntrack {

// What of a flow an event has told; bits.
namespace Told {
inline constexpr u8 kEvent = 1;  // status, timeout, mark, helper
inline constexpr u8 kProtoinfo = 2;
inline constexpr u8 kLabels = 4;
inline constexpr u8 kSecctx = 8;
inline constexpr u8 kSeqAdjust = 16;
inline constexpr u8 kSynproxy = 32;
}  // namespace Told

[[nodiscard]] u8 told_by(const FlowRecord& event, const Tail& tail);

// Takes what an event tells. `has_marks`: this kernel has marks, so that one that is not told is 0.
void merge_event(KnownFlow& known, const FlowRecord& event, const Tail& tail, bool has_marks);

// Takes what a dump tells, except for what events have `told` since the dump began: a dump may be
// older than they are, and where they are older another one follows.
void merge_listed(KnownFlow& known, const FlowRecord& listed, const Tail& tail, u8 told);

// Whether something differs that a kernel announces: not counters, timeouts and references, which
// change all the time.
[[nodiscard]] bool differs(const KnownFlow& a, const KnownFlow& b);

}  // namespace nfconntrack
