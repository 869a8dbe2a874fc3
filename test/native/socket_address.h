// An IPv4 or IPv6 address literal with a port, as the socket calls want it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace nfconntrack::testing {

class SocketAddress {
 public:
  // Throws EINVAL for anything that is not an address literal.
  SocketAddress(const std::string& text, std::uint16_t port);

  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] const sockaddr* data() const {
    return reinterpret_cast<const sockaddr*>(&storage_);
  }
  [[nodiscard]] socklen_t size() const {
    return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  }
  // Only for the family in question.
  [[nodiscard]] in_addr v4() const {
    return reinterpret_cast<const sockaddr_in&>(storage_).sin_addr;
  }
  [[nodiscard]] in6_addr v6() const {
    return reinterpret_cast<const sockaddr_in6&>(storage_).sin6_addr;
  }

 private:
  sockaddr_storage storage_{};
};

// The port that a bound socket has.
[[nodiscard]] std::uint16_t local_port(int socket);

}  // namespace nfconntrack::testing
