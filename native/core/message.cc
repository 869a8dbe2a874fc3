#include "message.h"

#include <algorithm>

namespace nfconntrack {
namespace {

constexpr u16 kFlagCapped = 0x100;   // NLM_F_CAPPED: the request is not repeated
constexpr u16 kFlagAckTlvs = 0x200;  // NLM_F_ACK_TLVS
constexpr u16 kErrorMessage = 1;     // NLMSGERR_ATTR_MSG
constexpr int kMaxErrno = 4095;
constexpr std::size_t kHeaderSize = sizeof(nlmsghdr);

std::size_t align(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

std::string text_in(Bytes attributes) {
  AttributeReader reader(attributes);
  while (reader.next()) {
    if (reader.attribute().type != kErrorMessage) continue;
    const Bytes text = reader.attribute().text();
    return {text.begin(), text.end()};
  }
  return {};
}

// Where the attributes of an acknowledgement start: behind the errno and the request, of which a
// capped acknowledgement repeats the header alone.
std::size_t attributes_offset(const Message& message) {
  std::size_t offset = sizeof(int);
  if (message.header.nlmsg_type == NLMSG_DONE) return offset;
  if (message.payload.size() < offset + kHeaderSize) return message.payload.size();
  if ((message.header.nlmsg_flags & kFlagCapped) != 0) return offset + kHeaderSize;
  nlmsghdr request;
  std::memcpy(&request, message.payload.data() + offset, sizeof request);
  return offset + align(request.nlmsg_len);
}

}  // namespace

bool MessageReader::next() {
  if (rest_.size() < kHeaderSize) return false;
  std::memcpy(&message_.header, rest_.data(), kHeaderSize);
  const std::size_t length = message_.header.nlmsg_len;
  if (length < kHeaderSize || length > rest_.size()) return false;
  message_.payload = rest_.subspan(kHeaderSize, length - kHeaderSize);
  rest_ = rest_.subspan(std::min(align(length), rest_.size()));
  return true;
}

Failure reported_by(const Message& message, const char* syscall) {
  int code = 0;
  if (message.payload.size() < sizeof code) return Failure::of(EBADMSG, syscall);
  std::memcpy(&code, message.payload.data(), sizeof code);
  if (code == 0) return {};
  if (code > 0 || code < -kMaxErrno) return Failure::of(EBADMSG, syscall);
  Failure failure = Failure::of(-code, syscall);
  const std::size_t offset = attributes_offset(message);
  if ((message.header.nlmsg_flags & kFlagAckTlvs) != 0 && offset < message.payload.size()) {
    failure.detail = text_in(message.payload.subspan(offset));
  }
  return failure;
}

}  // namespace nfconntrack
