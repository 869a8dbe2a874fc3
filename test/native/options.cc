#include "options.h"

#include <sys/socket.h>

namespace nfconntrack::testing {

Napi::Object options_at(const Napi::CallbackInfo& info, std::size_t index) {
  const Napi::Value value = info[index];
  if (value.IsUndefined()) return Napi::Object::New(info.Env());
  if (!value.IsObject()) throw Napi::TypeError::New(info.Env(), "options must be an object");
  return value.As<Napi::Object>();
}

std::optional<std::uint32_t> optional_u32(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsNumber()) {
    throw Napi::TypeError::New(options.Env(), std::string(name) + " must be a number");
  }
  return value.As<Napi::Number>().Uint32Value();
}

std::uint32_t u32_or(const Napi::Object& options, const char* name, std::uint32_t fallback) {
  return optional_u32(options, name).value_or(fallback);
}

std::optional<std::string> optional_text(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsString()) {
    throw Napi::TypeError::New(options.Env(), std::string(name) + " must be a string");
  }
  return value.As<Napi::String>().Utf8Value();
}

int address_family(const Napi::Value& version) {
  if (version.IsNumber()) {
    if (version.As<Napi::Number>().Int32Value() == 4) return AF_INET;
    if (version.As<Napi::Number>().Int32Value() == 6) return AF_INET6;
  }
  throw Napi::TypeError::New(version.Env(), "family must be 4 or 6");
}

}  // namespace nfconntrack::testing
