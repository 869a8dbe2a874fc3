#include "socket_address.h"

#include <arpa/inet.h>

#include <cerrno>

#include "system_error.h"

namespace nfconntrack::testing {

SocketAddress::SocketAddress(const std::string& text, std::uint16_t port) {
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage_);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage_);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return;
  }
  if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return;
  }
  throw SystemError(EINVAL, "not an address literal: '" + text + "'");
}

std::uint16_t local_port(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  checked(::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size), "getsockname");
  // sin_port and sin6_port lie at the same place.
  return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

}  // namespace nfconntrack::testing
