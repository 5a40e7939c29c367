// switchover, failover: another leader, planned or not.
#include <algorithm>

#include "base/text.h"
#include "codec/json.h"
#include "codec/records.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

struct Options {
    bool failover = false;
    std::string leader;
    std::string candidate;
    std::string scheduled;
    bool force = false;

    std::string_view action() const { return failover ? "failover" : "switchover"; }
};

std::vector<std::string> candidates(const ClusterView& view) {
    std::vector<std::string> names;
    for (const auto& [name, member] : view.members)
        if (!view.led_by(name) && member.tags.may_lead()) names.push_back(name.text());
    return names;
}

// Fills in what was not said, by asking or by the obvious.
Status complete(Context& context, const ClusterView& view, Options& options) {
    auto eligible = candidates(view);
    std::string leader = view.unlocked() ? "" : view.leader->name.text();
    if (!options.failover) {
        if (leader.empty())
            return fail("the cluster has no leader to switch over from; use `failover` with a --candidate");
        if (options.leader.empty() && options.force) options.leader = leader;
        if (options.leader.empty()) {
            PGHERD_TRY(
                options.leader,
                ask(context.terminal,
                    view.config && view.config->standby_cluster ? "Standby Leader" : "Primary", leader));
        }
        if (options.leader != leader)
            return fail(
                fmt::format("\"{}\" is not the leader of the cluster, \"{}\" is", options.leader, leader));
    }
    if (eligible.empty())
        return fail(
            fmt::format("there is no member to {} to: every other one is missing or tagged nofailover",
                        options.action()));
    if (options.candidate.empty() && !options.force) {
        PGHERD_TRY(options.candidate,
                   ask(context.terminal, fmt::format("Candidate ({})", join(eligible, ", ")), ""));
    }
    if (options.candidate.empty() && options.failover)
        return fail(ErrorCode::invalid, "a failover needs a --candidate");
    if (!options.candidate.empty() && options.candidate == leader)
        return fail(fmt::format("\"{}\" is the leader already", leader));
    if (!options.candidate.empty() && std::ranges::find(eligible, options.candidate) == eligible.end())
        return fail(
            fmt::format("\"{}\" is not a member of the cluster, or is tagged nofailover; candidates: {}",
                        options.candidate, join(eligible, ", ")));
    if (!options.failover && options.scheduled.empty() && !options.force) {
        PGHERD_TRY(
            options.scheduled,
            ask(context.terminal, "When should the switchover take place (a time with its zone)", "now"));
    }
    return {};
}

Status ask_whether(Context& context, const ClusterView& view, const Options& options,
                   const std::optional<WallTime>& at) {
    if (options.force) return {};
    bool synchronous =
        view.config && view.config->synchronous_mode != SynchronousMode::off && !view.sync.empty();
    MemberName candidate(options.candidate);
    if (options.failover && synchronous && !view.sync.contains(candidate) && view.sync.leader != candidate)
        PGHERD_CHECK(confirm(
            context.terminal,
            fmt::format("Are you sure you want to failover to the asynchronous node {}?", options.candidate),
            options.action()));
    std::string demoting =
        view.unlocked() ? "" : fmt::format(", demoting current leader {}", view.leader->name.text());
    std::string question =
        at ? fmt::format("Are you sure you want to schedule switchover of cluster {} at {}{}?", context.scope,
                         to_iso(*at), demoting)
           : fmt::format("Are you sure you want to {} cluster {}{}?", options.action(), context.scope,
                         demoting);
    return confirm(context.terminal, question, options.action());
}

std::string request_body(const Options& options, const std::optional<WallTime>& at) {
    JsonObject body;
    if (!options.candidate.empty()) body["candidate"] = options.candidate;
    if (!options.failover) body["leader"] = options.leader;
    if (at) body["scheduled_at"] = to_iso(*at);
    return to_text(body);
}

