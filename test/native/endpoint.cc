#include "endpoint.h"

#include <poll.h>

#include <cerrno>

#include "descriptor.h"
#include "options.h"
#include "socket_address.h"
#include "system_error.h"

namespace nfconntrack::testing {
namespace {

constexpr int kBacklog = 1024;
constexpr std::uint32_t kConnectTimeoutMs = 5000;

std::string text_at(const Napi::CallbackInfo& info, std::size_t index) {
  return info[index].As<Napi::String>().Utf8Value();
}

std::uint16_t port_at(const Napi::CallbackInfo& info, std::size_t index) {
  if (info[index].IsUndefined()) return 0;
  return static_cast<std::uint16_t>(info[index].As<Napi::Number>().Uint32Value());
}

void set_flag(int socket, int level, int option) {
  const int on = 1;
  checked(::setsockopt(socket, level, option, &on, sizeof on), "setsockopt");
}

Descriptor open_socket(const SocketAddress& address, int type) {
  Descriptor socket(
      checked(::socket(address.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
  set_flag(socket.get(), SOL_SOCKET, SO_REUSEADDR);
  if (address.family() == AF_INET6) set_flag(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  return socket;
}

Descriptor bound_socket(const SocketAddress& address, int type) {
  Descriptor socket = open_socket(address, type);
  checked(::bind(socket.get(), address.data(), address.size()), "bind");
  return socket;
}

Napi::Object handed_over(Napi::Env env, Descriptor& socket) {
  Napi::Object endpoint = Napi::Object::New(env);
  endpoint.Set("port", Napi::Number::New(env, local_port(socket.get())));
  endpoint.Set("fd", Napi::Number::New(env, socket.release()));
  return endpoint;
}

void await_connection(int socket, int timeout_ms) {
  pollfd entry{.fd = socket, .events = POLLOUT, .revents = 0};
  if (checked(::poll(&entry, 1, timeout_ms), "poll") == 0) throw SystemError(ETIMEDOUT, "connect");
  int code = 0;
  socklen_t size = sizeof code;
  checked(::getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size), "getsockopt SO_ERROR");
  if (code != 0) throw SystemError(code, "connect");
}

void connect_socket(int socket, const SocketAddress& address, int timeout_ms) {
  if (::connect(socket, address.data(), address.size()) == 0) return;
  if (errno != EINPROGRESS) fail("connect");
  if (timeout_ms > 0) await_connection(socket, timeout_ms);
}

}  // namespace

Napi::Value listen_tcp(const Napi::CallbackInfo& info) {
  Descriptor socket = bound_socket(SocketAddress(text_at(info, 0), port_at(info, 1)), SOCK_STREAM);
  checked(::listen(socket.get(), kBacklog), "listen");
  return handed_over(info.Env(), socket);
}

Napi::Value connect_tcp(const Napi::CallbackInfo& info) {
  const SocketAddress address(text_at(info, 0), port_at(info, 1));
  const Napi::Object options = options_at(info, 2);
  Descriptor socket = open_socket(address, SOCK_STREAM);
  const auto source = optional_text(options, "src");
  const auto port = static_cast<std::uint16_t>(u32_or(options, "sport", 0));
  if (source || port != 0) {
    const char* any = address.family() == AF_INET ? "0.0.0.0" : "::";
    const SocketAddress own(source.value_or(any), port);
    checked(::bind(socket.get(), own.data(), own.size()), "bind");
  }
  const auto timeout = static_cast<int>(u32_or(options, "timeout", kConnectTimeoutMs));
  connect_socket(socket.get(), address, timeout);
  return handed_over(info.Env(), socket);
}

Napi::Value bind_udp(const Napi::CallbackInfo& info) {
  Descriptor socket = bound_socket(SocketAddress(text_at(info, 0), port_at(info, 1)), SOCK_DGRAM);
  return handed_over(info.Env(), socket);
}

}  // namespace nfconntrack::testing
