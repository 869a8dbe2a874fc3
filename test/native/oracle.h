// What libnetfilter_conntrack reads in a message: the second opinion on the core's decoder.
#pragma once

#include <napi.h>

namespace nfconntrack::testing {

Napi::Value oracle_peek(const Napi::CallbackInfo& info);

}  // namespace nfconntrack::testing
