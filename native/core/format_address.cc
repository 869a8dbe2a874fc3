#include "format_address.h"

#include <sys/socket.h>

#include <array>

namespace nfconntrack {
namespace {

constexpr int kGroups = 8;

// The digits of an octet and a dot, copied whole: the next octet overwrites what is too much.
struct Octet {
  char text[4];
  u8 length;  // with the dot
};

constexpr std::array<Octet, 256> make_octets() {
  std::array<Octet, 256> octets{};
  for (unsigned value = 0; value < octets.size(); ++value) {
    Octet& octet = octets[value];
    if (value >= 100) octet.text[octet.length++] = static_cast<char>('0' + value / 100);
    if (value >= 10) octet.text[octet.length++] = static_cast<char>('0' + value / 10 % 10);
    octet.text[octet.length++] = static_cast<char>('0' + value % 10);
    octet.text[octet.length++] = '.';
  }
  return octets;
}

constexpr std::array<Octet, 256> kOctets = make_octets();

void format_ipv4(FormatBuffer& out, const u8* address) {
  char* const start = out.room(4 * sizeof Octet::text);
  char* at = start;
  for (int index = 0; index < 4; ++index) {
    const Octet& octet = kOctets[address[index]];
    std::memcpy(at, octet.text, sizeof octet.text);
    at += octet.length;
  }
  out.grow(static_cast<std::size_t>(at - start) - 1);
}

struct Run {
  int start = 0;
  int length = 0;
};

// The leftmost longest run of at least two groups that are zero.
Run longest_zero_run(const u16 (&groups)[kGroups]) {
  Run best;
  Run run;
  for (int index = 0; index < kGroups; ++index) {
    if (groups[index] != 0) {
      run = {index + 1, 0};
      continue;
    }
    ++run.length;
    if (run.length > best.length) best = run;
  }
  return best.length >= 2 ? best : Run{};
}

void format_groups(FormatBuffer& out, const u16 (&groups)[kGroups], int from, int to) {
  for (int index = from; index < to; ++index) {
    if (index > from) out.character(':');
    out.hex(groups[index]);
  }
}

void format_ipv6(FormatBuffer& out, const u8 (&address)[16]) {
  u16 groups[kGroups];
  for (std::size_t index = 0; index < kGroups; ++index) {
    groups[index] = static_cast<u16>(address[2 * index] << 8 | address[2 * index + 1]);
  }
  const Run zeros = longest_zero_run(groups);
  if (zeros.start == 0 && (zeros.length == 6 || (zeros.length == 5 && groups[5] == 0xffff))) {
    out.text(zeros.length == 6 ? "::" : "::ffff:");
    format_ipv4(out, address + 12);
    return;
  }
  format_groups(out, groups, 0, zeros.length == 0 ? kGroups : zeros.start);
  if (zeros.length == 0) return;
  out.text("::");
  format_groups(out, groups, zeros.start + zeros.length, kGroups);
}

}  // namespace

void format_address(FormatBuffer& out, const u8 (&address)[16], u8 family) {
  if (family == AF_INET6) {
    format_ipv6(out, address);
  } else {
    format_ipv4(out, address);
  }
}

}  // namespace nfconntrack
