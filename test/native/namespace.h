// Network namespaces without names: they live as long as a descriptor, a socket or a thread refers
// to them, so a test that dies leaves nothing behind.
#pragma once

#include <napi.h>

namespace nfconntrack::testing {

Napi::Value new_namespace(const Napi::CallbackInfo& info);
Napi::Value open_namespace(const Napi::CallbackInfo& info);
Napi::Value enter_namespace(const Napi::CallbackInfo& info);
Napi::Value close_fd(const Napi::CallbackInfo& info);

}  // namespace nfconntrack::testing
