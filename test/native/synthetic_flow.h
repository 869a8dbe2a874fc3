// Flows that no packet made: numbered, distinct, and written through ctnetlink in large batches.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ctnetlink_socket.h"

namespace nfconntrack::testing {

// A range of flows. Flow `index` goes from source number `index` of the range, port
// 1024 + index % 60000, to 192.0.2.1 or fd00:ffff::1, port 80.
struct SyntheticFlows {
  int family;
  std::uint8_t protonum;  // TCP or UDP
  std::uint32_t timeout;
  std::uint32_t status;
  std::optional<std::uint16_t> zone;
  std::optional<std::uint32_t> mark;
  // The sources: 10.0.0.0/8 and fd00::, or 198.18.0.0/15 and fd01:: for the flows of a churn.
  bool churning = false;
};

// Requests in one send. If all of them fail, their errors still fit the default receive buffer.
inline constexpr std::uint32_t kMostBatch = 128;

// Writes ranges of flows. The kernel takes the messages of one send one by one and answers those
// that fail, so one failure spoils no other request.
class FlowWriter {
 public:
  explicit FlowWriter(std::uint32_t batch) : batch_(batch) {}

  // The number of flows made; one that exists already does not count. Throws on any other error.
  std::uint32_t create(const SyntheticFlows& flows, std::uint32_t first, std::uint32_t count);
  // The number of flows deleted; one that is missing does not count. Throws on any other error.
  std::uint32_t remove(const SyntheticFlows& flows, std::uint32_t first, std::uint32_t count);
  // Deletes every flow of the namespace.
  void flush();

 private:
  using Append = void (*)(std::vector<std::uint8_t>& octets, const SyntheticFlows& flows,
                          std::uint32_t index, std::uint32_t sequence, bool acknowledge);

  std::uint32_t write(Append append, int tolerated, const SyntheticFlows& flows,
                      std::uint32_t first, std::uint32_t count);
  std::uint32_t await_acknowledgement(std::uint32_t sequence, int tolerated);

  CtnetlinkSocket socket_;
  std::vector<std::uint8_t> octets_;
  std::uint32_t batch_;
};

}  // namespace nfconntrack::testing
