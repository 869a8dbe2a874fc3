#include "decode.h"

#include <linux/netlink.h>

#include <cerrno>
#include <cstring>

#include "expectation_decoder.h"
#include "flow_decoder.h"
#include "system_error.h"

namespace nfconntrack::testing {
namespace {

template <typename Record>
using Decoder = bool (*)(Bytes payload, Record& record, Tail& tail);

// What follows the header, as far as nlmsg_len goes. Nothing in it is looked at.
Bytes payload_of(Bytes message, const nlmsghdr& header) {
  if (header.nlmsg_len < sizeof header || header.nlmsg_len > message.size()) {
    throw SystemError(EINVAL, "not a whole message");
  }
  return message.subspan(sizeof header, header.nlmsg_len - sizeof header);
}

template <typename Record>
Napi::Value decode_message(const Napi::CallbackInfo& info, Decoder<Record> decode) {
  const auto octets = info[0].As<Napi::Uint8Array>();
  const Bytes message(octets.Data(), octets.ByteLength());
  nlmsghdr header{};
  if (message.size() < sizeof header) throw SystemError(EINVAL, "not a whole message");
  std::memcpy(&header, message.data(), sizeof header);

  RecordBatch<Record> batch(1);
  Record& record = batch.append();
  const bool complete = decode(payload_of(message, header), record, batch.tail());
  record.portid = header.nlmsg_pid;

  auto written = Napi::Uint8Array::New(info.Env(), batch.byte_size());
  batch.write(written.Data());
  Napi::Object decoded = Napi::Object::New(info.Env());
  decoded.Set("complete", Napi::Boolean::New(info.Env(), complete));
  decoded.Set("batch", written);
  return decoded;
}

}  // namespace

Napi::Value decode_flow_message(const Napi::CallbackInfo& info) {
  return decode_message<FlowRecord>(info, decode_flow);
}

Napi::Value decode_expectation_message(const Napi::CallbackInfo& info) {
  return decode_message<ExpectationRecord>(info, decode_expectation);
}

}  // namespace nfconntrack::testing
