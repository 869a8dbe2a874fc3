#include "kernel_filter.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "ctnetlink.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

// CTA_FILTER_F_CTA_*, which are in no header that programs see (net/netfilter/nf_internals.h). The
// kernel reads them in host order.
enum TupleFlag : u32 {
  kFlagSrc = 1 << 0,
  kFlagDst = 1 << 1,
  kFlagZone = 1 << 2,
  kFlagProtoNum = 1 << 3,
  kFlagSport = 1 << 4,
  kFlagDport = 1 << 5,
  kFlagIcmpType = 1 << 6,
  kFlagIcmpCode = 1 << 7,
  kFlagIcmpId = 1 << 8,
  kFlagIcmpv6Type = 1 << 9,
  kFlagIcmpv6Code = 1 << 10,
  kFlagIcmpv6Id = 1 << 11,
};
constexpr u16 kFilterOrigFlags = 1;
constexpr u16 kFilterReplyFlags = 2;

u32 tuple_flags(const TupleRecord& tuple) {
  const bool v6 = tuple.protonum == IPPROTO_ICMPV6;
  const struct {
    u32 has;
    u32 flag;
  } kFlags[] = {
      {TupleRecord::kHasSrc, kFlagSrc},
      {TupleRecord::kHasDst, kFlagDst},
      {TupleRecord::kHasZone, kFlagZone},
      {TupleRecord::kHasProtonum, kFlagProtoNum},
      {TupleRecord::kHasSport, kFlagSport},
      {TupleRecord::kHasDport, kFlagDport},
      {TupleRecord::kHasIcmpType, v6 ? kFlagIcmpv6Type : kFlagIcmpType},
      {TupleRecord::kHasIcmpCode, v6 ? kFlagIcmpv6Code : kFlagIcmpCode},
      {TupleRecord::kHasIcmpId, v6 ? kFlagIcmpv6Id : kFlagIcmpId},
  };
  u32 flags = 0;
  for (const auto& [has, flag] : kFlags) {
    if ((tuple.presence & has) != 0) flags |= flag;
  }
  return flags;
}

void put_flags(Request& request, u16 type, u32 flags) {
  request.put_bytes(type, Bytes(reinterpret_cast<const u8*>(&flags), sizeof flags));
}

}  // namespace

KernelFilter KernelFilter::only_family() const {
  KernelFilter filter;
  filter.pattern_.family = pattern_.family;
  return filter;
}

bool KernelFilter::has_tuples() const {
  return pattern_.orig.presence != 0 || pattern_.reply.presence != 0;
}

std::vector<KernelFilter> KernelFilter::by_family() const {
  if (pattern_.family != AF_UNSPEC || !has_tuples()) return {*this};
  std::vector<KernelFilter> filters;
  for (const u8 family : {AF_INET, AF_INET6}) {
    KernelFilter filter = *this;
    filter.pattern_.family = family;
    filter.pattern_.orig.family = family;
    filter.pattern_.reply.family = family;
    filters.push_back(filter);
  }
  return filters;
}

void KernelFilter::put(Request& request) const {
  if (pattern_.presence & FlowRecord::kHasZone) request.put_be16(kZone, pattern_.zone);
  if (pattern_.presence & FlowRecord::kHasMark) {
    request.put_be32(kMark, pattern_.mark);
    request.put_be32(kMarkMask, mark_mask_);
  }
  if (pattern_.presence & FlowRecord::kHasStatus) {
    request.put_be32(kStatus, pattern_.status);
    request.put_be32(kStatusMask, status_mask_);
  }
  if (!has_tuples()) return;
  if (pattern_.orig.presence != 0) request.put_tuple(kTupleOrig, pattern_.orig);
  if (pattern_.reply.presence != 0) request.put_tuple(kTupleReply, pattern_.reply);
  nlattr* nest = request.open_nest(kFilter);
  if (pattern_.orig.presence != 0) {
    put_flags(request, kFilterOrigFlags, tuple_flags(pattern_.orig));
  }
  if (pattern_.reply.presence != 0) {
    put_flags(request, kFilterReplyFlags, tuple_flags(pattern_.reply));
  }
  request.close_nest(nest);
}

}  // namespace nfconntrack
