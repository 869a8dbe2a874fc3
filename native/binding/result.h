// How native results look in JavaScript. Errors are made there, of [errno, syscall, detail].
#pragma once

#include <cstring>
#include <initializer_list>
#include <vector>

#include "failure.h"
#include "napi_setup.h"
#include "record_batch.h"

namespace nfconntrack::binding {

inline Napi::Array to_js(Napi::Env env, const Failure& failure) {
  Napi::Array array = Napi::Array::New(env, 3);
  array[0U] = Napi::Number::New(env, failure.code);
  array[1U] = Napi::String::New(env, failure.syscall);
  array[2U] = Napi::String::New(env, failure.detail);
  return array;
}

inline Napi::Array to_js(Napi::Env env, std::initializer_list<u64> counts) {
  Napi::Array array = Napi::Array::New(env, counts.size());
  u32 index = 0;
  for (const u64 count : counts) {
    array[index++] = Napi::Number::New(env, static_cast<double>(count));
  }
  return array;
}

// A batch in a fresh Uint8Array, so that what JavaScript keeps stays valid.
template <typename Record>
Napi::Value to_js(Napi::Env env, const RecordBatch<Record>& batch) {
  const std::size_t size = batch.byte_size();
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, size);
  if (buffer.IsEmpty()) return env.Undefined();  // the environment is going away
  batch.write(static_cast<u8*>(buffer.Data()));
  return Napi::Uint8Array::New(env, size, buffer, 0);
}

inline Napi::Value to_js(Napi::Env env, Bytes bytes) {
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes.size());
  if (buffer.IsEmpty()) return env.Undefined();  // the environment is going away
  if (!bytes.empty()) std::memcpy(buffer.Data(), bytes.data(), bytes.size());
  return Napi::Uint8Array::New(env, bytes.size(), buffer, 0);
}

// Plain values one behind the other, for JavaScript to take apart.
template <typename Value>
std::vector<u8> bytes_of(const std::vector<Value>& values) {
  const auto* first = reinterpret_cast<const u8*>(values.data());
  return {first, first + values.size() * sizeof(Value)};
}

template <typename Record>
std::vector<u8> bytes_of(const RecordBatch<Record>& batch) {
  std::vector<u8> bytes(batch.byte_size());
  batch.write(bytes.data());
  return bytes;
}

}  // namespace nfconntrack::binding
