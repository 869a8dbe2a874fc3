#include "filter.h"

#include <endian.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace nfconntrack {
namespace {

constexpr std::size_t kNodeHead = 2;  // operation, size
constexpr int kMaxDepth = 64;
constexpr std::size_t kIpv4Range = 2;
constexpr std::size_t kIpv6Range = 8;
constexpr std::size_t kWideRange = 4;
constexpr u32 kAllPlaces =
    FilterPlace::kOrigSrc | FilterPlace::kOrigDst | FilterPlace::kReplySrc | FilterPlace::kReplyDst;

// --- checking a program ---

bool is_node(Words words, int depth);

bool are_nodes(Words words, int depth) {
  while (!words.empty()) {
    if (words.size() < kNodeHead || words[1] < kNodeHead || words[1] > words.size()) return false;
    if (!is_node(words.first(words[1]), depth)) return false;
    words = words.subspan(words[1]);
  }
  return true;
}

// A head of `head` words and any number of items of `item` words.
bool has_items(Words body, std::size_t head, std::size_t item) {
  return body.size() >= head && (body.size() - head) % item == 0;
}

bool is_helper(Words body) { return !body.empty() && body[0] <= (body.size() - 1) * sizeof(u32); }

bool is_node(Words words, int depth) {
  if (depth > kMaxDepth) return false;
  const Words body = words.subspan(kNodeHead);
  switch (words[0]) {
    case FilterOp::kAll:
    case FilterOp::kAny:
      return are_nodes(body, depth + 1);
    case FilterOp::kNot:
      return body.size() >= kNodeHead && body[1] == body.size() && are_nodes(body, depth + 1);
    case FilterOp::kNumber:
      return has_items(body, 1, 2) && body[0] < FilterField::kOrigPackets;
    case FilterOp::kWide:
      return has_items(body, 1, kWideRange) && body[0] >= FilterField::kOrigPackets &&
             body[0] <= FilterField::kBytes;
    case FilterOp::kMask:
      return body.size() == 3 && body[0] < FilterField::kOrigPackets;
    case FilterOp::kIpv4:
      return has_items(body, 1, kIpv4Range) && body[0] <= kAllPlaces;
    case FilterOp::kIpv6:
      return has_items(body, 1, kIpv6Range) && body[0] <= kAllPlaces;
    case FilterOp::kState:
    case FilterOp::kLabels:
      return true;
    case FilterOp::kHelper:
      return is_helper(body);
    default:
      return false;
  }
}

// --- reading a record ---

struct Value {
  bool present = false;
  u64 value = 0;
};

Value of_flow(const FlowRecord& record, u32 flag, u64 value) {
  return {(record.presence & flag) != 0, value};
}

Value of_tuple(const TupleRecord& tuple, u32 flag, u64 value) {
  return {(tuple.presence & flag) != 0, value};
}

// On the wire the keys of GRE are ports.
Value of_port(const TupleRecord& tuple, u32 flag, u64 value) {
  return tuple.protonum == IPPROTO_GRE ? Value{} : of_tuple(tuple, flag, value);
}

Value of_key(const TupleRecord& tuple, u32 flag, u64 value) {
  return tuple.protonum == IPPROTO_GRE ? of_tuple(tuple, flag, value) : Value{};
}

// One that 64 bits do not hold is as large as they say.
Value sum(Value a, Value b) {
  u64 total = 0;
  if (__builtin_add_overflow(a.value, b.value, &total)) total = UINT64_MAX;
  return {a.present && b.present, total};
}

Value number_of(const FlowRecord& record, u32 field) {
  switch (field) {
    case FilterField::kFamily:
      return {true, record.family};
    case FilterField::kProtonum:
      return of_tuple(record.orig, TupleRecord::kHasProtonum, record.orig.protonum);
    case FilterField::kStatus:
      return of_flow(record, FlowRecord::kHasStatus, record.status);
    case FilterField::kTimeout:
      return of_flow(record, FlowRecord::kHasTimeout, record.timeout);
    case FilterField::kMark:
      return of_flow(record, FlowRecord::kHasMark, record.mark);
    case FilterField::kId:
      return of_flow(record, FlowRecord::kHasId, record.id);
    case FilterField::kZone:
      // The kernel does not say zone 0: a flow without a zone is in the default one.
      return {true, record.zone};
    case FilterField::kUse:
      return of_flow(record, FlowRecord::kHasUse, record.use);
    case FilterField::kOrigSport:
      return of_port(record.orig, TupleRecord::kHasSport, record.orig.sport);
    case FilterField::kOrigSrckey:
      return of_key(record.orig, TupleRecord::kHasSport, record.orig.sport);
    case FilterField::kOrigDport:
      return of_port(record.orig, TupleRecord::kHasDport, record.orig.dport);
    case FilterField::kOrigDstkey:
      return of_key(record.orig, TupleRecord::kHasDport, record.orig.dport);
    case FilterField::kOrigIcmpType:
      return of_tuple(record.orig, TupleRecord::kHasIcmpType, record.orig.icmpType);
    case FilterField::kOrigIcmpCode:
      return of_tuple(record.orig, TupleRecord::kHasIcmpCode, record.orig.icmpCode);
    case FilterField::kOrigIcmpId:
      return of_tuple(record.orig, TupleRecord::kHasIcmpId, record.orig.icmpId);
    case FilterField::kOrigZone:
      return of_tuple(record.orig, TupleRecord::kHasZone, record.orig.zone);
    case FilterField::kReplySport:
      return of_port(record.reply, TupleRecord::kHasSport, record.reply.sport);
    case FilterField::kReplySrckey:
      return of_key(record.reply, TupleRecord::kHasSport, record.reply.sport);
    case FilterField::kReplyDport:
      return of_port(record.reply, TupleRecord::kHasDport, record.reply.dport);
    case FilterField::kReplyDstkey:
      return of_key(record.reply, TupleRecord::kHasDport, record.reply.dport);
    case FilterField::kReplyIcmpType:
      return of_tuple(record.reply, TupleRecord::kHasIcmpType, record.reply.icmpType);
    case FilterField::kReplyIcmpCode:
      return of_tuple(record.reply, TupleRecord::kHasIcmpCode, record.reply.icmpCode);
    case FilterField::kReplyIcmpId:
      return of_tuple(record.reply, TupleRecord::kHasIcmpId, record.reply.icmpId);
    case FilterField::kReplyZone:
      return of_tuple(record.reply, TupleRecord::kHasZone, record.reply.zone);
    case FilterField::kOrigPackets:
      return of_flow(record, FlowRecord::kHasOrigPackets, record.origPackets);
    case FilterField::kOrigBytes:
      return of_flow(record, FlowRecord::kHasOrigBytes, record.origBytes);
    case FilterField::kReplyPackets:
      return of_flow(record, FlowRecord::kHasReplyPackets, record.replyPackets);
    case FilterField::kReplyBytes:
      return of_flow(record, FlowRecord::kHasReplyBytes, record.replyBytes);
    case FilterField::kPackets:
      return sum(number_of(record, FilterField::kOrigPackets),
                 number_of(record, FilterField::kReplyPackets));
    case FilterField::kBytes:
      return sum(number_of(record, FilterField::kOrigBytes),
                 number_of(record, FilterField::kReplyBytes));
    default:
      return {};
  }
}

// --- matching ---

template <std::size_t kSize>
using Key = std::array<u32, kSize>;

// Whether `key` lies in one of the sorted, disjoint {from, to} ranges: the last that begins at or
// before it is the only one that can hold it.
template <std::size_t kSize>
bool in_ranges(Words ranges, const Key<kSize>& key) {
  const std::size_t item = 2 * kSize;
  std::size_t low = 0;
  std::size_t high = ranges.size() / item;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const u32* from = ranges.data() + middle * item;
    if (std::lexicographical_compare(key.begin(), key.end(), from, from + kSize)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == 0) return false;
  const u32* to = ranges.data() + (low - 1) * item + kSize;
  return !std::lexicographical_compare(to, to + kSize, key.begin(), key.end());
}

bool number_matches(const FlowRecord& record, u32 field, Words ranges) {
  const Value found = number_of(record, field);
  return found.present && in_ranges<1>(ranges, {static_cast<u32>(found.value)});
}

bool any_port_matches(const FlowRecord& record, Words ranges) {
  return number_matches(record, FilterField::kOrigSport, ranges) ||
         number_matches(record, FilterField::kOrigDport, ranges) ||
         number_matches(record, FilterField::kReplySport, ranges) ||
         number_matches(record, FilterField::kReplyDport, ranges);
}

bool wide_matches(const FlowRecord& record, Words body) {
  const Value found = number_of(record, body[0]);
  if (!found.present) return false;
  for (Words rest = body.subspan(1); !rest.empty(); rest = rest.subspan(kWideRange)) {
    const u64 from = rest[0] | static_cast<u64>(rest[1]) << 32;
    const u64 to = rest[2] | static_cast<u64>(rest[3]) << 32;
    if (found.value >= from && found.value <= to) return true;
  }
  return false;
}

template <std::size_t kSize>
bool address_in(const TupleRecord& tuple, const u8 (&address)[16], u32 flag, Words ranges) {
  if ((tuple.presence & flag) == 0) return false;
  Key<kSize> key;
  std::memcpy(key.data(), address, sizeof key);
  for (u32& word : key) word = be32toh(word);
  return in_ranges<kSize>(ranges, key);
}

template <std::size_t kSize>
bool address_matches(const FlowRecord& record, u8 family, Words body) {
  if (record.family != family) return false;
  const u32 places = body[0];
  const Words ranges = body.subspan(1);
  constexpr u32 kSrc = TupleRecord::kHasSrc;
  constexpr u32 kDst = TupleRecord::kHasDst;
  const TupleRecord& orig = record.orig;
  const TupleRecord& reply = record.reply;
  return ((places & FilterPlace::kOrigSrc) && address_in<kSize>(orig, orig.src, kSrc, ranges)) ||
         ((places & FilterPlace::kOrigDst) && address_in<kSize>(orig, orig.dst, kDst, ranges)) ||
         ((places & FilterPlace::kReplySrc) && address_in<kSize>(reply, reply.src, kSrc, ranges)) ||
         ((places & FilterPlace::kReplyDst) && address_in<kSize>(reply, reply.dst, kDst, ranges));
}

bool state_matches(const FlowRecord& record, Words states) {
  if ((record.presence & FlowRecord::kHasState) == 0) return false;
  const u32 state = static_cast<u32>(record.protoinfo) << 8 | record.state;
  return std::find(states.begin(), states.end(), state) != states.end();
}

// The words of labels that are not there are zero.
bool labels_match(Bytes labels, Words wanted) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    u32 word = 0;
    if ((i + 1) * sizeof word <= labels.size()) {
      std::memcpy(&word, labels.data() + i * sizeof word, sizeof word);
    }
    if ((word & wanted[i]) != wanted[i]) return false;
  }
  return true;
}

