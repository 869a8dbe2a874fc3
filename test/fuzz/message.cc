// An input is a datagram: messages, acknowledgements and errors, read as an answer is.
#include "message.h"

#include "ctnetlink.h"
#include "decoded.h"
#include "expectation_decoder.h"
#include "flow_decoder.h"
#include "statistic.h"

namespace {

using namespace nfconntrack;

constexpr int kMaxErrno = 4095;

void check_report(const Message& message) {
  const Failure failure = reported_by(message, "netlink");
  fuzz::require(failure.code >= 0 && failure.code <= kMaxErrno);
  fuzz::require(failure.detail.size() <= message.payload.size());
  fuzz::require(failure.detail.find('\0') == std::string::npos);
}

void check_message(const Message& message) {
  fuzz::require(message.payload.size() + sizeof(nlmsghdr) == message.header.nlmsg_len);
  switch (message.header.nlmsg_type) {
    case NLMSG_ERROR:
    case NLMSG_DONE:
      return check_report(message);
    case ctnetlink::message_type(ctnetlink::kSubsystemExpectation, ctnetlink::kExpNew):
      return fuzz::check_decoder<ExpectationRecord>(message.payload, decode_expectation);
    default:
      return fuzz::check_decoder<FlowRecord>(message.payload, decode_flow);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  MessageReader reader{Bytes(data, size)};
  std::size_t read = 0;
  while (reader.next()) {
    check_message(reader.message());
    read += reader.message().header.nlmsg_len;
    fuzz::require(read <= size);
  }
  return 0;
}
