// list, topology: the members, once or again and again.

#include "base/text.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

struct Options {
    ListOptions list;
    double watch = 0;  // seconds, 0 = once
};

Status show(Context& context, const ListOptions& list) {
    PGHERD_TRY(auto loaded, context.remote.load());
    context.terminal.print(render_list(loaded.view, context.scope, list, wall_now()));
    return {};
}

Status list(Context& context, const Options& options) {
    if (options.watch <= 0) return show(context, options.list);
    while (!context.terminal.output_closed()) {
        context.terminal.clear();
        // A watcher outlives the trouble that it watches.
        if (auto shown = show(context, options.list); !shown)
            context.terminal.complain(shown.error().message);
        context.remote.sleep(
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.watch)));
    }
    return {};
}

}  // namespace

void add_list(CommandLine& line) {
    auto options = std::make_shared<Options>();
    VerbLine verb = line.verb("list", "Show the members of the cluster");
    verb.format("-f,--format", options->list.format);
    verb.flag("-e,--extended", options->list.extended,
              "Pending and scheduled restarts and tags, even if there are none");
    verb.flag("-t,--timestamp", options->list.timestamp, "The time in front");
    verb.watch(options->watch);
    verb.runs([options](Context& context) { return list(context, *options); });
}

void add_topology(CommandLine& line) {
    auto options = std::make_shared<Options>();
    options->list.format = Format::topology;
    VerbLine verb = line.verb("topology", "Show the members as a tree of who replicates from whom");
    verb.watch(options->watch);
    verb.runs([options](Context& context) { return list(context, *options); });
}

}  // namespace pgherd::ctl
