// One packet with a payload of the caller's making, through a raw socket.
#pragma once

#include <napi.h>

namespace nfconntrack::testing {

Napi::Value raw_send(const Napi::CallbackInfo& info);

}  // namespace nfconntrack::testing
