// The agent's configuration: file (or directory), then variables, merged into one document, then understood.
#include "codec/agent_config.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>

#include "base/files.h"
#include "base/text.h"
#include "codec/agent_config_sections.h"
#include "codec/environment.h"
#include "codec/json.h"
#include "codec/tags.h"
#include "codec/yaml.h"

namespace pgherd {
namespace {

constexpr std::array<std::string_view, 20> kTopLevel{
    "name",       "scope", "namespace",  "thread_pool_size", "thread_stack_size", "log",       "bootstrap",
    "sqlite",     "etcd",  "etcd3",      "consul",           "zookeeper",         "exhibitor", "raft",
    "kubernetes", "citus", "postgresql", "restapi",          "watchdog",          "tags"};

// How many letters to insert, drop or change to make `a` of `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t(0));
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = std::exchange(row[j + 1], std::min({changed, row[j] + 1, row[j + 1] + 1}));
        }
    }
    return row.back();
}

// Unknown keys are the user's own business, but one that nearly is a known one is a slip that would otherwise
// show up as something missing.
void find_misspelt_keys(const Section& root) {
    for (const auto& [key, value] : root.object()) {
        std::string_view name = key;
        if (name == "ctl" || std::ranges::find(kTopLevel, name) != kTopLevel.end()) continue;
        for (auto known : kTopLevel) {
            std::size_t allowed = known.size() > 5 ? 2 : 1;
            bool near = name == "postgres" || name == "pg" ? known == "postgresql"
                                                           : edit_distance(to_lower(name), known) <= allowed;
            if (near && !root.object().contains(known))
                return root.mistake(name, fmt::format("unknown; did you mean \"{}\"?", known));
        }
    }
}

void read_identity(const Section& root, AgentConfig& config) {
    std::string name;
    root.read("scope", config.scope);
    root.read("name", name);
    root.read("namespace", config.namespace_);
    for (auto [key, text, what] : {std::tuple{"scope", &config.scope, "the name of the cluster"},
                                   std::tuple{"name", &name, "the name of this member"}}) {
        if (text->empty()) return root.mistake(key, fmt::format("missing; expected {}", what));
        if (text->find('/') != std::string::npos)
            return root.mistake(key, fmt::format("\"{}\" must not contain \"/\"", *text));
    }
    config.name = MemberName(std::move(name));
    while (config.namespace_.starts_with('/')) config.namespace_.erase(0, 1);
    while (config.namespace_.ends_with('/')) config.namespace_.pop_back();
}

Result<AgentConfig> understand(JsonObject document, const Places& places) {
    AgentConfig config;
    config.source = places.source;
    config.document = std::move(document);
    Mistakes mistakes(places);
    Section root(config.document, "", mistakes);
    find_misspelt_keys(root);
    read_identity(root, config);
    read_store(root, config.store);
    config.tags = read_tags(root.section("tags"));
    read_log(root.section("log"), config.log);
    read_restapi(root.section("restapi"), config.restapi);
    read_ctl(root.section("ctl"), config.restapi, config.ctl);
    read_watchdog(root.section("watchdog"), config.watchdog);
    read_postgres(root.section("postgresql"), config.name, config.postgres);
    config.has_bootstrap = root.has("bootstrap");
    read_bootstrap(root.section("bootstrap"), config.bootstrap);
    PGHERD_CHECK(mistakes.status());
    return config;
}

struct Text {
    std::string source;
    std::string yaml;
};

// Later texts win over earlier ones, variables over all.
Result<AgentConfig> combine(const std::string& source, const std::vector<Text>& texts,
                            const Environment& environment) {
    Places places{source, {}};
    JsonObject document;
    bool first = true;
    auto add = [&](const JsonObject& object, const Places& more) {
        // A null in a single file stays there; in a later one it deletes.
        if (std::exchange(first, false))
            document = object;
        else
            merge_patch(document, object);
        for (const auto& [path, place] : more.places) places.places.insert_or_assign(path, place);
    };
    for (const Text& text : texts) {
        PGHERD_TRY(YamlDocument part, read_yaml(text.yaml, text.source));
        if (part.json.is_null()) continue;
        if (!part.json.is_object())
            return fail(ErrorCode::invalid, fmt::format("{}: expected sections (a mapping), got {}",
                                                        text.source, describe(part.json)));
        add(part.json.get_object(), part.places);
    }
    PGHERD_TRY(EnvironmentDocument variables, read_environment(environment));
    add(variables.object, variables.places);
    return understand(std::move(document), places);
}

// All *.yml and *.yaml of a directory, by name.
Result<std::vector<std::filesystem::path>> files_in(const std::string& directory) {
    std::error_code error;
    std::vector<std::filesystem::path> files;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        auto extension = entry->path().extension();
        if (extension == ".yml" || extension == ".yaml") files.push_back(entry->path());
    }
    if (error)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot read configuration {}: {}", directory, error.message()));
    if (files.empty())
        return fail(ErrorCode::invalid,
                    fmt::format("cannot read configuration {}: no *.yml file in it", directory));
    std::ranges::sort(files);
    return files;
}

}  // namespace

void read_password(const Section& section, std::string& password, std::string& file) {
    section.read("password", password);
    section.read("password_file", file);
    if (file.empty()) return;
    if (section.has("password"))
        return section.mistake("password_file", "there is a password as well; keep one of them");
    auto text = read_file(file, "password file");
    if (!text) return section.mistake("password_file", text.error().message);
    password = text->substr(0, text->find_first_of("\r\n"));
    if (password.empty())
        section.mistake("password_file", fmt::format("the first line of {} is empty", file));
}

Result<AgentConfig> load_agent_config(const std::string& path, const Environment& environment) {
    if (path.empty()) {
        auto found = environment.find("PATRONI_CONFIGURATION");
        std::string text = found == environment.end() ? "" : found->second;
        return combine(text.empty() ? "environment" : "PATRONI_CONFIGURATION",
                       {{"PATRONI_CONFIGURATION", text}}, environment);
    }
    std::error_code error;
    std::vector<std::filesystem::path> files{path};
    if (std::filesystem::is_directory(path, error)) {
        PGHERD_TRY(files, files_in(path));
    }
    std::vector<Text> texts;
    for (const auto& file : files) {
        PGHERD_TRY(std::string text, read_file(file, "configuration"));
        texts.push_back({file.string(), std::move(text)});
    }
    return combine(path, texts, environment);
}

Result<AgentConfig> parse_agent_config(std::string_view yaml, const std::string& source,
                                       const Environment& environment) {
    return combine(source, {{source, std::string(yaml)}}, environment);
}

}  // namespace pgherd
