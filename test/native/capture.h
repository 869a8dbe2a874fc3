// Messages as the kernel sent them, byte for byte: of multicast groups, dumps and single requests.
#pragma once

#include <napi.h>

#include "ctnetlink_socket.h"

namespace nfconntrack::testing {

class Capture : public Napi::ObjectWrap<Capture> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit Capture(const Napi::CallbackInfo& info);

 private:
  // Two sockets, since what a filter or an overrun does to the one must not touch the other.
  struct Sockets {
    CtnetlinkSocket events;
    CtnetlinkSocket requests;
  };

  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value dump(const Napi::CallbackInfo& info);
  Napi::Value request(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value drops(const Napi::CallbackInfo& info);
  Napi::Value receive_buffer(const Napi::CallbackInfo& info);

  [[nodiscard]] Sockets& sockets();

  std::optional<Sockets> sockets_;
  int receive_buffer_ = 0;
};

}  // namespace nfconntrack::testing
