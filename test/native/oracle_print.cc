#include "oracle_print.h"

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include <cerrno>
#include <memory>
#include <string>

#include "oracle_guard.h"
#include "oracle_message.h"
#include "system_error.h"

namespace nfconntrack::testing {
namespace {

using ExpectationPointer = std::unique_ptr<nf_expect, decltype(&nfexp_destroy)>;
using LabelMapPointer = std::unique_ptr<nfct_labelmap, decltype(&nfct_labelmap_destroy)>;

// Longer than whatever a message of 64 KiB says.
constexpr unsigned kMaxText = 256 * 1024;

struct PrintOptions {
  unsigned message_type;
  unsigned output_type;
  unsigned flags;
};

PrintOptions options_of(const Napi::CallbackInfo& info) {
  return {info[1].As<Napi::Number>().Uint32Value(), info[2].As<Napi::Number>().Uint32Value(),
          info[3].As<Napi::Number>().Uint32Value()};
}

Napi::Value text_of(Napi::Env env, const std::string& text, int size) {
  if (size < 0) throw SystemError(errno, "snprintf");
  return Napi::Buffer<char>::Copy(env, text.data(), static_cast<std::size_t>(size));
}

}  // namespace

// oraclePrint(message, messageType, outputType, flags, labelMap?): Buffer
Napi::Value oracle_print(const Napi::CallbackInfo& info) {
  const FlowPointer flow(nfct_new(), nfct_destroy);
  if (guarded_parse(message_at(info[0]), flow.get()) != Parsed::kComplete) {
    throw SystemError(EBADMSG, "nfct_nlmsg_parse");
  }
  LabelMapPointer labels(nullptr, nfct_labelmap_destroy);
  if (info[4].IsString()) {
    labels.reset(nfct_labelmap_new(info[4].As<Napi::String>().Utf8Value().c_str()));
    if (labels == nullptr) throw SystemError(errno, "nfct_labelmap_new");
  }
  const PrintOptions options = options_of(info);
  std::string text(kMaxText, '\0');
  const int size = nfct_snprintf_labels(text.data(), kMaxText, flow.get(), options.message_type,
                                        options.output_type, options.flags, labels.get());
  return text_of(info.Env(), text, size);
}

// oraclePrintExpectation(message, messageType, outputType, flags): Buffer
Napi::Value oracle_print_expectation(const Napi::CallbackInfo& info) {
  const ExpectationPointer expectation(nfexp_new(), nfexp_destroy);
  if (nfexp_nlmsg_parse(message_at(info[0]), expectation.get()) < 0) {
    throw SystemError(EBADMSG, "nfexp_nlmsg_parse");
  }
  const PrintOptions options = options_of(info);
  std::string text(kMaxText, '\0');
  const int size = nfexp_snprintf(text.data(), kMaxText, expectation.get(), options.message_type,
                                  options.output_type, options.flags);
  return text_of(info.Env(), text, size);
}

}  // namespace nfconntrack::testing
