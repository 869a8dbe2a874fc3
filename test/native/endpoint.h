// Sockets made at once in the calling thread's namespace and handed over as descriptors. Node
// itself makes them later, on its next tick or after a look-up, when the thread has long gone back.
#pragma once

#include <napi.h>

namespace nfconntrack::testing {

Napi::Value listen_tcp(const Napi::CallbackInfo& info);
Napi::Value connect_tcp(const Napi::CallbackInfo& info);
Napi::Value bind_udp(const Napi::CallbackInfo& info);

}  // namespace nfconntrack::testing
