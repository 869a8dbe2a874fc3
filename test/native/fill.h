// Many flows at once, and none again.
#pragma once

#include <napi.h>

#include "synthetic_flow.h"

namespace nfconntrack::testing {

// The flows that an options object asks for.
[[nodiscard]] SyntheticFlows flows_from(const Napi::Object& options);

Napi::Value fill(const Napi::CallbackInfo& info);
Napi::Value unfill(const Napi::CallbackInfo& info);
Napi::Value flush(const Napi::CallbackInfo& info);

}  // namespace nfconntrack::testing
