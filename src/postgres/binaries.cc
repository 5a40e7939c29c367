#include "postgres/binaries.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::postgres {

namespace {

constexpr int kOldest = 14;
constexpr int kNewest = 18;
constexpr std::array<const char*, 5> kPrograms{"postgres", "initdb", "pg_controldata", "pg_basebackup",
                                               "pg_rewind"};
constexpr const char* kDebianRoot = "/usr/lib/postgresql";

bool executable(const std::string& path) {
    return ::access(path.c_str(), X_OK) == 0;
}

// "pg_controldata (PostgreSQL) 15.20 (Debian …)" → 15
Result<int> ask_version(const std::string& program) {
    const std::string command =
        "LC_ALL=C '" + join(split(program, '\''), "'\\''") + "' --version 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "re"), ::pclose);
    std::array<char, 256> line{};
    if (!pipe || !std::fgets(line.data(), static_cast<int>(line.size()), pipe.get()))
        return fail(ErrorCode::not_found,
                    fmt::format("cannot use {}: it does not tell its version", program));
    const std::string_view text = line.data();
    const auto at = text.find(") ");
    if (at == std::string_view::npos)
        return fail(ErrorCode::not_found,
                    fmt::format("cannot use {}: it does not tell its version", program));
    const int major = std::atoi(text.data() + at + 2);
    if (major < kOldest || major > kNewest)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot use {}: PostgreSQL {} to {} is supported, this is {}", program,
                                kOldest, kNewest, major));
    return major;
}

// Asked once as long as the program stays the same file: an agent that starts has no time for more.
Result<int> version_of(const std::string& program) {
    using Identity = std::tuple<dev_t, ino_t, time_t>;
    static std::map<std::string, std::pair<Identity, int>> known;
    struct stat file{};
    if (::stat(program.c_str(), &file) != 0) return ask_version(program);
    const Identity identity{file.st_dev, file.st_ino, file.st_mtime};
    if (const auto found = known.find(program); found != known.end() && found->second.first == identity)
        return found->second.second;
    PGHERD_TRY(const int version, ask_version(program));
    known[program] = {identity, version};
    return version;
}

std::string program_name(const PostgresConfig& config, const std::string& program) {
    const auto renamed = config.bin_name.find(program);
    return renamed == config.bin_name.end() ? program : renamed->second;
}

std::string missing_program(const PostgresConfig& config, const std::string& directory) {
    for (const char* program : kPrograms)
        if (const std::string name = program_name(config, program); !executable(directory + "/" + name))
            return name;
    return {};
}

std::vector<std::string> candidates(const PostgresConfig& config, std::optional<int> data_version) {
    if (!config.bin_dir.empty()) return {config.bin_dir};
    std::vector<std::string> found;
    if (data_version) found.push_back(fmt::format("{}/{}/bin", kDebianRoot, *data_version));
    if (const char* path = std::getenv("PATH"))
        for (auto& directory : split(path, ':')) found.push_back(std::move(directory));
    for (int major = kNewest; major >= kOldest; --major)
        found.push_back(fmt::format("{}/{}/bin", kDebianRoot, major));
    return found;
}

}  // namespace

std::string Binaries::path(const std::string& program) const {
    const auto renamed = names_.find(program);
    return directory_ + "/" + (renamed == names_.end() ? program : renamed->second);
}

Result<Binaries> find_binaries(const PostgresConfig& config, std::optional<int> data_version) {
    std::optional<Error> wrong;
    for (const auto& directory : candidates(config, data_version)) {
        const std::string program = directory + "/" + program_name(config, "postgres");
        if (directory.empty() || !executable(program)) continue;
        // Some put a link to the server alone on PATH.
        if (const std::string missing = missing_program(config, directory); !missing.empty()) {
            wrong = Error{ErrorCode::not_found,
                          fmt::format("cannot use PostgreSQL in {}: it lacks \"{}\"", directory, missing)};
            continue;
        }
        // Not the server itself: it is of the same package, and loads ten times as many libraries to say so.
        const auto major = version_of(directory + "/" + program_name(config, "pg_controldata"));
        if (!major) {
            wrong = major.error();
            continue;
        }
        if (!data_version || *major == *data_version) return Binaries(directory, config.bin_name, *major);
        wrong =
            Error{ErrorCode::invalid,
                  fmt::format(
                      "cannot run data directory {} with {}: it was made by PostgreSQL {}, the program is {}",
                      config.data_dir, program, *data_version, *major)};
    }
    if (wrong) return std::unexpected(*wrong);
    const std::string where =
        config.bin_dir.empty() ? fmt::format("PATH or {}/*/bin", kDebianRoot) : config.bin_dir;
    return fail(ErrorCode::not_found,
                fmt::format("cannot find PostgreSQL{}: no executable \"postgres\" in {} (install it, or set "
                            "postgresql.bin_dir)",
                            data_version ? fmt::format(" {}", *data_version) : std::string(), where));
}

}  // namespace pgherd::postgres
