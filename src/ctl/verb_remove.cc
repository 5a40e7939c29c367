// remove: forgets a cluster. Its data directories stay.

#include "base/text.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

constexpr const char* kAwareness = "Yes I am aware";

Status expect_answer(Context& context, const std::string& question, const std::string& expected,
                     const char* otherwise) {
    PGHERD_TRY(auto answer, ask(context.terminal, question, ""));
    if (answer != expected) return fail(fmt::format("{}, nothing was removed", otherwise));
    return {};
}

Status remove(Context& context, Format format) {
    PGHERD_TRY(auto loaded, context.remote.load());
    context.terminal.print(render_list(loaded.view, context.scope, {.format = format}, wall_now()));
    PGHERD_CHECK(expect_answer(context, "Please confirm the cluster name to remove", context.scope,
                               "that is not the name of the cluster"));
    PGHERD_CHECK(expect_answer(
        context,
        fmt::format("You are about to remove all information in the store for {}, please type: \"{}\"",
                    context.scope, kAwareness),
        kAwareness, "that is not what was to be typed"));
    if (!loaded.view.unlocked())
        PGHERD_CHECK(expect_answer(
            context, "This cluster currently is healthy. Please specify the leader name to continue",
            loaded.view.leader->name.text(), "that is not the leader"));
    for (const auto& [key, record] : loaded.snapshot->records)
        if (auto removed = context.remote.swap({.key = key, .expect = Always{}, .value = std::nullopt});
            !removed)
            return std::unexpected(with_context(removed.error(), fmt::format("cannot remove \"{}\"", key)));
    context.say("Cluster {} is removed from the store; data directories were not touched", context.scope);
    return {};
}

}  // namespace

void add_remove(CommandLine& line) {
    auto format = std::make_shared<Format>(Format::pretty);
    VerbLine verb = line.verb("remove", "Remove everything that the store knows of a cluster");
    verb.format("-f,--format", *format);
    verb.runs([format](Context& context) { return remove(context, *format); });
}

}  // namespace pgherd::ctl
