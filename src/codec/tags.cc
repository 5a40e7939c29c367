#include "codec/tags.h"

#include <array>

#include <fmt/format.h>

namespace pgherd {
namespace {

constexpr std::array<std::string_view, 5> kPlainTags{"nofailover", "nosync", "clonefrom", "noloadbalance",
                                                     "nostream"};

// "nofailover" and "failover_priority" say the same in two ways.
void settle(const Section& section, std::string_view flag, bool& no, std::string_view priority_key,
            std::optional<int>& priority) {
    int number = 1;
    section.read(flag, no);
    section.read(priority_key, number);
    if (section.has(priority_key)) priority = number;
    if (section.has(flag) && !no && number <= 0) priority.reset();
}

}  // namespace

Tags read_tags(const Section& section) {
    Tags tags;
    tags.all = section.object();
    settle(section, "nofailover", tags.nofailover, "failover_priority", tags.failover_priority);
    settle(section, "nosync", tags.nosync, "sync_priority", tags.sync_priority);
    section.read("clonefrom", tags.clonefrom);
    section.read("noloadbalance", tags.noloadbalance);
    section.read("nostream", tags.nostream);
    std::string replicatefrom;
    section.read("replicatefrom", replicatefrom);
    tags.replicatefrom = MemberName(std::move(replicatefrom));
    for (auto name : kPlainTags) {
        bool contradicted = (name == "nofailover" && tags.all.contains("failover_priority")) ||
                            (name == "nosync" && tags.all.contains("sync_priority"));
        auto found = tags.all.find(boost::json::string_view(name.data(), name.size()));
        if (found != tags.all.end() && !contradicted && !scalar_bool(found->value()).value_or(false))
            tags.all.stable_erase(found);
    }
    return tags;
}

Tags parse_tags(const JsonObject& all) {
    Mistakes ignored;
    Tags tags = read_tags(Section(all, "tags", ignored));
    tags.all = all;
    return tags;
}

}  // namespace pgherd
