// What all commands share: what they work with, how they are described, and how they end.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/standard_output.h"
#include "pebble_cli/arguments.h"
#include "pebble_cli/text.h"
#include "pebble_client/client.h"

namespace pgherd::pebble_cli {

class Context {
  public:
    Context(pebble::Client& client, std::string program, std::string version)
        : client(client), program(std::move(program)), version(std::move(version)) {}

    pebble::Client& client;
    const std::string program;  // as users call it: "pebble", "pgherd supervisor"
    const std::string version;

    template <class... Arguments_>
    void say(fmt::format_string<Arguments_...> format, Arguments_&&... arguments) {
        print(fmt::format(format, std::forward<Arguments_>(arguments)...) + "\n");
    }
    void print(std::string_view text) { output_.print(text); }  // standard output
    void note(std::string_view text);                           // standard error, a line
    bool output_failed() const { return output_.failed(); }
    Status output_status() const { return output_.status(); }
    WallTime now() { return client.loop().clock().wall(); }

    Status post(std::string_view path, const Json& body);
    // The answer's result, which must be a list or an object.
    Result<boost::json::array> list(std::string_view path, const pebble::Query& query = {});
    Result<JsonObject> object(std::string_view path, const pebble::Query& query = {});

  private:
    StandardOutput output_;
};

struct Command {
    std::string_view name;
    std::string_view group;  // of the summary; empty: not shown
    std::string_view words;  // "<service>..."
    std::size_t least_words = 0, most_words = 0;
    std::string_view summary;  // a line
    std::string_view about;    // paragraphs
    std::vector<OptionSpec> options;
    Result<int> (*run)(Context&, const Arguments&) = nullptr;  // the exit code
    bool leading_options = false;                              // options end where the words begin
};

constexpr std::size_t kAnyNumber = ~std::size_t{};

std::span<const Command> commands();
const Command* find_command(std::string_view name);

// Options that several commands have.
inline const OptionSpec kFormat{"--format", "", true, "Output format (default: text)", "text|json|yaml"};
inline const OptionSpec kAbsoluteTime{"--abs-time", "", false,
                                      "Display absolute times (RFC 3339) instead of relative ones"};
inline const OptionSpec kNoWait{"--no-wait", "", false,
                                "Do not wait for the operation to finish but just print the change id"};
inline const OptionSpec kLevel{"--level", "", true, "Check level to filter for", "alive|ready"};
std::vector<OptionSpec> with_owner(std::vector<OptionSpec> options);  // and --uid, --user, --gid, --group
// The owner's fields of a request.
Status add_owner(JsonObject& request, const Arguments& arguments);

// JSON or YAML on request: whether it has been printed.
bool print_formatted(Context& context, const Arguments& arguments, const Json& json);
// What a request began: its id with --no-wait, else its end. Ctrl-C aborts the change.
Result<int> finish_change(Context& context, const Arguments& arguments, const Result<pebble::Answer>& begun);

pebble::Query repeated(std::string_view key, const std::vector<std::string>& values);

// Each in commands_<name>.cc.
std::vector<Command> info_commands();
std::vector<Command> plan_commands();
std::vector<Command> service_commands();
std::vector<Command> check_commands();
std::vector<Command> file_commands();
std::vector<Command> exec_commands();
std::vector<Command> log_commands();
std::vector<Command> change_commands();
std::vector<Command> notice_commands();
std::vector<Command> identity_commands();

std::string command_help(const Context& context, const Command& command);
std::string completion_script();

}  // namespace pgherd::pebble_cli
