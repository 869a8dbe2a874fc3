#include "json_writer.h"

#include <array>

namespace nfconntrack {
namespace {

constexpr u64 kMaxSafeInteger = (u64{1} << 53) - 1;
constexpr double kNsPerMs = 1e6;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// What may follow the first byte of a character (table 3-7 of the Unicode standard).
struct Lead {
  int continuations;  // 0: no byte that begins one
  u8 low = 0x80;      // of the first of them
  u8 high = 0xbf;
};

Lead lead_of(u8 byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return {1};
  if (byte == 0xe0) return {2, 0xa0};
  if (byte == 0xed) return {2, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return {2};
  if (byte == 0xf0) return {3, 0x90};
  if (byte >= 0xf1 && byte <= 0xf3) return {3};
  if (byte == 0xf4) return {3, 0x80, 0x8f};
  return {0};
}

struct Character {
  std::size_t size;
  bool valid;
};

// The character that begins with a byte above 0x7f, or as much as could have become one.
Character next_character(Bytes rest) {
  Lead lead = lead_of(rest[0]);
  if (lead.continuations == 0) return {1, false};
  std::size_t size = 1;
  for (; lead.continuations > 0; --lead.continuations, ++size) {
    if (size >= rest.size() || rest[size] < lead.low || rest[size] > lead.high)
      return {size, false};
    lead.low = 0x80;
    lead.high = 0xbf;
  }
  return {size, true};
}

bool is_plain(u8 byte) { return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\'; }

// The letter behind the backslash; 0: there is none, and \u00XX is written.
char short_escape(u8 byte) {
  switch (byte) {
    case '"':
    case '\\':
      return static_cast<char>(byte);
    case '\b':
      return 'b';
    case '\t':
      return 't';
    case '\n':
      return 'n';
    case '\f':
      return 'f';
    case '\r':
      return 'r';
    default:
      return 0;
  }
}

void format_escape(FormatBuffer& out, u8 byte) {
  const char letter = short_escape(byte);
  if (letter != 0) {
    out.character('\\');
    out.character(letter);
    return;
  }
  out.text("\\u00");
  out.hex_bytes({&byte, 1});
}

// Gives how many bytes were written.
std::size_t format_character(FormatBuffer& out, Bytes rest) {
  if (rest[0] < 0x80) {
    format_escape(out, rest[0]);
    return 1;
  }
  const Character character = next_character(rest);
  if (character.valid) {
    out.text(rest.first(character.size));
  } else {
    out.text(kReplacement);
  }
  return character.size;
}

}  // namespace

void JsonWriter::text(std::string_view name, Bytes bytes) {
  member(name);
  out_.character('"');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t start = at;
    while (at < bytes.size() && is_plain(bytes[at])) ++at;
    out_.text(bytes.subspan(start, at - start));
    if (at < bytes.size()) at += format_character(out_, bytes.subspan(at));
  }
  out_.character('"');
}

void JsonWriter::wide(std::string_view name, u64 value) {
  if (value <= kMaxSafeInteger) {
    number(name, value);
    return;
  }
  member(name);
  real(static_cast<double>(value));
}

void JsonWriter::milliseconds(std::string_view name, u64 ns) {
  member(name);
  real(static_cast<double>(ns) / kNsPerMs);
}

// Only for what JavaScript writes without an exponent: 0, and from 1e-6 up to 1e21.
void JsonWriter::real(double value) {
  std::array<char, 32> scientific{};
  const auto [end, error] = std::to_chars(scientific.data(), scientific.data() + scientific.size(),
                                          value, std::chars_format::scientific);
  const std::string_view text(scientific.data(), static_cast<std::size_t>(end - scientific.data()));
  const std::size_t mark = text.find('e');
  std::string_view fraction = text.substr(1, mark - 1);  // with its point
  if (!fraction.empty()) fraction.remove_prefix(1);
  int exponent = 0;
  const std::size_t sign = mark + 1;
  std::from_chars(text.data() + sign + 1, text.data() + text.size(), exponent);
  if (text[sign] == '-') {
    out_.text("0.");
    for (int zeros = 1; zeros < exponent; ++zeros) out_.character('0');
    out_.character(text[0]);
    out_.text(fraction);
    return;
  }
  out_.character(text[0]);
  const auto whole = static_cast<std::size_t>(exponent);
  out_.text(fraction.substr(0, std::min(whole, fraction.size())));
  for (std::size_t zeros = fraction.size(); zeros < whole; ++zeros) out_.character('0');
  if (fraction.size() <= whole) return;
  out_.character('.');
  out_.text(fraction.substr(whole));
}

}  // namespace nfconntrack
