#include "local/leftovers.h"

#include <algorithm>
#include <string>

#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "local/directory.h"

namespace pgherd::local {
namespace {

Leftover::Kind kind_of(const std::vector<std::string>& words) {
    if (words[0].ends_with("/postgres")) return Leftover::Kind::postmaster;
    if (words.size() > 1 && words[1] == "agent") return Leftover::Kind::agent;
    if (words.size() > 1 && words[1] == "brain") return Leftover::Kind::brain;
    return Leftover::Kind::other;
}

bool is_part_of_a_member(Leftover::Kind kind) {
    return kind != Leftover::Kind::other;
}

}  // namespace

std::vector<Leftover> processes_of(const std::filesystem::path& dir) {
    std::vector<Leftover> found;
    std::string below = dir.string() + "/";
    std::error_code ignored;
    for (std::filesystem::directory_iterator it("/proc", ignored), end; it != end; it.increment(ignored)) {
        auto pid = parse_uint(it->path().filename().string());
        if (!pid || pid_t(*pid) == ::getpid()) continue;
        auto text = read_file(it->path() / "cmdline");
        if (!text || text->empty()) continue;
        auto words = split(*text, '\0');
        bool names_it =
            std::ranges::any_of(words, [&](const std::string& word) { return word.starts_with(below); });
        if (names_it && is_part_of_a_member(kind_of(words))) found.push_back({pid_t(*pid), kind_of(words)});
    }
    return found;
}

}  // namespace pgherd::local
