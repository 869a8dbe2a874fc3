#include "format_time.h"

#include <ctime>

namespace nfconntrack {
namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int kFirstYear = 1900;

tm local_time(u64 ns) {
  const auto seconds = static_cast<time_t>(ns / kNsPerSecond);
  tm time{};
  localtime_r(&seconds, &time);
  return time;
}

void format_clock(FormatBuffer& out, const tm& time) {
  out.padded(static_cast<u32>(time.tm_hour), 2);
  out.character(':');
  out.padded(static_cast<u32>(time.tm_min), 2);
  out.character(':');
  out.padded(static_cast<u32>(time.tm_sec), 2);
}

}  // namespace

bool is_event(const FlowRecord& flow) { return flow.kind != Kind::kFlow; }

bool is_event(const ExpectationRecord& expectation) {
  return expectation.kind == Kind::kExpectationNew || expectation.kind == Kind::kExpectationDestroy;
}

u64 time_of(const FlowRecord& flow) {
  const bool timed = (flow.presence & FlowRecord::kHasTimestampEvent) != 0;
  return timed ? flow.timestampEvent : flow.time;
}

u64 time_of(const ExpectationRecord& expectation) { return expectation.time; }

u64 duration_of(const FlowView& flow, u64 now) {
  const u64 stop = flow.record.timestampStop;
  return (stop != 0 ? stop : now) / kNsPerSecond - flow.record.timestampStart / kNsPerSecond;
}

u64 exact_duration_of(const FlowView& flow, u64 now) {
  if (!flow.has(FlowRecord::kHasTimestampStop)) return duration_of(flow, now);
  return (flow.record.timestampStop - flow.record.timestampStart) / kNsPerSecond;
}

void format_date(FormatBuffer& out, u64 ns) {
  const tm time = local_time(ns);
  out.text(kDays[time.tm_wday]);
  out.character(' ');
  out.text(kMonths[time.tm_mon]);
  out.text(time.tm_mday < 10 ? "  " : " ");
  out.number(time.tm_mday);
  out.character(' ');
  format_clock(out, time);
  out.character(' ');
  out.number(time.tm_year + kFirstYear);
}

void format_when(FormatBuffer& out, u64 ns) {
  const tm time = local_time(ns);
  out.text("<when><hour>");
  out.number(time.tm_hour);
  out.text("</hour><min>");
  out.padded(static_cast<u32>(time.tm_min), 2);
  out.text("</min><sec>");
  out.padded(static_cast<u32>(time.tm_sec), 2);
  out.text("</sec><wday>");
  out.number(time.tm_wday + 1);
  out.text("</wday><day>");
  out.number(time.tm_mday);
  out.text("</day><month>");
  out.number(time.tm_mon + 1);
  out.text("</month><year>");
  out.number(time.tm_year + kFirstYear);
  out.text("</year></when>");
}

}  // namespace nfconntrack
