#include "local/directory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/section.h"
#include "supervise/layer_yaml.h"
#include "workload/render.h"
#include "workload/render_layer.h"

namespace pgherd::local {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRestUser = "pgherd";
constexpr std::size_t kPasswordLength = 32;
constexpr std::array kPasswords{"superuser", "replication", "rest"};

Error cannot(std::string_view what, const fs::path& path) {
    return {
        ErrorCode::failed, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)), {}};
}

Status make_directory(const fs::path& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return std::unexpected(cannot("create", path));
    return {};
}

std::string random_password(Random& random) {
    constexpr std::string_view letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    std::string password;
    while (password.size() < kPasswordLength) password += letters[random.below(letters.size())];
    return password;
}

fs::path password_file(const fs::path& dir, const std::string& name) {
    return dir / (name + ".password");
}

Result<std::string> password(const fs::path& dir, const std::string& name) {
    PGHERD_TRY(std::string text, read_file(password_file(dir, name)));
    return std::string(trim(text));
}

// Everything below `dir` included.
Status give_to(const User& user, const fs::path& dir) {
    if (!user.change) return {};
    std::error_code error;
    auto give = [&](const fs::path& path) { return ::lchown(path.c_str(), user.uid, user.gid) == 0; };
    for (fs::recursive_directory_iterator it(dir, error), end; it != end; it.increment(error))
        if (!give(it->path())) return std::unexpected(cannot("change the owner of", it->path()));
    if (!give(dir)) return std::unexpected(cannot("change the owner of", dir));
    return {};
}

// Of a create() that was interrupted; anything else that has this name stays.
void remove_draft(const fs::path& draft) {
    std::vector<fs::path> files{draft / "cluster.json"};
    for (const char* name : kPasswords) files.push_back(password_file(draft, name));
    for (const fs::path& file : files) {
        ::unlink(file.c_str());
        ::unlink((file.string() + std::string(kUnfinished)).c_str());
    }
    ::rmdir(draft.c_str());
}

// Parents that are missing: for root they are open to everybody, as the user has to pass them.
Status make_parents(const fs::path& dir, const User& user) {
    fs::path part;
    for (const auto& name : dir.parent_path()) {
        part /= name;
        if (fs::exists(part)) continue;
        if (::mkdir(part.c_str(), user.change ? 0755 : 0700) != 0)
            return std::unexpected(cannot("create", part));
    }
    return {};
}

}  // namespace

std::string tail_of(const fs::path& file, std::size_t lines) {
    constexpr std::streamoff kMost = 16384;
    std::ifstream stream(file, std::ios::binary | std::ios::ate);
    if (!stream) return {};
    stream.seekg(std::max<std::streamoff>(0, stream.tellg() - kMost));
    std::ostringstream text;
    text << stream.rdbuf();
    std::string all = text.str();
    std::size_t at = all.size();
    for (std::size_t found = 0; at > 0 && found <= lines; --at)
        if (all[at - 1] == '\n' && ++found > lines) break;
    return all.substr(at);
}

// --- cluster.json
// ------------------------------------------------------------------------------------------------------

std::string write_description(const Description& description) {
    boost::json::array members;
    for (const LocalMember& member : description.members)
        members.push_back(
            JsonObject{{"name", member.name}, {"port", member.port}, {"rest_port", member.rest_port}});
    JsonObject document{
        {"scope", description.scope},
        {"namespace", description.namespace_},
        {"store", JsonObject{{"sqlite", "store.db"}}},
        {"members", std::move(members)},
        {"rest", JsonObject{{"username", kRestUser}, {"password_file", "rest.password"}}},
        {"superuser", JsonObject{{"username", "postgres"}, {"password_file", "superuser.password"}}},
    };
    return to_pretty(document) + "\n";
}

