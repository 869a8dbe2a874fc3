// JSON as JSON.stringify() of JavaScript writes it, byte for byte.
#pragma once

#include "format_buffer.h"

namespace nfconntrack {

class JsonWriter {
 public:
  explicit JsonWriter(FormatBuffer& out) : out_(out) {}

  void open(char bracket) {
    out_.character(bracket);
    first_ = true;
  }
  void close(char bracket) {
    out_.character(bracket);
    first_ = false;
  }
  // Before each item of a list.
  void item() {
    if (!first_) out_.character(',');
    first_ = false;
  }
  // `name` with its quotes and colon: "\"mark\":".
  void member(std::string_view name) {
    item();
    out_.text(name);
  }
  void object(std::string_view name) {
    member(name);
    open('{');
  }

  void number(std::string_view name, std::integral auto value) {
    member(name);
    out_.number(value);
  }
  // A u64 as a JavaScript number has it: the nearest double beyond 2^53.
  void wide(std::string_view name, u64 value);
  // A time in ns as ms.
  void milliseconds(std::string_view name, u64 ns);
  // `text` needs no escapes.
  void word(std::string_view name, std::string_view text) {
    member(name);
    word(text);
  }
  void word(std::string_view text) {
    out_.character('"');
    out_.text(text);
    out_.character('"');
  }
  // Any bytes, taken as UTF-8: what is none becomes U+FFFD, as in Buffer.toString().
  void text(std::string_view name, Bytes bytes);

  [[nodiscard]] FormatBuffer& out() { return out_; }

 private:
  void real(double value);

  FormatBuffer& out_;
  bool first_ = true;
};

}  // namespace nfconntrack
