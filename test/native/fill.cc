#include "fill.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include <algorithm>

#include "options.h"

namespace nfconntrack::testing {
namespace {

constexpr std::uint32_t kBatch = 64;
constexpr std::uint32_t kTimeout = 3600;
// The kernel drops no assured flow early, whatever the pressure.
constexpr std::uint32_t kStatus = IPS_SEEN_REPLY | IPS_ASSURED;

struct Range {
  std::uint32_t first;
  std::uint32_t count;
  std::uint32_t batch;
};

Range range_from(const Napi::Object& options) {
  const auto count = optional_u32(options, "count");
  if (!count) throw Napi::TypeError::New(options.Env(), "count must be a number");
  return {u32_or(options, "first", 0), *count,
          std::clamp(u32_or(options, "batch", kBatch), 1U, kMostBatch)};
}

std::uint8_t protonum_from(const Napi::Object& options) {
  const std::uint32_t protonum = u32_or(options, "proto", IPPROTO_TCP);
  if (protonum == IPPROTO_TCP || protonum == IPPROTO_UDP)
    return static_cast<std::uint8_t>(protonum);
  throw Napi::RangeError::New(options.Env(), "proto must be 6 or 17");
}

int family_from(const Napi::Object& options) {
  const Napi::Value family = options.Get("family");
  return family.IsUndefined() ? AF_INET : address_family(family);
}

std::optional<std::uint16_t> zone_from(const Napi::Object& options) {
  const auto zone = optional_u32(options, "zone");
  if (!zone) return std::nullopt;
  return static_cast<std::uint16_t>(*zone);
}

}  // namespace

SyntheticFlows flows_from(const Napi::Object& options) {
  return {
      .family = family_from(options),
      .protonum = protonum_from(options),
      .timeout = u32_or(options, "timeout", kTimeout),
      // Every flow in the table is confirmed; the kernel refuses a request that says otherwise.
      .status = u32_or(options, "status", kStatus) | IPS_CONFIRMED,
      .zone = zone_from(options),
      .mark = optional_u32(options, "mark"),
  };
}

Napi::Value fill(const Napi::CallbackInfo& info) {
  const Napi::Object options = options_at(info, 0);
  const Range range = range_from(options);
  FlowWriter writer(range.batch);
  return Napi::Number::New(info.Env(),
                           writer.create(flows_from(options), range.first, range.count));
}

Napi::Value unfill(const Napi::CallbackInfo& info) {
  const Napi::Object options = options_at(info, 0);
  const Range range = range_from(options);
  FlowWriter writer(range.batch);
  return Napi::Number::New(info.Env(),
                           writer.remove(flows_from(options), range.first, range.count));
}

Napi::Value flush(const Napi::CallbackInfo& info) {
  FlowWriter(1).flush();
  return info.Env().Undefined();
}

}  // namespace nfconntrack::testing
