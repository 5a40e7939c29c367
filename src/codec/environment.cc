// The variables come in three kinds: the ones of known sections (PATRONI_POSTGRESQL_LISTEN), users
// (PATRONI_SUPERUSER_PASSWORD), and the generic rule for stores, where the name's first word is the section
// (PATRONI_ETCD3_HOSTS). Empty values count as unset; variables that fit nowhere are left alone.
#include "codec/environment.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "codec/yaml.h"

namespace pgherd {
namespace {

constexpr std::string_view kPrefix = "PATRONI_";

enum class Kind { text, list, mapping };

// The variable is PATRONI_<path in capitals, "_" for ".">.
struct Variable {
    std::string_view path;
    Kind kind = Kind::text;
};

constexpr Variable kVariables[] = {
    {"name"},
    {"namespace"},
    {"scope"},
    {"thread_pool_size"},
    {"thread_stack_size"},
    {"restapi.listen"},
    {"restapi.connect_address"},
    {"restapi.certfile"},
    {"restapi.keyfile"},
    {"restapi.keyfile_password"},
    {"restapi.cafile"},
    {"restapi.ciphers"},
    {"restapi.verify_client"},
    {"restapi.http_extra_headers", Kind::mapping},
    {"restapi.https_extra_headers", Kind::mapping},
    {"restapi.allowlist", Kind::list},
    {"restapi.allowlist_include_members"},
    {"restapi.request_queue_size"},
    {"restapi.server_tokens"},
    {"restapi.thread_pool_size"},
    {"ctl.insecure"},
    {"ctl.cacert"},
    {"ctl.certfile"},
    {"ctl.keyfile"},
    {"ctl.keyfile_password"},
    {"postgresql.listen"},
    {"postgresql.connect_address"},
    {"postgresql.proxy_address"},
    {"postgresql.config_dir"},
    {"postgresql.data_dir"},
    {"postgresql.pgpass"},
    {"postgresql.bin_dir"},
    {"postgresql.run_as"},
    {"log.type"},
    {"log.level"},
    {"log.traceback_level"},
    {"log.format"},
    {"log.dateformat"},
    {"log.static_fields", Kind::mapping},
    {"log.max_queue_size"},
    {"log.dir"},
    {"log.mode"},
    {"log.file_num"},
    {"log.file_size"},
    {"log.loggers", Kind::mapping},
    {"log.deduplicate_heartbeat_logs"},
    {"sqlite.path"},
};

constexpr std::string_view kUserParameters[] = {
    "username",   "password",        "password_file",  "sslmode", "sslcert",
    "sslkey",     "sslpassword",     "sslrootcert",    "sslcrl",  "sslcrldir",
    "gssencmode", "channel_binding", "sslnegotiation",
};

constexpr std::string_view kBinaries[] = {"pg_ctl",   "initdb",     "pg_controldata", "pg_basebackup",
                                          "postgres", "pg_isready", "pg_rewind"};

constexpr Variable kStoreParameters[] = {
    {"host"},
    {"hosts", Kind::list},
    {"port"},
    {"use_proxies"},
    {"protocol"},
    {"srv"},
    {"srv_suffix"},
    {"url"},
    {"proxy"},
    {"cacert"},
    {"cert"},
    {"key"},
    {"verify"},
    {"token"},
    {"checks", Kind::list},
    {"dc"},
    {"consistency"},
    {"register_service"},
    {"service_check_interval"},
    {"service_check_tls_server_name"},
    {"service_tags", Kind::list},
    {"namespace"},
    {"context"},
    {"kubeconfig"},
    {"leases"},
    {"use_endpoints"},
    {"scope_label"},
    {"role_label"},
    {"pod_ip"},
    {"ports", Kind::list},
    {"labels", Kind::mapping},
    {"bypass_api_service"},
    {"retriable_http_codes", Kind::list},
    {"key_password"},
    {"use_ssl"},
    {"set_acls", Kind::mapping},
    {"group"},
    {"database"},
    {"leader_label_value"},
    {"follower_label_value"},
    {"standby_leader_label_value"},
    {"tmp_role_label"},
    {"auth_data", Kind::mapping},
    {"bootstrap_labels", Kind::mapping},
};

std::string upper(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? char(c - 32) : c == '.' ? '_' : c;
    });
    return result;
}

class Reader {
  public:
    explicit Reader(const Environment& environment) : environment_(environment) {
        result_.places.source = "environment";
    }

