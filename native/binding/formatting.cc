#include "formatting.h"

#include <cmath>

#include "arguments.h"
#include "clock.h"
#include "format.h"
#include "format_time.h"
#include "result.h"

namespace nfconntrack::binding {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr double kUsPerMs = 1e3;
// Ms since the epoch whose ns a u64 holds.
constexpr double kMaxTime = 18'446'744'073'708;

// Bits of the argument `flags`.
constexpr u32 kExtended = 1U << 0;
constexpr u32 kId = 1U << 1;
constexpr u32 kTimestamp = 1U << 2;
constexpr u32 kKtimestamp = 1U << 3;

// To the next microsecond, which is what a number of ms holds.
u64 nanoseconds(double ms) {
  const double whole = std::floor(ms);
  return static_cast<u64>(whole) * u64{1'000'000} +
         static_cast<u64>(std::llround((ms - whole) * kUsPerMs)) * u64{1'000};
}

// What the arguments from `index` on say: style, flags, verb, now, labels, programs.
class Wanted {
 public:
  // False, with an exception pending, where one of them is wrong.
  [[nodiscard]] bool read(const Napi::CallbackInfo& info, std::size_t index) {
    const auto style = number_argument(info, index, 0, kFormatStyleCount - 1);
    if (!style) return false;
    style_ = static_cast<FormatStyle>(static_cast<int>(*style));
    const auto flags = number_argument(info, index + 1, 0, UINT8_MAX);
    if (!flags) return false;
    read_flags(static_cast<u32>(*flags));
    const auto verb = number_argument(info, index + 2, 0, UINT8_MAX);
    if (!verb) return false;
    options_.verb = static_cast<u8>(*verb);
    return read_now(info, index + 3) && read_labels(info, index + 4) &&
           read_programs(info, index + 5);
  }

  [[nodiscard]] FormatStyle style() const { return style_; }
  [[nodiscard]] const FormatOptions& options() const { return options_; }

 private:
  void read_flags(u32 flags) {
    options_.extended = (flags & kExtended) != 0;
    options_.id = (flags & kId) != 0;
    options_.timestamp = (flags & kTimestamp) != 0;
    options_.ktimestamp = (flags & kKtimestamp) != 0;
  }

  bool read_now(const Napi::CallbackInfo& info, std::size_t index) {
    if (info[index].IsUndefined()) {
      options_.now = now();
      return true;
    }
    const auto ms = number_argument(info, index, 0, kMaxTime);
    if (!ms) return false;
    options_.now = nanoseconds(*ms);
    return true;
  }

  bool read_labels(const Napi::CallbackInfo& info, std::size_t index) {
    if (info[index].IsUndefined()) return true;
    auto text = string_argument(info, index);
    if (!text) return false;
    labels_.emplace(std::move(*text));
    options_.labels = &*labels_;
    return true;
  }

  // [portid, name, portid, name, ...]
  bool read_programs(const Napi::CallbackInfo& info, std::size_t index) {
    if (!info[index].IsArray()) return true;
    const auto list = info[index].As<Napi::Array>();
    for (u32 at = 0; at + 1 < list.Length(); at += 2) {
      const Napi::Value portid = list[at];
      const Napi::Value name = list[at + 1];
      if (!portid.IsNumber() || !name.IsString()) continue;
      programs_.push_back(
          {portid.As<Napi::Number>().Uint32Value(), name.As<Napi::String>().Utf8Value()});
    }
    options_.programs = programs_;
    return true;
  }

  FormatStyle style_ = FormatStyle::kLine;
  FormatOptions options_;
  std::optional<LabelNames> labels_;
  std::vector<Program> programs_;
};

// A record with its tail behind it, in a string of their bytes.
template <typename Record>
bool read_record(const Napi::CallbackInfo& info, std::vector<char>& bytes, Record& record) {
  std::size_t size = 0;
  if (napi_get_value_string_latin1(info.Env(), info[0], nullptr, 0, &size) != napi_ok ||
      size < sizeof record) {
    Napi::TypeError::New(info.Env(), "argument 0 must be a record").ThrowAsJavaScriptException();
    return false;
  }
  bytes.resize(size + 1);
  napi_get_value_string_latin1(info.Env(), info[0], bytes.data(), bytes.size(), &size);
  std::memcpy(&record, bytes.data(), sizeof record);
  return true;
}

void set_time(FlowRecord& flow, u64 time) {
  flow.presence &= ~FlowRecord::kHasTimestampEvent;
  flow.time = time;
}

void set_time(ExpectationRecord& expectation, u64 time) { expectation.time = time; }

// The event's time in ms. Where the record says the same it says it exactly.
template <typename Record>
void adopt_time(Record& record, double ms) {
  if (static_cast<double>(time_of(record)) / kNsPerMs == ms) return;
  set_time(record, nanoseconds(ms));
}

// (record, kind, portid, time, style, flags, verb, now, labels, programs): string
template <typename Record>
Napi::Value format_one(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<char> bytes;
  RecordView<Record> item;
  if (!read_record(info, bytes, item.record)) return env.Undefined();
  const auto kind = number_argument(info, 1, 0, Kind::kExpectationDestroy);
  if (!kind) return env.Undefined();
  const auto portid = number_argument(info, 2, 0, UINT32_MAX);
  if (!portid) return env.Undefined();
  const auto time = number_argument(info, 3, 0, kMaxTime);
  if (!time) return env.Undefined();
  Wanted wanted;
  if (!wanted.read(info, 4)) return env.Undefined();
  item.record.kind = static_cast<u8>(*kind);
  item.record.portid = static_cast<u32>(*portid);
  adopt_time(item.record, *time);
  item.tail = Bytes(reinterpret_cast<const u8*>(bytes.data()), bytes.size() - 1)
                  .subspan(sizeof item.record);
  FormatBuffer out;
  format(out, wanted.style(), item, wanted.options());
  return Napi::String::New(env, out.data(), out.size());
}

// (batch, style, flags, verb, now, labels, programs): Uint8Array
template <typename Record>
Napi::Value format_all(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto bytes = any_bytes_argument(info, 0);
  if (!bytes) return env.Undefined();
  RecordBatchView<Record> batch;
  if (!batch.open(*bytes)) {
    Napi::TypeError::New(env, "argument 0 must be a batch").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Wanted wanted;
  if (!wanted.read(info, 1)) return env.Undefined();
  FormatBuffer out;
  format_batch(out, wanted.style(), batch, wanted.options());
  return to_js(env, Bytes(reinterpret_cast<const u8*>(out.data()), out.size()));
}

using Implementation = Napi::Value (*)(const Napi::CallbackInfo&);

template <Implementation implementation>
void add(Napi::Env env, Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<implementation>(env, name));
}

}  // namespace

void define_formatting(Napi::Env env, Napi::Object& exports) {
  add<format_one<FlowRecord>>(env, exports, "formatFlow");
  add<format_all<FlowRecord>>(env, exports, "formatFlows");
  add<format_one<ExpectationRecord>>(env, exports, "formatExpectation");
  add<format_all<ExpectationRecord>>(env, exports, "formatExpectations");
}

}  // namespace nfconntrack::binding
