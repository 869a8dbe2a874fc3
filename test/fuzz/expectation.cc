// An input is the payload of a message about an expectation.
#include "decoded.h"
#include "expectation_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nfconntrack::fuzz::check_decoder<nfconntrack::ExpectationRecord>({data, size},
                                                                   nfconntrack::decode_expectation);
  return 0;
}
