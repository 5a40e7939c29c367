// The directory of a local cluster.
//
//     DIR/cluster.json          what the cluster is; its presence makes DIR a pgherd directory
//     DIR/store.db              the store
//     DIR/*.password, pgpass    secrets, readable by the owner alone
//     DIR/run/                  PostgreSQL's sockets
//     DIR/up.lock, up.log       the running `up`: a lock with its pid, and what a detached one says
//     DIR/layers/               what the supervisor in `up` runs; supervisor.socket: its API
//     DIR/<member>/agent.yml    the agent's configuration, rendered anew by every `up`
//     DIR/<member>/data/        PostgreSQL's
//     DIR/<member>/*.log        PostgreSQL's
//     DIR/log/<member>.log      the agents'
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "local/user.h"
#include "ports/random.h"

namespace pgherd::local {

struct LocalMember {
    std::string name;
    std::uint16_t port = 0;
    std::uint16_t rest_port = 0;
    bool operator==(const LocalMember&) const = default;
};

// cluster.json
struct Description {
    std::string scope = "local";
    std::string namespace_ = "service";
    std::vector<LocalMember> members;
    bool operator==(const Description&) const = default;
};

std::string write_description(const Description& description);
Result<Description> parse_description(std::string_view text, const std::string& source);

class Directory {
  public:
    explicit Directory(std::filesystem::path path) : path_(std::move(path)) {}

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path marker() const { return path_ / "cluster.json"; }
    std::filesystem::path store() const { return path_ / "store.db"; }
    std::filesystem::path lock() const { return path_ / "up.lock"; }
    std::filesystem::path log() const { return path_ / "up.log"; }
    std::filesystem::path passfile() const { return path_ / "pgpass"; }
    std::filesystem::path sockets() const { return path_ / "run"; }
    std::filesystem::path member(const std::string& name) const { return path_ / name; }
    std::filesystem::path agent_file(const std::string& name) const { return member(name) / "agent.yml"; }
    std::filesystem::path logs() const { return path_ / "log"; }
    std::filesystem::path agent_log(const std::string& name) const { return logs() / (name + ".log"); }
    std::filesystem::path supervisor_socket() const { return path_ / "supervisor.socket"; }
    std::filesystem::path layers() const { return path_ / "layers"; }

    enum class Kind { absent, empty, ours, foreign };
    Kind kind() const;
    Result<Description> description() const;

    // Makes an absent or empty directory a pgherd directory of the user, in one step: half of one is never
    // left behind.
    Status create(const Description& description, const User& user, Random& random) const;
    // Writes everything that follows from the description: agents' files, the passfile, missing folders. Runs
    // as the user.
    Status render(const Description& description, const std::string& postgres_bin) const;

  private:
    std::filesystem::path path_;
};

// Lines from the end of a file; what cannot be read gives nothing.
std::string tail_of(const std::filesystem::path& file, std::size_t lines);

}  // namespace pgherd::local
