// What `up` shows: pure functions from what the store says to texts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "local/directory.h"
#include "model/cluster.h"

namespace pgherd::local {

struct MemberView {
    std::string name;
    std::uint16_t port = 0;
    std::string role;   // "leader", "replica", "sync standby"; empty = not there
    std::string state;  // "running", "streaming", "creating replica", …
    std::string timeline;
    std::string lag;  // of a replica
    bool operator==(const MemberView&) const = default;
};

struct View {
    std::string title;   // "local in /x"
    std::string status;  // "starting", "healthy", "member-2 is creating replica", "stopping"
    std::vector<MemberView> members;
    std::vector<std::string> events;  // the last ones, oldest first
    std::vector<std::string> hints;   // how to connect, where the logs are, how to stop
};

// `down`: what to say of members whose agent does not run ("starting again in 2 s").
std::vector<MemberView> describe_members(const Description& description, const ClusterView& cluster,
                                         const std::map<std::string, std::string>& down);
// Exactly one leader, which runs, and everybody else streams.
bool is_healthy(const std::vector<MemberView>& members);
// The first thing that is missing for that, for people.
std::string what_is_missing(const std::vector<MemberView>& members);
// One line for each member of which something other than its lag has changed.
std::vector<std::string> changes(const std::vector<MemberView>& before, const std::vector<MemberView>& after);

// The whole picture, lines cut to `width` characters.
std::string render(const View& view, std::size_t width);

// "0", "16 B", "3.2 MB"
std::string human_bytes(std::uint64_t bytes);
// A ready-to-paste command.
std::string psql_line(const Directory& directory, const Description& description);

}  // namespace pgherd::local
