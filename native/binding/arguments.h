// Checked reading of what JavaScript passes. Only our own lib/ calls the addon, and lib/ validates
// for users; these checks keep a mistake there from becoming a memory error here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "filter.h"
#include "kernel_filter.h"
#include "napi_setup.h"

namespace nfconntrack::binding {

inline constexpr double kMaxSafeInteger = 9007199254740991;

// Each returns nothing and leaves a TypeError pending when the argument is of another kind.
std::optional<double> number_argument(const Napi::CallbackInfo& info, std::size_t index, double min,
                                      double max);
std::optional<std::string> string_argument(const Napi::CallbackInfo& info, std::size_t index);
std::optional<Napi::Function> function_argument(const Napi::CallbackInfo& info, std::size_t index);
std::optional<std::span<const std::uint8_t>> bytes_argument(const Napi::CallbackInfo& info,
                                                            std::size_t index, std::size_t size);

// A Uint8Array of any size.
std::optional<std::span<const std::uint8_t>> any_bytes_argument(const Napi::CallbackInfo& info,
                                                                std::size_t index);
// The kernel's part of a filter: a FlowRecord and the masks of its mark and status, three
// arguments.
std::optional<KernelFilter> kernel_filter_argument(const Napi::CallbackInfo& info,
                                                   std::size_t index);
// A compiled filter; null where the argument is undefined.
std::optional<std::shared_ptr<const Filter>> filter_argument(const Napi::CallbackInfo& info,
                                                             std::size_t index);

}  // namespace nfconntrack::binding
