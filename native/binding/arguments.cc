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

std::optional<std::span<const std::uint8_t>> any_bytes_argument(const Napi::CallbackInfo& info,
                                                                std::size_t index) {
  if (info[index].IsTypedArray()) {
    const auto array = info[index].As<Napi::TypedArray>();
    if (array.TypedArrayType() == napi_uint8_array) {
      const auto bytes = array.As<Napi::Uint8Array>();
      return std::span<const std::uint8_t>(bytes.Data(), bytes.ByteLength());
    }
  }
  refuse(info, index, "a Uint8Array");
  return std::nullopt;
}

std::optional<std::span<const std::uint8_t>> bytes_argument(const Napi::CallbackInfo& info,
                                                            std::size_t index, std::size_t size) {
  const auto bytes = any_bytes_argument(info, index);
  if (!bytes || bytes->size() == size) return bytes;
  refuse(info, index, "a Uint8Array of the record's size");
  return std::nullopt;
}

std::optional<KernelFilter> kernel_filter_argument(const Napi::CallbackInfo& info,
                                                   std::size_t index) {
  const auto bytes = bytes_argument(info, index, sizeof(FlowRecord));
  if (!bytes) return std::nullopt;
  const auto mark_mask = number_argument(info, index + 1, 0, UINT32_MAX);
  if (!mark_mask) return std::nullopt;
  const auto status_mask = number_argument(info, index + 2, 0, UINT32_MAX);
  if (!status_mask) return std::nullopt;
  FlowRecord pattern;
  std::memcpy(&pattern, bytes->data(), sizeof pattern);
  return KernelFilter(pattern, static_cast<u32>(*mark_mask), static_cast<u32>(*status_mask));
}

std::optional<std::shared_ptr<const Filter>> filter_argument(const Napi::CallbackInfo& info,
                                                             std::size_t index) {
  if (info[index].IsUndefined()) return nullptr;
  if (info[index].IsTypedArray()) {
    const auto array = info[index].As<Napi::TypedArray>();
    if (array.TypedArrayType() == napi_uint32_array) {
      const auto words = array.As<Napi::Uint32Array>();
      auto filter = Filter::compile({words.Data(), words.ElementLength()});
      if (filter != nullptr) return filter;
    }
  }
  refuse(info, index, "a filter's program");
  return std::nullopt;
}

}  // namespace nfconntrack::binding
