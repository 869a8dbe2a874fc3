// An input is {u16 words of the program, the program, the payload of a message about a flow}.
#include "filter.h"

#include "flow_decoder.h"
#include "fuzz_input.h"

namespace {

using namespace nfconntrack;

std::vector<u32> take_program(Bytes& input) {
  u16 count = 0;
  const Bytes head = fuzz::take(input, sizeof count);
  if (head.size() < sizeof count) return {};
  std::memcpy(&count, head.data(), sizeof count);
  const Bytes bytes = fuzz::take(input, count * sizeof(u32));
  std::vector<u32> words(bytes.size() / sizeof(u32));
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * sizeof(u32));
  return words;
}

// The program as the only child of another node.
std::vector<u32> under(u32 operation, const std::vector<u32>& program) {
  std::vector<u32> outer = {operation, static_cast<u32>(program.size() + 2)};
  outer.insert(outer.end(), program.begin(), program.end());
  return outer;
}

// What logic says of a tree that was taken; one more level may be one too many.
void check_under(u32 operation, const std::vector<u32>& program, const FlowRecord& record,
                 const Tail& tail, bool expected) {
  const auto filter = Filter::compile(under(operation, program));
  if (filter != nullptr) fuzz::require(filter->matches(record, tail) == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes input(data, size);
  const std::vector<u32> program = take_program(input);
  const auto filter = Filter::compile(program);
  if (filter == nullptr) return 0;
  FlowBatch batch(1);
  FlowRecord& record = batch.append();
  // What a cut message has left is matched too: nothing may depend on its being whole.
  (void)decode_flow(input, record, batch.tail());
  const bool matched = filter->matches(record, batch.tail());
  check_under(FilterOp::kNot, program, record, batch.tail(), !matched);
  check_under(FilterOp::kAll, program, record, batch.tail(), matched);
  check_under(FilterOp::kAny, program, record, batch.tail(), matched);
  return 0;
}
