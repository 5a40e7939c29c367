#include "local/plan.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "eventloop/system_random.h"
#include "local/tcp_ports.h"

namespace pgherd::local {

namespace fs = std::filesystem;

namespace {

constexpr int kUsualMembers = 3;
constexpr std::uint16_t kPostgresPort = 5432;
constexpr std::uint16_t kRestPort = 8008;
// struct sockaddr_un has 108 bytes; PostgreSQL adds "/.s.PGSQL.65535" and for its lock ".lock".
constexpr std::size_t kLongestSocketDir = 107 - 20;

bool has_postgres(const fs::path& bin) {
    return ::access((bin / "postgres").c_str(), X_OK) == 0 && ::access((bin / "initdb").c_str(), X_OK) == 0;
}

std::string newest_debian() {
    std::pair<std::int64_t, std::string> newest{0, ""};
    std::error_code ignored;
    for (fs::directory_iterator it("/usr/lib/postgresql", ignored), end; it != end; it.increment(ignored)) {
        auto major = parse_int(it->path().filename().string());
        if (major && has_postgres(it->path() / "bin"))
            newest = std::max(newest, {*major, (it->path() / "bin").string()});
    }
    return newest.second;
}

// A member keeps its name and ports; new ones get the next number.
Result<Description> plan_members(const UpOptions& options, const Description& before,
                                 std::vector<std::string>& remarks) {
    int had = int(before.members.size());
    int count = options.members.value_or(had > 0 ? had : kUsualMembers);
    if (count < had)
        return fail(
            ErrorCode::invalid,
            fmt::format("--members: the cluster has {} members already, and `up` takes none away", had));
    PortWish postgres{"--port", options.ports, {}, kPostgresPort};
    PortWish rest{"--rest-port", options.rest_ports, {}, kRestPort};
    for (const LocalMember& member : before.members) {
        postgres.remembered.push_back(member.port);
        rest.remembered.push_back(member.rest_port);
    }
    PGHERD_TRY(PortChoice ports, choose_ports(postgres, count));
    PGHERD_TRY(PortChoice rest_ports, choose_ports(rest, count, ports.ports));
    for (const PortChoice* choice : {&ports, &rest_ports})
        if (!choice->remark.empty()) remarks.push_back(choice->remark);
    Description description = before;
    for (int i = 0; i < count; ++i) {
        if (i >= had) description.members.push_back({fmt::format("member-{}", i + 1), 0, 0});
        description.members[std::size_t(i)].port = ports.ports[std::size_t(i)];
        description.members[std::size_t(i)].rest_port = rest_ports.ports[std::size_t(i)];
    }
    return description;
}

Status check_path(const Plan& plan) {
    const fs::path& dir = plan.directory.path();
    if (dir.string().find_first_of(",\n") != std::string::npos)
        return fail(ErrorCode::invalid,
                    fmt::format("{} has a comma or a line end in its name, which PostgreSQL's list of socket "
                                "directories does not allow; choose another --dir",
                                dir.string()));
    if (auto barrier = unreachable_part(plan.user, dir))
        return fail(ErrorCode::denied, fmt::format("PostgreSQL runs as user {} here, who cannot enter {}; "
                                                   "choose another directory, for instance "
                                                   "--dir /var/lib/pgherd/{}",
                                                   plan.user.name.empty() ? "(you)" : plan.user.name,
                                                   barrier->string(), dir.filename().string()));
    if (plan.directory.sockets().string().size() > kLongestSocketDir)
        return fail(
            ErrorCode::invalid,
            fmt::format(
                "{} is too long for PostgreSQL's sockets, which allow {} characters; choose a shorter --dir",
                dir.string(), kLongestSocketDir - 4));
    return {};
}

}  // namespace

Result<std::string> find_postgres(const std::string& wanted) {
    if (!wanted.empty()) {
        if (has_postgres(wanted)) return fs::absolute(wanted).string();
        return fail(
            ErrorCode::not_found,
            fmt::format("--postgres-bin: there is no PostgreSQL server (postgres, initdb) in {}", wanted));
    }
    if (auto found = newest_debian(); !found.empty()) return found;
    const char* path = std::getenv("PATH");
    for (const std::string& bin : split(path ? path : "", ':'))
        if (!bin.empty() && has_postgres(bin)) return bin;
    return fail(
        ErrorCode::not_found,
        "cannot find PostgreSQL: no server below /usr/lib/postgresql or on PATH; `apt install postgresql-15` "
        "installs one, --postgres-bin names one");
}

Result<Plan> make_plan(const UpOptions& options) {
    Plan plan;
    PGHERD_TRY(plan.user, cluster_user());
    PGHERD_TRY(plan.postgres_bin, find_postgres(options.postgres_bin));
    fs::path dir = fs::absolute(options.dir.empty() ? default_dir() : options.dir).lexically_normal();
    plan.directory = Directory(dir.has_filename() ? dir : dir.parent_path());
    PGHERD_CHECK(check_path(plan));
    Description before;
    switch (plan.directory.kind()) {
        case Directory::Kind::absent:
        case Directory::Kind::empty: break;
        case Directory::Kind::foreign:
            return fail(
                ErrorCode::invalid,
                fmt::format(
                    "{} is not empty and no pgherd directory (it has no cluster.json); choose another --dir",
                    plan.directory.path().string()));
        case Directory::Kind::ours: {
            plan.fresh = false;
            PGHERD_TRY(plan.user, owner_of(plan.directory.path()));
            PGHERD_TRY(before, plan.directory.description());
            PGHERD_TRY(plan.lock, UpLock::take(plan.directory.lock(), plan.user));
        }
    }
    PGHERD_TRY(plan.description, plan_members(options, before, plan.remarks));
    return plan;
}

Status carry_out(Plan& plan) {
    if (plan.fresh) {
        SystemRandom random;
        PGHERD_CHECK(plan.directory.create(plan.description, plan.user, random));
    }
    PGHERD_CHECK(become(plan.user));
    if (plan.fresh) {
        User myself;
        PGHERD_TRY(plan.lock, UpLock::take(plan.directory.lock(), myself));
    }
    return plan.directory.render(plan.description, plan.postgres_bin);
}

}  // namespace pgherd::local