// The member answers when it is over, or after twice this time.
Duration patience(const ClusterView& view) {
    Duration loop_wait = view.config ? view.config->loop_wait : Duration(std::chrono::seconds(10));
    return 2 * std::max<Duration>(loop_wait, std::chrono::seconds(10)) + std::chrono::seconds(10);
}

// Nobody answers: the wish goes into the store, where a leader, or a candidate without one, finds it.
Status write_request(Context& context, const Loaded& loaded, const Options& options,
                     const std::optional<WallTime>& at) {
    FailoverRequest request{.leader = MemberName(options.failover ? "" : options.leader),
                            .candidate = MemberName(options.candidate),
                            .scheduled_at = at};
    const Record* record = loaded.record("failover");
    Expectation expect = IfAbsent{};
    if (record) expect = IfRevision{record->modified};
    auto written =
        context.remote.swap({.key = "failover", .expect = expect, .value = write_failover(request)});
    if (!written)
        return std::unexpected(with_context(
            written.error(), fmt::format("cannot write the request for a {}", options.action())));
    context.say("The request for a {} is in the store; the cluster acts on it when it can.",
                options.action());
    return {};
}

Status perform(Context& context, const Loaded& loaded, const Options& options,
               const std::optional<WallTime>& at) {
    const ClusterView& view = loaded.view;
    const Member* member =
        view.unlocked() ? view.member(MemberName(options.candidate)) : view.leader_member();
    if (!member)
        return fail(fmt::format("cannot {}: the leader \"{}\" has published nothing of itself",
                                options.action(), view.leader->name.text()));
    RestCall call{"POST", std::string(options.action()), request_body(options, at), patience(view)};
    auto answer = context.remote.call(*member, call);
    if (!answer && answer.error().maybe_done())
        return fail(fmt::format("the outcome of the {} is unknown: {}; look at `pgherd ctl list`",
                                options.action(), answer.error().message));
    if (!answer) {
        context.terminal.complain(answer.error().message);
        return write_request(context, loaded, options, at);
    }
    if (answer->status != 200 && answer->status != 202)
        return fail(fmt::format("{} failed: {} ({})", options.failover ? "Failover" : "Switchover",
                                answer->body, answer->status));
    context.say("{} {}", to_iso_with_blank(wall_now()), answer->body);
    return {};
}

Status change_leader(Context& context, Options options) {
    PGHERD_TRY(auto loaded, context.remote.load());
    context.terminal.print("Current cluster topology\n");
    show_list(context, loaded.view);
    PGHERD_CHECK(complete(context, loaded.view, options));
    PGHERD_TRY(auto at, parse_scheduled(options.scheduled));
    if (at && loaded.view.config && loaded.view.config->pause)
        return fail("a switchover cannot be scheduled while the cluster is paused");
    PGHERD_CHECK(ask_whether(context, loaded.view, options, at));
    auto performed = perform(context, loaded, options, at);
    if (auto after = context.remote.load()) show_list(context, after->view);
    return performed;
}

void add(VerbLine verb, const std::shared_ptr<Options>& options) {
    verb.text("--candidate", options->candidate, "The member that becomes the leader", "MEMBER");
    verb.flag("--force", options->force, "Ask nothing");
    verb.runs([options](Context& context) { return change_leader(context, *options); });
}

}  // namespace

void add_switchover(CommandLine& line) {
    auto options = std::make_shared<Options>();
    VerbLine verb =
        line.verb("switchover", "Make another member the leader, without loss, now or at a given time");
    verb.text("--leader,--primary", options->leader, "The current leader, as a safeguard", "MEMBER");
    verb.text("--scheduled", options->scheduled, "When: a time with its zone, or now", "TIME");
    add(verb, options);
}

void add_failover(CommandLine& line) {
    auto options = std::make_shared<Options>();
    options->failover = true;
    add(line.verb("failover", "Make another member the leader even if the current one is gone"), options);
}

}  // namespace pgherd::ctl
