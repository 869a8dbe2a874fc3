#include <napi.h>

#include "capture.h"
#include "churn.h"
#include "decode.h"
#include "endpoint.h"
#include "fill.h"
#include "namespace.h"
#include "oracle.h"
#include "oracle_print.h"
#include "packet.h"
#include "system_error.h"

namespace nfconntrack::testing {

using Implementation = Napi::Value (*)(const Napi::CallbackInfo&);

template <Implementation implementation>
Napi::Value entry_point(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return implementation(info); });
}

template <Implementation implementation>
void add(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<entry_point<implementation>>(exports.Env(), name));
}

Napi::Object define_exports(Napi::Env env, Napi::Object exports) {
  add<new_namespace>(exports, "newNamespace");
  add<open_namespace>(exports, "openNamespace");
  add<enter_namespace>(exports, "enterNamespace");
  add<close_fd>(exports, "closeFd");
  add<listen_tcp>(exports, "listenTcp");
  add<connect_tcp>(exports, "connectTcp");
  add<bind_udp>(exports, "bindUdp");
  add<raw_send>(exports, "rawSend");
  add<fill>(exports, "fill");
  add<unfill>(exports, "unfill");
  add<flush>(exports, "flush");
  add<oracle_peek>(exports, "oraclePeek");
  add<oracle_print>(exports, "oraclePrint");
  add<oracle_print_expectation>(exports, "oraclePrintExpectation");
  add<decode_flow_message>(exports, "decode");
  add<decode_expectation_message>(exports, "decodeExpectation");
  exports.Set("NetlinkCapture", Capture::define(env));
  exports.Set("Churn", Churn::define(env));
  return exports;
}

}  // namespace nfconntrack::testing

// The macro makes a name of its argument.
using nfconntrack::testing::define_exports;
NODE_API_MODULE(testing, define_exports)
