// Files below /proc/sys/net: what the calling thread's network namespace has there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "failure.h"
#include "record.h"

namespace nfconntrack {

// Each fails with EINVAL ("open") for a path that is not below /proc/sys/net, and with what
// open(), read(), write() or readdir() said.

// EFBIG: the file is longer than a page, which no number or text of the kernel's is.
Failure read_proc_file(const std::string& path, std::vector<u8>& text);

// In one write(), as the kernel takes a value; EIO: it took only a part.
Failure write_proc_file(const std::string& path, std::string_view text);

// The plain files of a directory as lines of "w NAME" or "r NAME": may the calling thread write it?
Failure list_proc_directory(const std::string& path, std::vector<u8>& lines);

}  // namespace nfconntrack
