#include "statistic.h"

#include "ctnetlink.h"

namespace nfconntrack {

using ctnetlink::Header;

u32 cpu_of(const Message& message) {
  Header header{};
  if (message.payload.size() < sizeof header) return 0;
  std::memcpy(&header, message.payload.data(), sizeof header);
  return be16toh(header.res_id);
}

void take_statistics(const Message& message, u32 cpu, std::vector<Statistic>& statistics) {
  if (message.payload.size() < sizeof(Header)) return;
  AttributeReader reader(message.payload.subspan(sizeof(Header)));
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    if (attribute.has(4)) statistics.push_back({cpu, attribute.type, attribute.be32()});
  }
}

}  // namespace nfconntrack
