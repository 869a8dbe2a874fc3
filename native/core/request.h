// Building one ctnetlink request with libmnl's checked writers.
#pragma once

#include <libmnl/libmnl.h>

#include <vector>

#include "attribute.h"
#include "record.h"

namespace nfconntrack {

class Request {
 public:
  // `type` is ctnetlink::message_type(); `flags` are NLM_F_* beside NLM_F_REQUEST; `family` is
  // AF_*.
  Request(u16 type, u16 flags, u32 sequence, u8 family);

  void put_u8(u16 type, u8 value);
  void put_be16(u16 type, u16 value);
  void put_be32(u16 type, u32 value);
  void put_be64(u16 type, u64 value);
  // A string with the NUL that the kernel's policies want.
  void put_text(u16 type, Bytes text);
  void put_bytes(u16 type, Bytes value);
  // A TupleRecord as CTA_TUPLE_*: what its presence says, and nothing else.
  void put_tuple(u16 type, const TupleRecord& tuple);

  nlattr* open_nest(u16 type);
  void close_nest(nlattr* nest);

  // The finished message; empty if it would not fit, which no request of ours comes near.
  [[nodiscard]] Bytes bytes() const;

 private:
  static constexpr std::size_t kCapacity = 4096;

  void put_address(u16 ipv4_type, u16 ipv6_type, const u8 (&address)[16], u8 family);
  void put_proto(const TupleRecord& tuple);

  std::vector<u8> buffer_;
  nlmsghdr* header_;
  bool overflow_ = false;
};

}  // namespace nfconntrack
