#include "supervise/order.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

using Names = std::set<std::string, std::less<>>;
// name -> those that come before it.
using Before = std::map<std::string, Names, std::less<>>;

Before predecessors(const Plan& plan, const Names& of) {
    Before before;
    for (const std::string& name : of) before[name];
    for (const std::string& name : of) {
        const Service& service = plan.services.find(name)->second;
        for (const std::string& other : service.after)
            if (of.contains(other)) before[name].insert(other);
        for (const std::string& other : service.before)
            if (of.contains(other)) before[other].insert(name);
    }
    return before;
}

// Services whose predecessors are all placed, by name, again and again. What is left over is in a loop, or
// behind one.
std::vector<std::string> sorted(Before before, Names* left_over) {
    std::map<std::string, std::vector<std::string>, std::less<>> successors;
    std::map<std::string, std::size_t, std::less<>> missing;
    Names ready;
    for (const auto& [name, earlier] : before) {
        missing[name] = earlier.size();
        if (earlier.empty()) ready.insert(name);
        for (const std::string& other : earlier) successors[other].push_back(name);
    }
    std::vector<std::string> order;
    while (!ready.empty()) {
        const std::string name = *ready.begin();
        ready.erase(ready.begin());
        for (const std::string& next : successors[name])
            if (--missing[next] == 0) ready.insert(next);
        missing.erase(name);
        order.push_back(name);
    }
    if (left_over)
        for (const auto& [name, count] : missing) left_over->insert(name);
    return order;
}

bool reaches(const Before& before, const std::string& from, const std::string& to) {
    Names seen;
    std::vector<std::string> open{from};
    while (!open.empty()) {
        const std::string name = std::move(open.back());
        open.pop_back();
        for (const std::string& earlier : before.find(name)->second) {
            if (earlier == to) return true;
            if (seen.insert(earlier).second) open.push_back(earlier);
        }
    }
    return false;
}

Result<Names> known(const Plan& plan, const std::vector<std::string>& names) {
    Names result;
    for (const std::string& name : names) {
        if (!plan.services.contains(name))
            return fail(ErrorCode::invalid, fmt::format("service {} does not exist", go_quote(name)));
        result.insert(name);
    }
    return result;
}

// Adds what they require, and what that requires.
Status add_requirements(const Plan& plan, Names& names) {
    std::vector<std::string> open(names.begin(), names.end());
    while (!open.empty()) {
        const std::string name = std::move(open.back());
        open.pop_back();
        for (const std::string& other : plan.services.find(name)->second.requirements) {
            if (!plan.services.contains(other))
                return fail(ErrorCode::invalid, fmt::format("service {} does not exist", go_quote(other)));
            if (names.insert(other).second) open.push_back(other);
        }
    }
    return {};
}

void add_dependants(const Plan& plan, Names& names) {
    for (bool grown = true; grown;) {
        grown = false;
        for (const auto& [name, service] : plan.services)
            if (!names.contains(name) && std::ranges::any_of(service.requirements, [&](const auto& other) {
                    return names.contains(other);
                }))
                grown = names.insert(name).second;
    }
}

// A number for each, equal for those linked by `requires`.
std::map<std::string, std::size_t, std::less<>> lanes(const Plan& plan,
                                                      const std::vector<std::string>& order) {
    std::map<std::string, std::size_t, std::less<>> position;
    for (const std::string& name : order) position.emplace(name, position.size());
    std::vector<std::size_t> parent(order.size());
    std::iota(parent.begin(), parent.end(), 0);
    const auto root = [&](std::size_t at) {
        while (parent[at] != at) at = parent[at] = parent[parent[at]];
        return at;
    };
    for (const std::string& name : order)
        for (const std::string& other : plan.services.find(name)->second.requirements)
            if (const auto found = position.find(other); found != position.end())
                parent[root(position[name])] = root(found->second);
    std::map<std::size_t, std::size_t> numbers;
    std::map<std::string, std::size_t, std::less<>> result;
    for (std::size_t at = 0; at < order.size(); ++at)
        result.emplace(order[at], numbers.emplace(root(at), numbers.size()).first->second);
    return result;
}

std::vector<OrderedService> with_waits(const Plan& plan, const std::vector<std::string>& order,
                                       const Before& before) {
    const auto lane_of = lanes(plan, order);
    std::map<std::string, std::size_t, std::less<>> position;
    std::map<std::size_t, std::size_t> last_of_lane;
    std::vector<OrderedService> result;
    for (const std::string& name : order) {
        OrderedService entry{name, lane_of.find(name)->second, {}};
        for (const std::string& earlier : before.find(name)->second)
            if (const auto found = position.find(earlier); found != position.end())
                entry.waits_for.push_back(found->second);
        if (const auto last = last_of_lane.find(entry.lane); last != last_of_lane.end())
            entry.waits_for.push_back(last->second);
        std::ranges::sort(entry.waits_for);
        entry.waits_for.erase(std::unique(entry.waits_for.begin(), entry.waits_for.end()),
                              entry.waits_for.end());
        last_of_lane[entry.lane] = position[name] = result.size();
        result.push_back(std::move(entry));
    }
    return result;
}

// Within one lane, what is required starts first unless after or before say otherwise.
Before with_requirements(const Plan& plan, const Names& names, Before before) {
    for (const std::string& name : names)
        for (const std::string& other : plan.services.find(name)->second.requirements)
            if (names.contains(other) && other != name && !before[name].contains(other) &&
                !reaches(before, other, name))
                before[name].insert(other);
    return before;
}

std::vector<OrderedService> stopping(const Plan& plan, const Names& names) {
    const Before before = with_requirements(plan, names, predecessors(plan, names));
    std::vector<std::string> order = sorted(before, nullptr);
    std::ranges::reverse(order);
    Before after;
    for (const auto& [name, earlier] : before) {
        after[name];
        for (const std::string& other : earlier) after[other].insert(name);
    }
    return with_waits(plan, order, after);
}

}  // namespace

Result<std::vector<OrderedService>> start_order(const Plan& plan, const std::vector<std::string>& names) {
    PGHERD_TRY(Names all, known(plan, names));
    PGHERD_CHECK(add_requirements(plan, all));
    const Before before = with_requirements(plan, all, predecessors(plan, all));
    return with_waits(plan, sorted(before, nullptr), before);
}

Result<std::vector<OrderedService>> stop_order(const Plan& plan, const std::vector<std::string>& names) {
    PGHERD_TRY(Names all, known(plan, names));
    add_dependants(plan, all);
    return stopping(plan, all);
}

Result<std::vector<OrderedService>> stop_order_of_only(const Plan& plan,
                                                       const std::vector<std::string>& names) {
    PGHERD_TRY(const Names all, known(plan, names));
    return stopping(plan, all);
}

Status check_loops(const Plan& plan) {
    Names all;
    for (const auto& [name, service] : plan.services) {
        all.insert(name);
        for (const std::string& other : service.requirements)
            if (!plan.services.contains(other))
                return fail(ErrorCode::invalid, fmt::format("service {} does not exist", go_quote(other)));
    }
    const Before before = predecessors(plan, all);
    Names left_over;
    sorted(before, &left_over);
    std::vector<std::string> loop;
    for (const std::string& name : left_over) {
        if (!reaches(before, name, name)) continue;
        if (loop.empty() || (reaches(before, name, loop.front()) && reaches(before, loop.front(), name)))
            loop.push_back(name);
    }
    if (loop.empty()) return {};
    return fail(ErrorCode::invalid, fmt::format("services in before/after loop: {}", join(loop, ", ")));
}

}  // namespace pgherd::supervise
