// One ctnetlink message about an expectation (CTA_EXPECT_*).
#pragma once

#include "record_batch.h"

namespace nfconntrack {

// As decode_flow().
[[nodiscard]] bool decode_expectation(Bytes payload, ExpectationRecord& record, Tail& tail);

}  // namespace nfconntrack