    Status known_variables() {
        for (const Variable& variable : kVariables)
            PGHERD_CHECK(take(upper(variable.path), variable.path, variable.kind));
        for (auto binary : kBinaries)
            PGHERD_CHECK(take("POSTGRESQL_BIN_" + upper(binary),
                              fmt::format("postgresql.bin_name.{}", binary), Kind::text));
        return {};
    }

    Status users() {
        for (auto user : {"superuser", "replication", "rewind"})
            for (auto parameter : kUserParameters)
                PGHERD_CHECK(take(upper(fmt::format("{}_{}", user, parameter)),
                                  fmt::format("postgresql.authentication.{}.{}", user, parameter),
                                  Kind::text));
        for (auto section : {"restapi", "ctl"})
            for (auto parameter : {"username", "password", "password_file"})
                PGHERD_CHECK(take(upper(fmt::format("{}_{}", section, parameter)),
                                  fmt::format("{}.authentication.{}", section, parameter), Kind::text));
        for (auto parameter : {"username", "password"}) {
            for (auto section : {"etcd", "etcd3"})
                PGHERD_CHECK(take(upper(fmt::format("{}_{}", section, parameter)),
                                  fmt::format("{}.{}", section, parameter), Kind::text));
        }
        return {};
    }

    Status stores() {
        for (const auto& [name, value] : environment_) {
            if (!name.starts_with(kPrefix)) continue;
            std::string_view rest = std::string_view(name).substr(kPrefix.size());
            auto section = rest.substr(0, rest.find('_'));
            if (section.empty() || section.size() == rest.size()) continue;
            auto parameter = to_lower(rest.substr(section.size() + 1));
            auto found = std::ranges::find(kStoreParameters, parameter, &Variable::path);
            if (found == std::end(kStoreParameters)) continue;
            PGHERD_CHECK(
                take(std::string(rest), fmt::format("{}.{}", to_lower(section), parameter), found->kind));
        }
        return {};
    }

    EnvironmentDocument take_result() { return std::move(result_); }

  private:
    Status take(const std::string& name, std::string_view path, Kind kind) {
        auto variable = std::string(kPrefix) + name;
        auto found = environment_.find(variable);
        if (found == environment_.end() || found->second.empty()) return {};
        PGHERD_TRY(Json value, parse(variable, found->second, kind));
        JsonObject* object = &result_.object;
        auto steps = split(path, '.');
        for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
            Json& inner = (*object)[steps[i]];
            if (!inner.is_object()) inner.emplace_object();
            object = &inner.get_object();
        }
        (*object)[steps.back()] = std::move(value);
        result_.places.places.insert_or_assign(std::string(path), variable);
        return {};
    }

    // Lists and mappings are YAML, their brackets may be left out: "a:1,b:2", "key: value".
    static Result<Json> parse(const std::string& variable, const std::string& text, Kind kind) {
        if (kind == Kind::text) return Json(text);
        auto trimmed = trim(text);
        std::string yaml(trimmed);
        if (kind == Kind::list && !trimmed.starts_with('-') && !trimmed.starts_with('['))
            yaml = "[" + yaml + "]";
        if (kind == Kind::mapping && !trimmed.starts_with('{')) yaml = "{" + yaml + "}";
        PGHERD_TRY(Json value, parse_yaml(yaml, variable));
        if (kind == Kind::list && !value.is_array())
            return fail(ErrorCode::invalid,
                        fmt::format("{}: expected a list, got {}", variable, describe(value)));
        if (kind == Kind::mapping && !value.is_object())
            return fail(ErrorCode::invalid,
                        fmt::format("{}: expected \"key: value\" pairs, got {}", variable, describe(value)));
        return value;
    }

    const Environment& environment_;
    EnvironmentDocument result_;
};

}  // namespace

Environment current_environment() {
    Environment environment;
    for (char** entry = environ; entry && *entry; ++entry) {
        std::string_view text = *entry;
        auto equals = text.find('=');
        if (equals != std::string_view::npos)
            environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

Result<EnvironmentDocument> read_environment(const Environment& environment) {
    Reader reader(environment);
    PGHERD_CHECK(reader.known_variables());
    PGHERD_CHECK(reader.users());
    PGHERD_CHECK(reader.stores());
    return reader.take_result();
}

}  // namespace pgherd
