// Checked reading of what JavaScript passes. Only our own lib/ calls the addon, and lib/ validates
// for users; these checks keep a mistake there from becoming a memory error here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "napi_setup.h"

namespace nfconntrack::binding {

// Each returns nothing and leaves a TypeError pending when the argument is of another kind.
std::optional<double> number_argument(const Napi::CallbackInfo& info, std::size_t index, double min,
                                      double max);
std::optional<std::string> string_argument(const Napi::CallbackInfo& info, std::size_t index);
std::optional<Napi::Function> function_argument(const Napi::CallbackInfo& info, std::size_t index);
std::optional<std::span<const std::uint8_t>> bytes_argument(const Napi::CallbackInfo& info,
                                                            std::size_t index, std::size_t size);

}  // namespace nfconntrack::binding
