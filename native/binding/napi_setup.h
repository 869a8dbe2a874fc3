// The only place that includes napi.h, so that every file sees it set up alike.
#pragma once

#define NODE_ADDON_API_DISABLE_DEPRECATED
// External buffers are slower than copies above 64 KiB, and Electron forbids them.
#define NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED

// What is thrown while a worker is being terminated goes nowhere; it must not end the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS

#include <napi.h>

#if NAPI_VERSION != 9
// An addon that declares 10 crashes Node 20 in require(), without an error.
#error "NAPI_VERSION must be 9 while Node 20 is supported"
#endif
