// What libnetfilter_conntrack prints of a message: the second opinion on the core's formatting.
#pragma once

#include <napi.h>

namespace nfconntrack::testing {

Napi::Value oracle_print(const Napi::CallbackInfo& info);
Napi::Value oracle_print_expectation(const Napi::CallbackInfo& info);

}  // namespace nfconntrack::testing
