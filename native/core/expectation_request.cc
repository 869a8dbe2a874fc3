#include "expectation_request.h"

#include <sys/socket.h>

#include <algorithm>
#include <map>

#include "ctnetlink.h"
#include "expectation_decoder.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

bool has(const ExpectationRecord& record, u32 flag) { return (record.presence & flag) != 0; }

Request request_of(NetlinkSocket& socket, int command, u16 flags, u8 family) {
  return {message_type(kSubsystemExpectation, command), static_cast<u16>(flags | NLM_F_ACK),
          socket.next_sequence(), family};
}

Failure acknowledged(const NetlinkSocket& socket, const Request& request) {
  return exchange(socket, request, [](const Message&) {});
}

// A delete without a tuple is a flush, and a tuple without addresses names no expectation.
bool identifies(const ExpectationRecord& key) {
  constexpr u32 kAddresses = TupleRecord::kHasSrc | TupleRecord::kHasDst;
  return has(key, ExpectationRecord::kHasTuple) && (key.tuple.presence & kAddresses) == kAddresses;
}

// A kernel without zones refuses to hear even of the default one.
void put_zone(Request& request, const ExpectationRecord& record) {
  const bool other = has(record, ExpectationRecord::kHasZone) && record.zone != 0;
  if (other) request.put_be16(kExpectZone, record.zone);
}

void put_key(Request& request, const ExpectationRecord& key) {
  request.put_tuple(kExpectTuple, key.tuple);
  put_zone(request, key);
  if (has(key, ExpectationRecord::kHasId)) request.put_be32(kExpectId, key.id);
}

// What the kernel wants in every request that makes or changes an expectation.
void put_body(Request& request, const ExpectationRecord& expectation) {
  request.put_tuple(kExpectTuple, expectation.tuple);
  request.put_tuple(kExpectMask, expectation.mask);
  request.put_tuple(kExpectMaster, expectation.master);
  put_zone(request, expectation);
}

void put_nat(Request& request, const ExpectationRecord& expectation) {
  if (!has(expectation, ExpectationRecord::kHasNat)) return;
  nlattr* nest = request.open_nest(kExpectNat);
  request.put_be32(kExpectNatDir, expectation.natDir);
  request.put_tuple(kExpectNatTuple, expectation.nat);
  request.close_nest(nest);
}

void put_details(Request& request, const ExpectationRecord& expectation,
                 const ExpectationBatchView& batch) {
  if (has(expectation, ExpectationRecord::kHasFlags)) {
    request.put_be32(kExpectFlags, expectation.flags);
  }
  if (has(expectation, ExpectationRecord::kHasClass)) {
    request.put_be32(kExpectClass, expectation.class_);
  }
  put_nat(request, expectation);
  Bytes name;
  if (batch.find(expectation, TailType::kHelper, name)) request.put_text(kExpectHelpName, name);
  if (batch.find(expectation, TailType::kExpectFn, name)) request.put_text(kExpectFn, name);
}

// The kernel gives a new expectation the timeout that its helper has for it, whatever the request
// says, and takes another one only for one that is there (ctnetlink_change_expect()).
Failure set_timeout(NetlinkSocket& socket, const ExpectationRecord& expectation) {
  Request request = request_of(socket, kExpNew, 0, expectation.family);
  put_body(request, expectation);
  request.put_be32(kExpectTimeout, expectation.timeout);
  Failure failure = acknowledged(socket, request);
  // It was met, or made room for another one, in between.
  if (failure.code == ENOENT || failure.code == ETIME) return {};
  return failure;
}

// Expectations as they come in. When the one at which a dump was interrupted is gone by the time it
// goes on, the kernel starts that one's hash bucket again (ctnetlink_exp_dump_table()).
class Listing {
 public:
  Listing(const ExpectationRecord& wanted, ExpectationBatch& batch)
      : wanted_(wanted), batch_(batch) {}

