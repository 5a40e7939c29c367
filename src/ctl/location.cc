#include "ctl/location.h"

#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "codec/json.h"
#include "ctl/named_file.h"

namespace pgherd::ctl {
namespace {

// What may not be looked at is not there.
bool is_there(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

std::string variable(const Environment& environment, const std::string& name) {
    auto found = environment.find(name);
    return found == environment.end() ? "" : found->second;
}

Error wrong(const std::string& file, std::string_view why) {
    return {.code = ErrorCode::invalid, .message = fmt::format("cannot use {}: {}", file, why)};
}

const JsonObject* section(const JsonObject& document, std::string_view key) {
    const Json* value = document.if_contains(key);
    return value && value->is_object() ? &value->get_object() : nullptr;
}

std::string text_of(const JsonObject* document, std::string_view key) {
    const Json* value = document ? document->if_contains(key) : nullptr;
    return value && value->is_string() ? std::string(value->get_string()) : "";
}

// What `pgherd up` wrote into its directory.
Result<Location> from_directory(const std::filesystem::path& dir) {
    auto path = dir / "cluster.json";
    auto text = read_named_file(path, ErrorCode::not_found);
    if (!text)
        return fail(ErrorCode::not_found,
                    fmt::format("no cluster in {}: {}; name one with --dir, -c or --store, or start one with "
                                "`pgherd up --dir {}`",
                                dir.string(), text.error().message, dir.string()));
    auto document = parse_json_object(*text);
    if (!document) return std::unexpected(wrong(path.string(), document.error().message));
    Location location;
    location.source = path.string();
    location.scope = text_of(&*document, "scope");
    if (auto name = text_of(&*document, "namespace"); !name.empty()) location.namespace_ = name;

    const JsonObject* store = section(*document, "store");
    const Json* etcd = store ? store->if_contains("etcd") : nullptr;
    if (auto file = text_of(store, "sqlite"); !file.empty()) {
        location.store.kind = StoreKind::sqlite;
        location.store.path = (dir / file).string();
    } else if (etcd && etcd->is_array()) {
        location.store.kind = StoreKind::etcd;
        for (const Json& host : etcd->get_array()) {
            PGHERD_TRY(auto endpoint,
                       parse_endpoint(host.is_string() ? std::string_view(host.get_string()) : "", 2379));
            location.store.endpoints.push_back(std::move(endpoint));
        }
    } else {
        return std::unexpected(wrong(path.string(), "\"store\" has neither \"sqlite\" nor \"etcd\""));
    }

    const JsonObject* rest = section(*document, "rest");
    location.rest.username = text_of(rest, "username");
    if (auto file = text_of(rest, "password_file"); !file.empty()) {
        PGHERD_TRY(auto password, read_named_file(dir / file, ErrorCode::not_found));
        location.rest.password = trim(password);
    }
    return location;
}

// A patronictl.yaml lacks what only an agent needs; with that filled in, the agent's reader does the rest.
std::string completed(const Json& document) {
    Json copy = document;
    if (!copy.is_object()) copy = JsonObject{};
    JsonObject& all = copy.get_object();
    all["name"] = "ctl";
    if (!all.contains("scope")) all["scope"] = "";
    all["postgresql"] = JsonObject{
        {"listen", "127.0.0.1:5432"}, {"connect_address", "127.0.0.1:5432"}, {"data_dir", "/nonexistent"}};
    Json* restapi = all.if_contains("restapi");
    JsonObject kept = restapi && restapi->is_object() ? restapi->get_object() : JsonObject{};
    // Not in one statement: the second new key may move what the first one's reference refers to.
    kept["listen"] = "127.0.0.1:8008";
    kept["connect_address"] = "127.0.0.1:8008";
    all["restapi"] = std::move(kept);
    all.erase("bootstrap");
    all.erase("watchdog");
    return to_yaml(copy);
}

Result<Location> from_config(const std::string& path, const Environment& environment) {
    auto text = read_named_file(path, ErrorCode::not_found);
    if (!text) return std::unexpected(text.error());
    auto config = parse_agent_config(*text, path, environment);
    if (!config) {
        PGHERD_TRY(auto document, parse_yaml(*text, path));
        auto relaxed = parse_agent_config(completed(document), path, environment);
        if (!relaxed) return std::unexpected(config.error());
        config = std::move(relaxed);
    }
    Location location{.source = path,
                      .scope = config->scope,
                      .namespace_ = config->namespace_,
                      .store = config->store,
                      .rest = config->ctl};
    if (location.rest.username.empty()) {
        location.rest.username = config->restapi.username;
        location.rest.password = config->restapi.password;
    }
    if (location.rest.tls.ca_file.empty()) location.rest.tls.ca_file = config->restapi.tls.ca_file;
    return location;
}

Result<Location> choose(const LocationOptions& options, const Environment& environment) {
    if (!options.dir.empty()) return from_directory(options.dir);
    if (!options.config.empty()) return from_config(options.config, environment);
    if (!options.store.empty()) return parse_store_url(options.store);
    if (auto dir = variable(environment, "PGHERD_DIR"); !dir.empty()) return from_directory(dir);
    if (auto file = variable(environment, "PATRONICTL_CONFIG_FILE"); !file.empty())
        return from_config(file, environment);
    auto of_user = std::filesystem::path(variable(environment, "HOME")) / ".pgherd" / "default";
    // Where root's `pgherd up` keeps its cluster: PostgreSQL's user cannot enter root's home.
    std::filesystem::path of_root = "/var/lib/pgherd/default";
    bool use_root = ::geteuid() == 0 && !is_there(of_user) && is_there(of_root);
    return from_directory(use_root ? of_root : of_user);
}

}  // namespace

Result<Location> parse_store_url(const std::string& url) {
    Location location{.source = url};
    auto colon = url.find(':');
    std::string scheme = url.substr(0, colon);
    std::string rest = colon == std::string::npos ? "" : url.substr(colon + 1);
    auto bad = [&] {
        return fail(
            ErrorCode::invalid,
            fmt::format("\"{}\" is not the URL of a store: expected etcd://host:port[,host:port][/namespace] "
                        "or sqlite:/path/to/file",
                        url));
    };
    if (scheme == "sqlite") {
        if (rest.starts_with("//")) rest.erase(0, 2);
        if (rest.empty()) return bad();
        location.store.kind = StoreKind::sqlite;
        location.store.path = rest;
        return location;
    }
    if ((scheme != "etcd" && scheme != "etcd3" && scheme != "etcds") || !rest.starts_with("//")) return bad();
    rest.erase(0, 2);
    if (auto slash = rest.find('/'); slash != std::string::npos) {
        if (auto name = trim(std::string_view(rest).substr(slash + 1)); !name.empty())
            location.namespace_ = name;
        rest.erase(slash);
    }
    location.store.kind = StoreKind::etcd;
    location.store.https = scheme == "etcds";
    for (const std::string& host : split(rest, ',')) {
        auto endpoint = parse_endpoint(host, 2379);
        if (!endpoint) return bad();
        location.store.endpoints.push_back(std::move(*endpoint));
    }
    return location;
}

Result<Location> locate(const LocationOptions& options, const Environment& environment) {
    int given = !options.dir.empty() + !options.config.empty() + !options.store.empty();
    if (given > 1)
        return fail(ErrorCode::invalid,
                    "--dir, -c and --store exclude one another: each says where the cluster is");
    PGHERD_TRY(auto location, choose(options, environment));
    if (!options.scope.empty()) {
        if (location.store.kind == StoreKind::sqlite && !location.scope.empty() &&
            location.scope != options.scope)
            return fail(ErrorCode::not_found, fmt::format("no cluster \"{}\": {} is of \"{}\"", options.scope,
                                                          location.source, location.scope));
        location.scope = options.scope;
    }
    if (location.rest.username.empty()) {
        location.rest.username = variable(environment, "PATRONI_RESTAPI_USERNAME");
        location.rest.password = variable(environment, "PATRONI_RESTAPI_PASSWORD");
    }
    if (options.insecure) {
        location.rest.insecure = true;
        location.rest.tls.verify = false;
    }
    return location;
}

}  // namespace pgherd::ctl
