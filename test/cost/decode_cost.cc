// Decodes the messages of a file so many times, for valgrind to count what it takes:
//   decode_cost FILE TIMES
#include <linux/netlink.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "flow_decoder.h"
#include "message.h"

namespace {

using namespace nfconntrack;

std::vector<u8> read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::vector<u8> bytes = read_file(argv[1]);
  const long times = std::strtol(argv[2], nullptr, 10);
  unsigned long decoded = 0;
  FlowBatch batch(4096);
  for (long time = 0; time < times; ++time) {
    batch.clear();
    MessageReader reader{Bytes(bytes)};
    while (reader.next()) {
      decoded += decode_flow(reader.message().payload, batch.append(), batch.tail()) ? 1 : 0;
    }
  }
  std::printf("%lu\n", decoded);
  return 0;
}