  void add(const Message& message) {
    ExpectationRecord& record = batch_.append();
    const bool whole = decode_expectation(message.payload, record, batch_.tail());
    malformed_ |= !whole;
    if (!whole || is_repeated(record)) {
      batch_.tail().truncate(record.tailOffset);
      batch_.drop_last();
      return;
    }
    record.kind = Kind::kExpectation;
    // The kernel does not say in which zone an expectation is, but has looked in this one only.
    if (has(wanted_, ExpectationRecord::kHasZone)) {
      record.zone = wanted_.zone;
      record.presence |= ExpectationRecord::kHasZone;
    }
    places_.emplace(record.id, batch_.size() - 1);
  }

  [[nodiscard]] Failure outcome(const Failure& failure) const {
    return failure.ok() && malformed_ ? Failure::of(EBADMSG, "netlink") : failure;
  }

 private:
  [[nodiscard]] bool is_repeated(const ExpectationRecord& record) const {
    const auto [first, last] = places_.equal_range(record.id);
    return std::any_of(first, last, [&](const auto& place) {
      const ExpectationRecord& listed = batch_.records()[place.second];
      return std::memcmp(&listed.tuple, &record.tuple, sizeof record.tuple) == 0;
    });
  }

  const ExpectationRecord& wanted_;
  ExpectationBatch& batch_;
  std::multimap<u32, std::size_t> places_;
  bool malformed_ = false;
};

Failure ask(NetlinkSocket& socket, const Request& request, const ExpectationRecord& wanted,
            ExpectationBatch& batch) {
  Listing listing(wanted, batch);
  const Failure failure =
      exchange(socket, request, [&](const Message& message) { listing.add(message); });
  return listing.outcome(failure);
}

}  // namespace

// Of a master that has no helper the kernel sends nothing at all, not even the end of a dump,
// unless the request asks for an acknowledgement (ctnetlink_dump_exp_ct()).
Failure list_expectations(NetlinkSocket& socket, const ExpectationRecord& wanted,
                          ExpectationBatch& batch) {
  Request request = request_of(socket, kExpGet, NLM_F_DUMP, wanted.family);
  if (has(wanted, ExpectationRecord::kHasMaster)) {
    request.put_tuple(kExpectMaster, wanted.master);
    put_zone(request, wanted);
  }
  return ask(socket, request, wanted, batch);
}

Failure get_expectation(NetlinkSocket& socket, const ExpectationRecord& key,
                        ExpectationBatch& batch) {
  Request request = request_of(socket, kExpGet, 0, key.family);
  put_key(request, key);
  return ask(socket, request, key, batch);
}

Failure create_expectation(NetlinkSocket& socket, const ExpectationBatchView& batch) {
  if (batch.size() != 1) return Failure::of(EINVAL, "netlink");
  const ExpectationRecord expectation = batch.record(0);
  Request request = request_of(socket, kExpNew, NLM_F_CREATE | NLM_F_EXCL, expectation.family);
  put_body(request, expectation);
  put_details(request, expectation, batch);
  Failure failure = acknowledged(socket, request);
  if (!failure.ok() || !has(expectation, ExpectationRecord::kHasTimeout)) return failure;
  return set_timeout(socket, expectation);
}

Failure delete_expectation(NetlinkSocket& socket, const ExpectationRecord& key) {
  if (!identifies(key)) return Failure::of(EINVAL, "netlink");
  Request request = request_of(socket, kExpDelete, 0, key.family);
  put_key(request, key);
  return acknowledged(socket, request);
}

// A name that were left out for being empty would make this a flush.
Failure delete_expectations_of(NetlinkSocket& socket, std::string_view helper) {
  if (helper.empty()) return Failure::of(EINVAL, "netlink");
  Request request = request_of(socket, kExpDelete, 0, AF_UNSPEC);
  request.put_text(kExpectHelpName,
                   Bytes(reinterpret_cast<const u8*>(helper.data()), helper.size()));
  return acknowledged(socket, request);
}

Failure flush_expectations(NetlinkSocket& socket) {
  return acknowledged(socket, request_of(socket, kExpDelete, 0, AF_UNSPEC));
}

Failure get_expectation_stats(NetlinkSocket& socket, std::vector<Statistic>& stats) {
  const Request request = request_of(socket, kExpGetStatsCpu, NLM_F_DUMP, AF_UNSPEC);
  return exchange(socket, request, [&](const Message& message) {
    take_statistics(message, cpu_of(message), stats);
  });
}

}  // namespace nfconntrack
