// Reading of optional members of a JavaScript object.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>

namespace nfconntrack::testing {

// The object in argument `index`; an empty one if the argument is missing.
[[nodiscard]] Napi::Object options_at(const Napi::CallbackInfo& info, std::size_t index);

[[nodiscard]] std::optional<std::uint32_t> optional_u32(const Napi::Object& options,
                                                        const char* name);
[[nodiscard]] std::uint32_t u32_or(const Napi::Object& options, const char* name,
                                   std::uint32_t fallback);
[[nodiscard]] std::optional<std::string> optional_text(const Napi::Object& options,
                                                       const char* name);
// AF_INET or AF_INET6 from 4 or 6; throws a TypeError for anything else.
[[nodiscard]] int address_family(const Napi::Value& version);

}  // namespace nfconntrack::testing