Result<Description> parse_description(std::string_view text, const std::string& source) {
    auto document = parse_json_object(text);
    if (!document) return fail(ErrorCode::invalid, fmt::format("{}: {}", source, document.error().message));
    Places places{source, {}};
    Mistakes mistakes(places);
    Section top(*document, "", mistakes);
    Description description;
    top.read("scope", description.scope);
    top.read("namespace", description.namespace_);
    const Json* members = top.find("members");
    if (!members || !members->is_array() || members->get_array().empty())
        return fail(ErrorCode::invalid,
                    fmt::format("{}: \"members\" must be a list with at least one member", source));
    for (const Json& entry : members->get_array()) {
        if (!entry.is_object())
            return fail(ErrorCode::invalid, fmt::format("{}: a member must be an object", source));
        Section section(entry.get_object(), "members", mistakes);
        LocalMember member;
        section.read("name", member.name);
        section.read("port", member.port);
        section.read("rest_port", member.rest_port);
        // Its name becomes a path.
        if (member.name.empty() || member.name.starts_with(".") ||
            member.name.find('/') != std::string::npos || !member.port || !member.rest_port)
            return fail(ErrorCode::invalid,
                        fmt::format("{}: a member needs \"name\", \"port\" and \"rest_port\"", source));
        description.members.push_back(std::move(member));
    }
    PGHERD_CHECK(mistakes.status());
    return description;
}

// --- Directory
// ---------------------------------------------------------------------------------------------------------

Directory::Kind Directory::kind() const {
    std::error_code error;
    auto status = fs::status(path_, error);
    if (status.type() == fs::file_type::not_found) return Kind::absent;
    if (fs::exists(marker(), error)) return Kind::ours;
    return fs::is_directory(status) && fs::is_empty(path_, error) && !error ? Kind::empty : Kind::foreign;
}

Result<Description> Directory::description() const {
    PGHERD_TRY(std::string text, read_file(marker()));
    return parse_description(text, marker().string());
}

Status Directory::create(const Description& description, const User& user, Random& random) const {
    PGHERD_CHECK(make_parents(path_, user));
    // No name that somebody would give a cluster: what is in it is removed.
    fs::path draft = path_.string() + ".pgherd-draft";
    remove_draft(draft);
    if (::mkdir(draft.c_str(), 0700) != 0) return std::unexpected(cannot("create", draft));
    auto fill = [&]() -> Status {
        PGHERD_CHECK(write_file_atomically(draft / "cluster.json", write_description(description)));
        for (const char* name : kPasswords)
            PGHERD_CHECK(write_file_atomically(password_file(draft, name), random_password(random) + "\n"));
        PGHERD_CHECK(give_to(user, draft));
        if (::rename(draft.c_str(), path_.c_str()) != 0) return std::unexpected(cannot("create", path_));
        return {};
    };
    auto filled = fill();
    if (!filled) remove_draft(draft);
    return filled;
}

Status Directory::render(const Description& description, const std::string& postgres_bin) const {
    PGHERD_CHECK(write_file_atomically(marker(), write_description(description)));
    ClusterSpec cluster = local_cluster_defaults();
    cluster.scope = description.scope;
    cluster.namespace_ = description.namespace_;
    cluster.store = SqliteStore{store().string()};
    cluster.rest_username = kRestUser;
    PGHERD_TRY(cluster.superuser_password.text, password(path_, "superuser"));
    PGHERD_TRY(cluster.replication_password.text, password(path_, "replication"));
    PGHERD_TRY(cluster.rest_password.text, password(path_, "rest"));
    for (const fs::path& folder : {sockets(), logs(), layers()}) PGHERD_CHECK(make_directory(folder));
    std::string passfile_lines;
    std::vector<AgentService> agents;
    for (const LocalMember& local : description.members) {
        PGHERD_CHECK(make_directory(member(local.name)));
        MemberSpec spec;
        spec.name = MemberName(local.name);
        spec.postgres_port = local.port;
        spec.rest_port = local.rest_port;
        spec.data_dir = (member(local.name) / "data").string();
        spec.bin_dir = postgres_bin;
        spec.socket_dir = sockets().string();
        spec.log_dir = member(local.name).string();
        PGHERD_CHECK(write_file_atomically(agent_file(local.name), render_agent_yaml(cluster, spec)));
        agents.push_back(
            {local.name, spec.name, agent_file(local.name).string(), member(local.name).string()});
        for (const std::string& host : {std::string("127.0.0.1"), std::string("localhost")})
            passfile_lines +=
                fmt::format("{}:{}:*:postgres:{}\n", host, local.port, cluster.superuser_password.text);
    }
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (error) return fail(fmt::format("cannot find this program's own file: {}", error.message()));
    PGHERD_CHECK(write_file_atomically(layers() / "001-agents.yaml",
                                       supervise::layer_yaml(agents_layer(program.string(), agents))));
    return write_file_atomically(passfile(), passfile_lines);
}

}  // namespace pgherd::local
