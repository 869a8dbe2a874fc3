// The floor and the generator: a program that asks the kernel for the same things as the library
// does and throws the answers away, and one that makes and removes flows. Reads commands from
// stdin, a line each, and answers each with a line of JSON.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "clock.h"
#include "flows.h"
#include "packets.h"

namespace bench {
namespace {

constexpr std::size_t kDatagram = 65536;
constexpr std::uint32_t kAllGroups = 7;  // new, update, destroy

struct Measure {
  double wall = wall_us();
  double cpu = cpu_us();
};

void answer(const Measure& began, std::uint64_t count) {
  std::printf("{\"ms\":%.3f,\"cpuMs\":%.3f,\"count\":%llu}\n", (wall_us() - began.wall) / 1e3,
              (cpu_us() - began.cpu) / 1e3, static_cast<unsigned long long>(count));
  std::fflush(stdout);
}

// The original tuple's protocol and destination port, for the kernel to compare.
void put_filter(Requests& requests, std::uint8_t protonum, std::uint16_t dport) {
  const std::size_t tuple = requests.open(CTA_TUPLE_ORIG);
  const std::size_t proto = requests.open(CTA_TUPLE_PROTO);
  requests.put8(CTA_PROTO_NUM, protonum);
  requests.put16(CTA_PROTO_DST_PORT, dport);
  requests.close(proto);
  requests.close(tuple);
  constexpr std::uint16_t kFilter = 25;    // CTA_FILTER
  constexpr std::uint16_t kOrigFlags = 1;  // CTA_FILTER_ORIG_FLAGS
  constexpr std::uint32_t kProtoAndDport = (1U << 3) | (1U << 5);
  const std::size_t filter = requests.open(kFilter);
  const std::uint32_t flags = kProtoAndDport;  // in host order
  requests.put(kOrigFlags, &flags, sizeof flags);
  requests.close(filter);
}

std::uint64_t dump(Socket& socket, bool filtered) {
  static std::vector<std::uint8_t> buffer(kDatagram);
  Requests requests;
  requests.begin(IPCTNL_MSG_CT_GET, NLM_F_DUMP, 1, AF_INET);
  if (filtered) put_filter(requests, 6, kRarePort);
  requests.end();
  socket.send(requests);
  std::uint64_t count = 0;
  for (bool done = false; !done;) {
    const ssize_t size = socket.receive(buffer);
    if (size < 0) die("recv");
    each_message(buffer.data(), static_cast<std::size_t>(size), [&](const nlmsghdr* message) {
      if (message->nlmsg_type == NLMSG_DONE)
        done = true;
      else if (message->nlmsg_type == NLMSG_ERROR)
        die("dump");
      else
        ++count;
    });
  }
  return count;
}

// Receives events until "stop" comes on stdin.
void listen(int receive_buffer) {
  Socket socket(kAllGroups);
  socket.enlarge(receive_buffer);
  std::puts("{\"ready\":true}");
  std::fflush(stdout);
  constexpr unsigned kMessages = 64;
  constexpr std::size_t kSize = 8192;
  std::vector<std::uint8_t> memory(kMessages * kSize);
  std::vector<iovec> data(kMessages);
  std::vector<mmsghdr> messages(kMessages);
  for (unsigned i = 0; i < kMessages; ++i) {
    data[i] = {memory.data() + i * kSize, kSize};
    messages[i].msg_hdr.msg_iov = &data[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const Measure began;
  std::uint64_t count = 0;
  pollfd fds[] = {{socket.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    if (poll(fds, 2, -1) < 0) die("poll");
    if (fds[0].revents != 0) {
      const int got = recvmmsg(socket.fd(), messages.data(), kMessages, MSG_DONTWAIT, nullptr);
      if (got < 0 && errno != ENOBUFS && errno != EAGAIN) die("recvmmsg");
      for (int i = 0; i < got; ++i) {
        const auto index = static_cast<unsigned>(i);
        each_message(memory.data() + index * kSize, messages[index].msg_len,
                     [&](const nlmsghdr*) { ++count; });
      }
      if (got > 0) continue;
    }
    if (fds[1].revents != 0) break;
  }
  std::string line;
  std::getline(std::cin, line);
  std::printf("{\"ms\":%.3f,\"cpuMs\":%.3f,\"count\":%llu,\"drops\":%u}\n",
              (wall_us() - began.wall) / 1e3, (cpu_us() - began.cpu) / 1e3,
              static_cast<unsigned long long>(count), socket.drops());
  std::fflush(stdout);
}

// Makes and removes flows at `rate` events a second (0: as fast as it goes) for `seconds`; the
// events are numbered by what the kernel was asked, every request of which it must have carried
// out.
void churn(double rate, double seconds) {
  constexpr std::uint32_t kStep = 64;
  constexpr std::uint32_t kLive = 4096;
  Socket socket;
  const Measure began;
  std::uint32_t position = 0;
  std::uint64_t events = 0;
  while (wall_us() - began.wall < seconds * 1e6) {
    if (rate > 0) {
      const double due = began.wall + 1e6 * static_cast<double>(events) / rate;
      while (wall_us() < due) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    create_flows(socket, position, kStep);
    events += kStep;
    if (position >= kLive) {
      delete_flows(socket, position - kLive, kStep);
      events += kStep;
    }
    position += kStep;
  }
  const std::uint32_t left = std::min(position, kLive);
  delete_flows(socket, position - left, left);
  answer(began, events + left);
}

void obey(const std::string& line) {
  std::istringstream words(line);
  std::string command;
  words >> command;
  const auto number = [&] {
    double value = 0;
    words >> value;
    return value;
  };
  const auto whole = [&] { return static_cast<std::uint32_t>(number()); };
  if (command == "listen") {
    listen(static_cast<int>(number()));
    return;
  }
  if (command == "churn") {
    const double rate = number();
    churn(rate, number());
    return;
  }
  Socket socket;
  const Measure began;
  if (command == "list") {
    answer(began, dump(socket, false));
  } else if (command == "filtered") {
    answer(began, dump(socket, true));
  } else if (command == "fill") {
    const std::uint32_t first = whole();
    const std::uint32_t count = whole();
    create_flows(socket, first, count);
    answer(began, count);
  } else if (command == "packets") {
    const std::uint32_t first = whole();
    const std::uint32_t count = whole();
    answer(began, send_packets(first, count, number()));
  } else if (command == "flush") {
    flush_flows(socket);
    answer(began, 0);
  } else {
    std::fprintf(stderr, "unknown command: %s\n", line.c_str());
    std::exit(2);
  }
}

}  // namespace
}  // namespace bench

int main() {
  for (std::string line; std::getline(std::cin, line);) bench::obey(line);
  return 0;
}
