#include "base/start_code.h"

#include <cstdint>

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace pgherd {
namespace {

// Only segments that are never written: a private page that was (relocated data) would be lost.
int drop(dl_phdr_info* object, std::size_t, void*) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& segment = object->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 || (segment.p_flags & PF_W) != 0)
            continue;
        const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) / page * page;
        const std::uintptr_t end =
            (object->dlpi_addr + segment.p_vaddr + segment.p_memsz + page - 1) / page * page;
        ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
    return 0;
}

}  // namespace

void drop_start_code() {
    ::dl_iterate_phdr(drop, nullptr);
    ::malloc_trim(0);
}

}  // namespace pgherd
