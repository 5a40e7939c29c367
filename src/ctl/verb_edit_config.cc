// edit-config: changes the dynamic configuration, by assignments, from a file or in an editor.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>

#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "codec/agent_config.h"
#include "codec/dynamic_config.h"
#include "codec/json.h"
#include "ctl/config_edit.h"
#include "ctl/named_file.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

struct Options {
    bool quiet = false;
    bool force = false;
    std::vector<std::string> settings;
    std::vector<std::string> parameters;
    std::string apply;
    std::string replace;

    bool in_editor() const {
        return settings.empty() && parameters.empty() && apply.empty() && replace.empty();
    }
    bool reads_stdin() const { return apply == "-" || replace == "-"; }
};

Result<JsonObject> parse_document(const std::string& text, const std::string& source) {
    PGHERD_TRY(auto document, parse_yaml(text, source));
    if (document.is_null()) return JsonObject{};
    if (!document.is_object())
        return fail(ErrorCode::invalid, fmt::format("cannot use {}: expected a mapping of settings", source));
    return std::move(document.get_object());
}

Result<JsonObject> read_document(const std::string& path) {
    if (path == "-") {
        std::ostringstream text;
        text << std::cin.rdbuf();
        return parse_document(text.str(), "standard input");
    }
    PGHERD_TRY(const std::string text, read_named_file(path, ErrorCode::invalid));
    return parse_document(text, path);
}

class TemporaryFile {
  public:
    explicit TemporaryFile(const std::string& text)
        : path_(directory() + "/pgherd-config-XXXXXX.yaml"), descriptor_(::mkstemps(path_.data(), 5)) {
        written_ = descriptor_ >= 0 && ::write(descriptor_, text.data(), text.size()) == ssize_t(text.size());
        if (!written_) why_ = std::strerror(errno);
    }
    ~TemporaryFile() {
        if (descriptor_ < 0) return;
        ::close(descriptor_);
        ::unlink(path_.c_str());
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    const std::string& path() const { return path_; }
    Status written() const {
        if (written_) return {};
        return fail(
            fmt::format("cannot write {} for the editor: {}; TMPDIR names another directory", path_, why_));
    }

  private:
    static std::string directory() {
        const char* wanted = std::getenv("TMPDIR");
        return wanted && *wanted ? wanted : "/tmp";
    }
    std::string path_;
    int descriptor_;
    bool written_ = false;
    std::string why_;
};

Result<JsonObject> edit(Context& context, const std::string& before) {
    if (!context.terminal.interactive())
        return fail(
            ErrorCode::invalid,
            "cannot open an editor: standard input is not a terminal; use -s, -p, --apply or --replace");
    const char* wanted = std::getenv("EDITOR");
    std::string editor = wanted && *wanted ? wanted : "vi";
    TemporaryFile file(before);
    PGHERD_CHECK(file.written());
    // EDITOR may hold arguments, so a shell reads it.
    int status = std::system(fmt::format("{} {}", editor, file.path()).c_str());
    if (status != 0)
        return fail(
            fmt::format("the editor `{}` failed, nothing was changed; set EDITOR to another one", editor));
    return read_document(file.path());
}

Result<JsonObject> changed(Context& context, const Options& options, const JsonObject& document) {
    if (options.in_editor()) return edit(context, to_yaml(sorted_keys(document)));
    JsonObject result = document;
    if (!options.replace.empty()) {
        PGHERD_TRY(result, read_document(options.replace));
    }
    if (!options.apply.empty()) {
        PGHERD_TRY(auto patch, read_document(options.apply));
        merge_patch(result, patch);
    }
    for (const std::string& setting : options.settings) PGHERD_CHECK(apply_assignment(result, setting));
    for (const std::string& parameter : options.parameters)
        PGHERD_CHECK(apply_assignment(result, "postgresql.parameters." + std::string(trim(parameter))));
    return result;
}

Status edit_config(Context& context, const Options& options) {
    PGHERD_TRY(auto loaded, context.remote.load());
    const Record* record = loaded.record("config");
    if (!record)
        return fail("the cluster has no configuration yet: it is written when the cluster is bootstrapped");
    auto before = parse_json_object(record->value);
    if (!before) return fail("the configuration in the store is broken: " + before.error().message);
    PGHERD_TRY(auto after, changed(context, options, *before));
    if (after == *before) {
        if (!options.quiet) context.say("Not changed");
        return {};
    }
    // Members would keep the old one; better to hear of it here.
    if (auto understood = parse_dynamic_config(after); !understood)
        return fail(ErrorCode::invalid,
                    "the new configuration is not valid, nothing was changed: " + understood.error().message);
    if (!options.quiet)
        context.terminal.print(
            difference_of_lines(to_yaml(sorted_keys(*before)), to_yaml(sorted_keys(after))));
    if (!options.force && options.reads_stdin())
        return fail(
            ErrorCode::invalid,
            "nothing was changed: with the configuration on standard input, --force is needed to apply it");
    if (!options.force) PGHERD_CHECK(confirm(context.terminal, "Apply these changes?", "the change"));
    auto written = context.remote.swap(
        {.key = "config", .expect = IfRevision{record->modified}, .value = to_text(after)});
    if (!written && written.error().code == ErrorCode::conflict)
        return fail(
            "nothing was changed: somebody else has changed the configuration at the same time; look at it "
            "and try again");
    if (!written) return std::unexpected(with_context(written.error(), "cannot write the configuration"));
    context.say("Configuration changed");
    return {};
}

}  // namespace

void add_edit_config(CommandLine& line) {
    auto options = std::make_shared<Options>();
    VerbLine verb = line.verb("edit-config", "Change the cluster's dynamic configuration");
    verb.flag("-q,--quiet", options->quiet, "Do not show what changes");
    verb.texts("-s,--set", options->settings, "Set a key; null removes it; may be repeated", "KEY=VALUE");
    verb.texts("-p,--pg", options->parameters, "Set a key below postgresql.parameters", "KEY=VALUE");
    verb.text("--apply", options->apply, "Merge a YAML file into it; - is standard input", "FILE");
    verb.text("--replace", options->replace, "Put a YAML file in its place; - is standard input", "FILE");
    verb.flag("--force", options->force, "Ask nothing");
    verb.runs([options](Context& context) { return edit_config(context, *options); });
}

}  // namespace pgherd::ctl
