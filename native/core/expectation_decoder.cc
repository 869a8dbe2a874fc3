#include "expectation_decoder.h"

#include "ctnetlink.h"
#include "presence.h"
#include "tuple_decoder.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

void take_tuple(const Attribute& attribute, TupleRecord& tuple, u32 flag,
                ExpectationRecord& record) {
  decode_tuple(attribute.payload, record.family, tuple);
  record.presence |= flag;
}

void decode_nat(Bytes nest, ExpectationRecord& record) {
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kExpectNatDir:
        take_be32(attribute, record.natDir, ExpectationRecord::kHasNatDir, record);
        break;
      case kExpectNatTuple:
        take_tuple(attribute, record.nat, ExpectationRecord::kHasNat, record);
        break;
      default:
        break;
    }
  }
}

void decode_attribute(const Attribute& attribute, ExpectationRecord& record, Tail& tail) {
  switch (attribute.type) {
    case kExpectMaster:
      take_tuple(attribute, record.master, ExpectationRecord::kHasMaster, record);
      break;
    case kExpectTuple:
      take_tuple(attribute, record.tuple, ExpectationRecord::kHasTuple, record);
      break;
    case kExpectMask:
      take_tuple(attribute, record.mask, ExpectationRecord::kHasMask, record);
      break;
    case kExpectTimeout:
      take_be32(attribute, record.timeout, ExpectationRecord::kHasTimeout, record);
      break;
    case kExpectId:
      take_be32(attribute, record.id, ExpectationRecord::kHasId, record);
      break;
    case kExpectHelpName:
      tail.add(TailType::kHelper, attribute.text());
      break;
    case kExpectZone:
      take_be16(attribute, record.zone, ExpectationRecord::kHasZone, record);
      break;
    case kExpectFlags:
      take_be32(attribute, record.flags, ExpectationRecord::kHasFlags, record);
      break;
    case kExpectClass:
      take_be32(attribute, record.class_, ExpectationRecord::kHasClass, record);
      break;
    case kExpectNat:
      decode_nat(attribute.payload, record);
      break;
    case kExpectFn:
      tail.add(TailType::kExpectFn, attribute.text());
      break;
    default:
      break;
  }
}

}  // namespace

bool decode_expectation(Bytes payload, ExpectationRecord& record, Tail& tail) {
  if (payload.size() < sizeof(Header)) return false;
  record.family = payload[0];
  record.tailOffset = tail.size();
  AttributeReader reader(payload.subspan(sizeof(Header)));
  while (reader.next()) decode_attribute(reader.attribute(), record, tail);
  record.tailLength = tail.size() - record.tailOffset;
  return reader.complete();
}

}  // namespace nfconntrack
