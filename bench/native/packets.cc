#include "packets.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "clock.h"
#include "netlink.h"

namespace bench {
namespace {

constexpr std::uint32_t kBatch = 64;
constexpr std::uint16_t kPort = 9;

struct Batch {
  sockaddr_in addresses[kBatch] = {};
  iovec data[kBatch] = {};
  mmsghdr messages[kBatch] = {};
};

int open_socket() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  return fd;
}

void fill(Batch& batch, std::uint32_t first) {
  static char payload = 'x';
  for (std::uint32_t i = 0; i < kBatch; ++i) {
    sockaddr_in& address = batch.addresses[i];
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    address.sin_addr.s_addr = htonl(0x0a000000U | ((first + i) & 0xffffffU));
    batch.data[i] = {&payload, 1};
    batch.messages[i].msg_hdr.msg_name = &address;
    batch.messages[i].msg_hdr.msg_namelen = sizeof address;
    batch.messages[i].msg_hdr.msg_iov = &batch.data[i];
    batch.messages[i].msg_hdr.msg_iovlen = 1;
  }
}

}  // namespace

std::uint32_t send_packets(std::uint32_t first, std::uint32_t count, double rate) {
  const int fd = open_socket();
  Batch batch;
  std::uint32_t sent = 0;
  const double began = wall_us();
  while (sent < count) {
    if (rate > 0) {
      const double due = began + 1e6 * sent / rate;
      while (wall_us() < due) std::this_thread::yield();
    }
    const std::uint32_t size = std::min(kBatch, count - sent);
    fill(batch, first + sent);
    const int done = sendmmsg(fd, batch.messages, size, 0);
    if (done < 0) die("sendmmsg");
    sent += static_cast<std::uint32_t>(done);
  }
  ::close(fd);
  return sent;
}

}  // namespace bench
