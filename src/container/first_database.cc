#include "container/first_database.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::container {
namespace {

namespace fs = std::filesystem;

Status run(const std::vector<std::string>& words, const std::string& what) {
    const pid_t child = ::fork();
    if (child < 0) return fail(fmt::format("cannot {}: {}", what, std::strerror(errno)));
    if (child == 0) {
        std::vector<char*> argv;
        for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
        argv.push_back(nullptr);
        ::execvp(argv[0], argv.data());
        fmt::print(stderr, "cannot run {}: {}\n", words[0], std::strerror(errno));
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return fail(fmt::format("cannot {}: {}", what, std::strerror(errno)));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return fail(fmt::format("cannot {}: {} ended with {} {}", what, words[0],
                            WIFEXITED(status) ? "code" : "signal",
                            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)));
}

std::vector<std::string> psql(const std::string& connection) {
    return {"psql",    "--no-psqlrc",           "--no-password", "--set=ON_ERROR_STOP=1",
            "--quiet", "--dbname=" + connection};
}

std::vector<std::string> with(std::vector<std::string> words, std::vector<std::string> more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

Status run_script(const fs::path& script, const std::string& connection) {
    const std::string name = script.filename().string(), path = script.string();
    const std::string what = "run " + path;
    fmt::print("running {}\n", path);
    std::fflush(stdout);
    if (name.ends_with(".sh"))
        return run(::access(path.c_str(), X_OK) == 0
                       ? std::vector{path}
                       : std::vector<std::string>{"bash", "-Ee", "-o", "pipefail", path},
                   what);
    if (name.ends_with(".sql")) return run(with(psql(connection), {"--file=" + path}), what);
    // By its input: zstd opens no symbolic link, and what Kubernetes mounts is one.
    for (const auto& [suffix, unpack] :
         {std::pair{".sql.gz", "gzip"}, std::pair{".sql.xz", "xz"}, std::pair{".sql.zst", "zstd"}})
        if (name.ends_with(suffix))
            return run(with({"bash", "-o", "pipefail", "-c",
                             R"(unpack=$1 file=$2; shift 2; "$unpack" --decompress --stdout <"$file" | "$@")",
                             "bash", unpack, path},
                            psql(connection)),
                       what);
    fmt::print("leaving out {}: neither *.sh nor *.sql, *.sql.gz, *.sql.xz, *.sql.zst\n", path);
    return {};
}

}  // namespace

Status create_first_database(const FirstDatabase& wanted) {
    std::string connection = wanted.connection;
    const std::string database = wanted.database.empty() ? "postgres" : wanted.database;
    if (database != "postgres") {
        if (database != "template1")
            PGHERD_CHECK(
                run(with(psql(connection), {"--command=CREATE DATABASE " + quote_identifier(database)}),
                    fmt::format("create database \"{}\"", database)));
        std::string quoted;
        for (const char c : database) quoted.append(c == '\'' || c == '\\' ? "\\" : "").push_back(c);
        connection += fmt::format(" dbname='{}'", quoted);  // the last one counts
    }
    ::setenv("POSTGRES_DB", database.c_str(), 1);
    ::setenv("POSTGRES_USER", wanted.superuser.c_str(), 1);
    ::setenv("PGUSER", wanted.superuser.c_str(), 1);
    ::setenv("PGDATABASE", database.c_str(), 1);
    ::setenv("PGDATA", wanted.data_dir.c_str(), 1);
    std::vector<fs::path> scripts;
    std::error_code error;
    for (fs::directory_iterator entry(wanted.scripts_dir, error), end; !error && entry != end;
         entry.increment(error))
        if (!entry->path().filename().string().starts_with('.') && !entry->is_directory())
            scripts.push_back(entry->path());
    std::ranges::sort(scripts);
    for (const fs::path& script : scripts) PGHERD_CHECK(run_script(script, connection));
    return {};
}

}  // namespace pgherd::container
