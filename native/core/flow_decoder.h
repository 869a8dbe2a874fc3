// One ctnetlink message about a flow, into a fixed record and its batch's tail.
#pragma once

#include "record_batch.h"

namespace nfconntrack {

// Decodes the payload of a message (what follows its nlmsghdr) into a zeroed `record`; leaves
// `kind`, `portid` and `time` alone, which only the reader of the message knows. An attribute that
// is too short for what it should hold is left out. False: the message is cut short or a length in
// it lies; then `record` holds what stood before that place.
[[nodiscard]] bool decode_flow(Bytes payload, FlowRecord& record, Tail& tail);

}  // namespace nfconntrack
