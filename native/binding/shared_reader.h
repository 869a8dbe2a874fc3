// A reader that others use too: it is stopped by its handle, and stays for them.
#pragma once

#include <memory>

#include "record_reader.h"

namespace nfconntrack::binding {

template <typename Reader>
class SharedReader final : public FlowReader {
 public:
  explicit SharedReader(std::shared_ptr<Reader> reader) : reader_(std::move(reader)) {}
  ~SharedReader() override { SharedReader::stop(); }

  Failure start() override { return reader_->start(); }
  void stop() override { reader_->stop(); }
  [[nodiscard]] FlowQueue& queue() override { return reader_->queue(); }

 private:
  const std::shared_ptr<Reader> reader_;
};

}  // namespace nfconntrack::binding
