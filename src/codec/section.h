// Reading values out of a document with checks: the common part of the agent's and the dynamic configuration.
//
// A read leaves its target alone when the key is absent or null, and when the value is wrong: then the
// mistake is noted, and the first one is what the user gets to see. So a reader is a list of reads without a
// branch after each, and asks once at the end. Types are as lenient as Patroni's: "30" is a number, "on" is a
// boolean, 5 is a text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/agent_config.h"

namespace pgherd {

// Where keys were written: "postgresql.listen" -> "patroni.yml:12".
struct Places {
    std::string source;
    std::map<std::string, std::string, std::less<>> places;

    // The place of `path`, or of the nearest section around it.
    std::string of(std::string_view path) const;
};

class Mistakes {
  public:
    Mistakes() = default;
    explicit Mistakes(const Places& places) : places_(&places) {}

    void add(std::string_view path, std::string_view what);
    Status status() const;

  private:
    const Places* places_ = nullptr;
    std::optional<Error> first_;
};

class Section {
  public:
    // All of them outlive the Section. `path` is how messages call it; empty = the whole document.
    Section(const JsonObject& object, std::string path, Mistakes& mistakes)
        : object_(&object), path_(std::move(path)), mistakes_(&mistakes) {}

    const JsonObject& object() const { return *object_; }
    const Json* find(std::string_view key) const;  // null counts as absent
    bool has(std::string_view key) const { return find(key) != nullptr; }
    Section section(std::string_view key) const;  // an empty one when absent
    std::string path_of(std::string_view key) const;
    void mistake(std::string_view key, std::string_view what) const { mistakes_->add(path_of(key), what); }

    void read(std::string_view key, std::string& target) const;
    void read(std::string_view key, bool& target) const;
    void read(std::string_view key, std::int64_t& target) const;
    void read(std::string_view key, int& target) const;
    void read(std::string_view key, std::uint16_t& target) const;  // a port
    void read(std::string_view key, Duration& target) const;       // seconds, or with a unit
    void read(std::string_view key, std::vector<std::string>& target) const;
    void read(std::string_view key, std::map<std::string, std::string>& target) const;  // true -> "on"
    void read(std::string_view key, Endpoint& target, std::uint16_t default_port) const;
    void read_bytes(std::string_view key, std::int64_t& target) const;
    // A list, or one text with commas.
    void read_list_or_text(std::string_view key, std::vector<std::string>& target) const;
    // Command line arguments: a list of "x" and {x: y}, or a mapping, to "--x" and "--x=y".
    void read_arguments(std::string_view key, std::vector<std::string>& target) const;
    // One of `choices`.
    void read_choice(std::string_view key, std::string& target,
                     std::initializer_list<std::string_view> choices) const;

  private:
    const JsonObject* object_;
    std::string path_;
    Mistakes* mistakes_;
};

// A scalar as a text (true -> "on"); nothing for a list, a mapping or null.
std::optional<std::string> scalar_text(const Json& json);
std::optional<bool> scalar_bool(const Json& json);
std::optional<std::int64_t> scalar_int(const Json& json);
std::string describe(const Json& json);  // for messages: "a list", "\"abc\""

}  // namespace pgherd
