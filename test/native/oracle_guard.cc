#include "oracle_guard.h"

#include <elf.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <cstdint>
#include <cstring>

#include "system_error.h"

namespace nfconntrack::testing {
namespace {

constexpr char kLibrary[] = "libnetfilter_conntrack.so";
constexpr char kSymbol[] = "__abi_breakage";

thread_local std::jmp_buf escape;

// Only frames of C lie between here and setjmp(), so nothing is left undone.
[[noreturn]] void leave_parser() { std::longjmp(escape, 1); }

// The parts of a loaded library that lead from a symbol's name to the slots that calls of it go
// through.
struct DynamicSection {
  const ElfW(Sym) * symbols = nullptr;
  const char* strings = nullptr;
  const ElfW(Rela) * relocations = nullptr;
  std::size_t relocations_size = 0;
  const ElfW(Rela) * calls = nullptr;
  std::size_t calls_size = 0;
};

// glibc has made the addresses absolute when it loaded the library.
DynamicSection read_dynamic_section(const ElfW(Dyn) * entry) {
  DynamicSection section;
  for (; entry->d_tag != DT_NULL; ++entry) {
    const auto address = entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        section.symbols = reinterpret_cast<const ElfW(Sym)*>(address);
        break;
      case DT_STRTAB:
        section.strings = reinterpret_cast<const char*>(address);
        break;
      case DT_RELA:
        section.relocations = reinterpret_cast<const ElfW(Rela)*>(address);
        break;
      case DT_RELASZ:
        section.relocations_size = entry->d_un.d_val;
        break;
      case DT_JMPREL:
        section.calls = reinterpret_cast<const ElfW(Rela)*>(address);
        break;
      case DT_PLTRELSZ:
        section.calls_size = entry->d_un.d_val;
        break;
      default:
        break;
    }
  }
  return section;
}

void write_slot(void** slot, void* target) {
  const auto page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto* page = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(slot) & ~(page_size - 1));
  // A library linked with -z now keeps its slots read-only.
  checked(::mprotect(page, page_size, PROT_READ | PROT_WRITE), "mprotect");
  *slot = target;
}

int redirect(const DynamicSection& section, ElfW(Addr) base, const ElfW(Rela) * table,
             std::size_t size) {
  int redirected = 0;
  for (std::size_t i = 0; i < size / sizeof *table; ++i) {
    const auto& symbol = section.symbols[ELF64_R_SYM(table[i].r_info)];
    if (std::strcmp(section.strings + symbol.st_name, kSymbol) != 0) continue;
    write_slot(reinterpret_cast<void**>(base + table[i].r_offset),
               reinterpret_cast<void*>(leave_parser));
    ++redirected;
  }
  return redirected;
}

int redirect_in(const link_map& library) {
  const DynamicSection section = read_dynamic_section(library.l_ld);
  return redirect(section, library.l_addr, section.relocations, section.relocations_size) +
         redirect(section, library.l_addr, section.calls, section.calls_size);
}

// Defining the symbol here would do only if no other addon had loaded the library before: the first
// one's scope is searched first, and the library itself is part of it.
int redirect_everywhere() {
  int redirected = 0;
  for (const link_map* library = _r_debug.r_map; library != nullptr; library = library->l_next) {
    if (std::strstr(library->l_name, kLibrary) != nullptr) redirected += redirect_in(*library);
  }
  return redirected;
}

// Nothing in this frame needs a destructor, as longjmp() would skip it.
Parsed parse(const nlmsghdr* message, nf_conntrack* flow) {
  if (setjmp(escape) != 0) return Parsed::kAbiBreakage;
  return nfct_nlmsg_parse(message, flow) < 0 ? Parsed::kRejected : Parsed::kComplete;
}

}  // namespace

Parsed guarded_parse(const nlmsghdr* message, nf_conntrack* flow) {
  static const int redirected = redirect_everywhere();
  if (redirected == 0) throw SystemError(ENOTSUP, "redirecting __abi_breakage");
  return parse(message, flow);
}

}  // namespace nfconntrack::testing
