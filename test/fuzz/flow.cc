// An input is the payload of a message about a flow.
#include "decoded.h"
#include "flow_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nfconntrack::fuzz::check_decoder<nfconntrack::FlowRecord>({data, size}, nfconntrack::decode_flow);
  return 0;
}
