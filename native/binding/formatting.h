// Flows, expectations and their events as text.
#pragma once

#include "napi_setup.h"

namespace nfconntrack::binding {

// Adds the functions to the addon's exports.
void define_formatting(Napi::Env env, Napi::Object& exports);

}  // namespace nfconntrack::binding
