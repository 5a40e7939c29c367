#include "supervise/command.h"

#include <fmt/format.h>

#include "base/text.h"
#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("@%_+=:,./-").find(c) != std::string_view::npos;
}

// Walks over a command line; one call, one word.
class Splitter {
  public:
    explicit Splitter(std::string_view text) : text_(text) {}

    Result<bool> next(std::string& word) {
        skip_blanks_and_comments();
        if (at_ == text_.size()) return false;
        word.clear();
        while (at_ < text_.size() && !is_blank(text_[at_])) {
            const char c = text_[at_++];
            if (c == '\'') {
                PGHERD_CHECK(single_quoted(word));
            } else if (c == '"') {
                PGHERD_CHECK(double_quoted(word));
            } else if (c == '\\') {
                if (at_ == text_.size()) return fail(ErrorCode::invalid, "EOF found after escape character");
                word += text_[at_++];
            } else {
                word += c;
            }
        }
        return true;
    }

  private:
    void skip_blanks_and_comments() {
        while (at_ < text_.size()) {
            if (is_blank(text_[at_]))
                ++at_;
            else if (text_[at_] == '#')
                at_ = std::min(text_.find('\n', at_), text_.size());
            else
                return;
        }
    }
    static std::unexpected<Error> unclosed() {
        return fail(ErrorCode::invalid, "EOF found when expecting closing quote");
    }
    Status single_quoted(std::string& word) {
        const std::size_t end = text_.find('\'', at_);
        if (end == std::string_view::npos) return unclosed();
        word += text_.substr(at_, end - at_);
        at_ = end + 1;
        return {};
    }
    Status double_quoted(std::string& word) {
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '"') return ++at_, Status{};
            if (text_[at_] == '\\' && ++at_ == text_.size()) break;
            word += text_[at_];
        }
        return unclosed();
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view text) {
    Splitter splitter(text);
    std::vector<std::string> words;
    std::string word;
    while (true) {
        PGHERD_TRY(const bool more, splitter.next(word));
        if (!more) return words;
        words.push_back(word);
    }
}

std::string join_command(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        if (!text.empty()) text += ' ';
        if (!word.empty() && std::ranges::all_of(word, is_plain)) {
            text += word;
            continue;
        }
        text += '\'';
        for (const char c : word) text += c == '\'' ? std::string("'\"'\"'") : std::string(1, c);
        text += '\'';
    }
    return text;
}

std::vector<std::string> ServiceCommand::words() const {
    std::vector<std::string> all = base;
    all.insert(all.end(), default_arguments.begin(), default_arguments.end());
    return all;
}

std::string ServiceCommand::with_arguments(const std::vector<std::string>& arguments) const {
    std::string text = join_command(base);
    if (!arguments.empty()) text += fmt::format(" [ {} ]", join_command(arguments));
    return text;
}

Result<ServiceCommand> parse_service_command(std::string_view service, std::string_view command) {
    const auto invalid = [&](std::string_view why) {
        return fail(ErrorCode::invalid,
                    fmt::format("cannot parse service {} command: {}", go_quote(service), why));
    };
    const auto words = split_command(command);
    if (!words) return invalid(words.error().message);
    ServiceCommand result;
    bool inside = false, closed = false;
    for (const std::string& word : *words) {
        if (word == "[") {
            if (result.base.empty()) return invalid("cannot start command with [ ... ] group");
            if (inside || closed) return invalid("cannot nest [ ... ] groups");
            inside = true;
        } else if (word == "]") {
            if (!inside) return invalid("cannot have ] outside of [ ... ] group");
            inside = false;
            closed = true;
        } else if (closed) {
            return invalid("cannot have any arguments after [ ... ] group");
        } else {
            (inside ? result.default_arguments : result.base).push_back(word);
        }
    }
    if (inside) return invalid("cannot find the ] that ends the [ ... ] group");
    if (result.base.empty()) return invalid("command is empty");
    return result;
}

}  // namespace pgherd::supervise
