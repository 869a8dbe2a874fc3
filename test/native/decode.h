// The core's decoders on one message, whatever its bytes are.
#pragma once

#include <napi.h>

namespace nfconntrack::testing {

Napi::Value decode_flow_message(const Napi::CallbackInfo& info);
Napi::Value decode_expectation_message(const Napi::CallbackInfo& info);

}  // namespace nfconntrack::testing
