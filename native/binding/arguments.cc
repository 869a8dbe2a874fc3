#include "arguments.h"

namespace nfconntrack::binding {
namespace {

void refuse(const Napi::CallbackInfo& info, std::size_t index, const char* wanted) {
  Napi::TypeError::New(info.Env(), "argument " + std::to_string(index) + " must be " + wanted)
      .ThrowAsJavaScriptException();
}

}  // namespace

std::optional<double> number_argument(const Napi::CallbackInfo& info, std::size_t index, double min,
                                      double max) {
  if (info[index].IsNumber()) {
    const double value = info[index].As<Napi::Number>().DoubleValue();
    if (value >= min && value <= max) return value;
  }
  refuse(info, index, "a number in its range");
  return std::nullopt;
}

std::optional<std::string> string_argument(const Napi::CallbackInfo& info, std::size_t index) {
  if (info[index].IsString()) return info[index].As<Napi::String>().Utf8Value();
  refuse(info, index, "a string");
  return std::nullopt;
}

std::optional<Napi::Function> function_argument(const Napi::CallbackInfo& info, std::size_t index) {
  if (info[index].IsFunction()) return info[index].As<Napi::Function>();
  refuse(info, index, "a function");
  return std::nullopt;
}

std::optional<std::span<const std::uint8_t>> bytes_argument(const Napi::CallbackInfo& info,
                                                            std::size_t index, std::size_t size) {
  if (info[index].IsTypedArray()) {
    const auto array = info[index].As<Napi::TypedArray>();
    if (array.TypedArrayType() == napi_uint8_array && array.ByteLength() == size) {
      const auto bytes = array.As<Napi::Uint8Array>();
      return std::span<const std::uint8_t>(bytes.Data(), size);
    }
  }
  refuse(info, index, "a Uint8Array of the record's size");
  return std::nullopt;
}

}  // namespace nfconntrack::binding
