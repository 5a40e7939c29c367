#include "pebble_cli/progress.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "pebble_cli/own_terminal.h"
#include "pebble_client/answer.h"

namespace pgherd::pebble_cli {
namespace {

constexpr std::string_view kSpinner = "/-\\|";
constexpr std::string_view kClearLine = "\r\x1b[K";

bool knows_escapes() {
    const char* terminal = std::getenv("TERM");
    return terminal != nullptr && *terminal != '\0' && std::string_view(terminal) != "dumb";
}

// No longer than a line, or it could not be written over. Cuts between characters (UTF-8).
std::string cut(std::string text, std::size_t width) {
    if (text.size() <= width) return text;
    while (width > 0 && (static_cast<unsigned char>(text[width]) & 0xc0) == 0x80) --width;
    text.resize(width);
    return text;
}

std::string last_line_of_log(const JsonObject& task) {
    const Json* log = task.if_contains("log");
    if (log == nullptr || !log->is_array() || log->get_array().empty()) return {};
    const Json& line = log->get_array().back();
    return line.is_string() ? std::string(std::string_view(line.get_string())) : std::string();
}

const JsonObject* task_under_way(const JsonObject& change) {
    const Json* tasks = change.if_contains("tasks");
    if (tasks == nullptr || !tasks->is_array()) return nullptr;
    for (const Json& task : tasks->get_array())
        if (task.is_object() && pebble::text_of(task.get_object(), "status") == "Doing")
            return &task.get_object();
    return nullptr;
}

}  // namespace

Progress::Progress(int descriptor)
    : descriptor_(is_terminal(descriptor) && knows_escapes() ? descriptor : -1) {}

Progress::~Progress() {
    if (turns_ > 0) write(std::string(kClearLine));
}

void Progress::write(const std::string& text) const {
    static_cast<void>(!::write(descriptor_, text.data(), text.size()));
}

void Progress::show(const JsonObject& change) {
    const JsonObject* task = descriptor_ < 0 ? nullptr : task_under_way(change);
    if (task == nullptr) return;
    const int columns = terminal_size(descriptor_).width;
    const auto width = static_cast<std::size_t>(columns > 10 ? columns : 80) - 3;
    std::string text(kClearLine);
    std::string& seen = last_log_[pebble::text_of(*task, "id")];
    if (std::string line = last_line_of_log(*task); !line.empty() && line != seen) {
        text += line + "\r\n";
        seen = std::move(line);
    }
    std::string what = pebble::text_of(*task, "summary");
    std::ranges::replace_if(what, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    text += fmt::format("{} {}", cut(std::move(what), width), kSpinner[turns_++ % kSpinner.size()]);
    write(text);
}

}  // namespace pgherd::pebble_cli
