// Taking an attribute into a field and noting that it is there. An attribute that is too short for
// its field is left out, as if it had not come.
#pragma once

#include "attribute.h"

namespace nfconntrack {

template <typename Record>
void take_u8(const Attribute& attribute, u8& field, u32 flag, Record& record) {
  if (!attribute.has(sizeof field)) return;
  field = attribute.byte();
  record.presence |= flag;
}

template <typename Record>
void take_be16(const Attribute& attribute, u16& field, u32 flag, Record& record) {
  if (!attribute.has(sizeof field)) return;
  field = attribute.be16();
  record.presence |= flag;
}

template <typename Record>
void take_be32(const Attribute& attribute, u32& field, u32 flag, Record& record) {
  if (!attribute.has(sizeof field)) return;
  field = attribute.be32();
  record.presence |= flag;
}

template <typename Record>
void take_be64(const Attribute& attribute, u64& field, u32 flag, Record& record) {
  if (!attribute.has(sizeof field)) return;
  field = attribute.be64();
  record.presence |= flag;
}

}  // namespace nfconntrack
