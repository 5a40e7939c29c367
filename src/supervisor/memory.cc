#include "supervisor/memory.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include <malloc.h>
#include <sys/mman.h>

namespace pgherd::supervisor {
namespace {

struct Mapping {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    bool file = false;  // of a file, and nobody may write to it
};

// Mappings of files without a page of our own in them: letting go of such a page would lose what the dynamic
// linker wrote there.
std::vector<Mapping> clean_mappings() {
    std::vector<Mapping> clean;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/smaps", "re"),
                                                               std::fclose);
    if (!file) return clean;
    Mapping current;
    char line[4096];
    while (std::fgets(line, sizeof line, file.get())) {
        unsigned long long begin = 0, end = 0, inode = 0, anonymous = 0;
        char rights[8];
        if (std::sscanf(line, "%llx-%llx %7s %*s %*s %llu", &begin, &end, rights, &inode) == 4)
            current = {begin, end, inode != 0 && rights[0] == 'r' && rights[1] == '-'};
        else if (std::sscanf(line, "Anonymous: %llu", &anonymous) == 1 && anonymous == 0 && current.file)
            clean.push_back(current);
    }
    return clean;
}

}  // namespace

void keep_heap_small() {
    ::mallopt(M_ARENA_MAX, 1);
    ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

void forget_code() {
    for (const Mapping& mapping : clean_mappings())
        ::madvise(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin, MADV_DONTNEED);
    ::malloc_trim(0);
}

}  // namespace pgherd::supervisor
