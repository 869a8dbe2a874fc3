#include "proc_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "fd.h"

namespace nfconntrack {
namespace {

constexpr std::string_view kRoot = "/proc/sys/net/";
// What proc's own handlers take and give at most.
constexpr std::size_t kMostBytes = 4096;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

bool is_ours(std::string_view path) {
  if (!path.starts_with(kRoot) || path.find('\0') != std::string_view::npos) return false;
  return path.find("/../") == std::string_view::npos && !path.ends_with("/..");
}

Failure open_file(const std::string& path, int flags, Fd& file) {
  if (!is_ours(path)) return Failure::of(EINVAL, "open");
  file = Fd(::open(path.c_str(), flags | O_CLOEXEC));
  return file.valid() ? Failure{} : Failure::last("open");
}

// Opening tells, and changes nothing. Neither the mode nor access() does: the kernel also asks who
// administers the namespace, by the capabilities that count for open().
bool is_writable(int directory, const char* name) {
  return Fd(openat(directory, name, O_WRONLY | O_CLOEXEC)).valid();
}

void append_line(bool writable, std::string_view name, std::vector<u8>& lines) {
  lines.push_back(writable ? 'w' : 'r');
  lines.push_back(' ');
  lines.insert(lines.end(), name.begin(), name.end());
  lines.push_back('\n');
}

}  // namespace

Failure read_proc_file(const std::string& path, std::vector<u8>& text) {
  Fd file;
  if (Failure failure = open_file(path, O_RDONLY, file); !failure.ok()) return failure;
  text.resize(kMostBytes + 1);
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t count = read(file.get(), text.data() + length, text.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failure::last("read");
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
  }
  if (length > kMostBytes) return Failure::of(EFBIG, "read");
  text.resize(length);
  return {};
}

Failure write_proc_file(const std::string& path, std::string_view text) {
  if (text.size() > kMostBytes) return Failure::of(EFBIG, "write");
  Fd file;
  if (Failure failure = open_file(path, O_WRONLY, file); !failure.ok()) return failure;
  const ssize_t count = write(file.get(), text.data(), text.size());
  if (count < 0) return Failure::last("write");
  return static_cast<std::size_t>(count) == text.size() ? Failure{} : Failure::of(EIO, "write");
}

Failure list_proc_directory(const std::string& path, std::vector<u8>& lines) {
  if (!is_ours(path)) return Failure::of(EINVAL, "open");
  const Directory directory(opendir(path.c_str()));
  if (directory == nullptr) return Failure::last("open");
  for (;;) {
    errno = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has this directory.
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) return errno == 0 ? Failure{} : Failure::last("readdir");
    if (entry->d_type != DT_REG) continue;
    append_line(is_writable(dirfd(directory.get()), entry->d_name), entry->d_name, lines);
  }
}

}  // namespace nfconntrack