bool helper_matches(Bytes helper, Words body) {
  const std::size_t length = body[0];
  return helper.size() == length && std::memcmp(helper.data(), body.data() + 1, length) == 0;
}

struct Subject {
  const FlowRecord& record;
  const Tail& tail;
};

bool matches_node(Words words, const Subject& subject);

bool matches_all(Words nodes, const Subject& subject) {
  for (; !nodes.empty(); nodes = nodes.subspan(nodes[1])) {
    if (!matches_node(nodes.first(nodes[1]), subject)) return false;
  }
  return true;
}

bool matches_any(Words nodes, const Subject& subject) {
  for (; !nodes.empty(); nodes = nodes.subspan(nodes[1])) {
    if (matches_node(nodes.first(nodes[1]), subject)) return true;
  }
  return false;
}

bool mask_matches(const FlowRecord& record, Words body) {
  const Value found = number_of(record, body[0]);
  return found.present && (static_cast<u32>(found.value) & body[2]) == body[1];
}

bool tail_matches(const Subject& subject, u8 type, Words body, bool (*match)(Bytes, Words)) {
  Bytes entry;
  return subject.tail.find(subject.record, type, entry) && match(entry, body);
}

bool matches_node(Words words, const Subject& subject) {
  const Words body = words.subspan(kNodeHead);
  const FlowRecord& record = subject.record;
  switch (words[0]) {
    case FilterOp::kAll:
      return matches_all(body, subject);
    case FilterOp::kAny:
      return matches_any(body, subject);
    case FilterOp::kNot:
      return !matches_node(body, subject);
    case FilterOp::kNumber:
      if (body[0] == FilterField::kAnyPort) return any_port_matches(record, body.subspan(1));
      return number_matches(record, body[0], body.subspan(1));
    case FilterOp::kWide:
      return wide_matches(record, body);
    case FilterOp::kMask:
      return mask_matches(record, body);
    case FilterOp::kIpv4:
      return address_matches<1>(record, AF_INET, body);
    case FilterOp::kIpv6:
      return address_matches<4>(record, AF_INET6, body);
    case FilterOp::kState:
      return state_matches(record, body);
    case FilterOp::kLabels:
      return tail_matches(subject, TailType::kLabels, body, labels_match);
    case FilterOp::kHelper:
      return tail_matches(subject, TailType::kHelper, body, helper_matches);
    default:
      return false;
  }
}

}  // namespace

std::shared_ptr<const Filter> Filter::compile(Words program) {
  // Another thread may write to the caller's words (a SharedArrayBuffer): what is checked is our
  // copy.
  std::shared_ptr<const Filter> filter(new Filter(program));
  const Words own(filter->program_);
  const bool whole = own.size() >= kNodeHead && own[1] == own.size() && is_node(own, 0);
  return whole ? filter : nullptr;
}

bool Filter::matches(const FlowRecord& record, const Tail& tail) const {
  return matches_node(program_, {record, tail});
}

}  // namespace nfconntrack
