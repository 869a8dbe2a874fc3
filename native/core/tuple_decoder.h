// CTA_TUPLE_*: one direction of a flow or an expectation.
#pragma once

#include "attribute.h"
#include "record.h"

namespace nfconntrack {

// `family` is that of the message; addresses of another one are left out.
void decode_tuple(Bytes nest, u8 family, TupleRecord& tuple);

}  // namespace nfconntrack
