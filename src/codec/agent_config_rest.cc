// restapi, ctl, watchdog, log.
#include <fmt/format.h>

#include "codec/agent_config_sections.h"

namespace pgherd {
namespace {

constexpr std::uint16_t kRestPort = 8008;

template <class Config>
void read_authentication(const Section& section, Config& config) {
    Section authentication = section.section("authentication");
    authentication.read("username", config.username);
    read_password(authentication, config.password, config.password_file);
    if (config.username.empty() && !config.password.empty())
        authentication.mistake("username", "missing, but there is a password");
}

void read_tls(const Section& section, std::string_view ca_key, TlsFiles& tls) {
    section.read(ca_key, tls.ca_file);
    section.read("certfile", tls.cert_file);
    section.read("keyfile", tls.key_file);
    section.read("keyfile_password", tls.key_password);
}

}  // namespace

bool is_concrete_host(std::string_view host) {
    for (auto any : {"", "*", "0.0.0.0", "::", "0:0:0:0:0:0:0:0"})
        if (host == any) return false;
    return true;
}

void read_restapi(const Section& restapi, RestApiConfig& config) {
    restapi.read("listen", config.listen, kRestPort);
    config.connect_address = config.listen;
    restapi.read("connect_address", config.connect_address, kRestPort);
    if (!restapi.has("connect_address") && !is_concrete_host(config.listen.host))
        restapi.mistake("connect_address",
                        fmt::format("missing; others cannot connect to \"{}\"", to_string(config.listen)));
    read_tls(restapi, "cafile", config.tls);
    restapi.read_choice("verify_client", config.verify_client, {"none", "optional", "required"});
    if (config.verify_client != "none" && config.tls.ca_file.empty())
        restapi.mistake("cafile", "missing; client certificates cannot be verified without it");
    read_authentication(restapi, config);
    restapi.read_list_or_text("allowlist", config.allowlist);
    restapi.read("allowlist_include_members", config.allowlist_include_members);
    restapi.read("http_extra_headers", config.http_extra_headers);
    if (!config.tls.cert_file.empty()) restapi.read("https_extra_headers", config.http_extra_headers);
}

// What ctl does not say for itself it shares with the REST API, so that members can ask one another.
void read_ctl(const Section& ctl, const RestApiConfig& restapi, CtlConfig& config) {
    config.tls = restapi.tls;
    read_tls(ctl, "cacert", config.tls);
    ctl.read("insecure", config.insecure);
    config.tls.verify = !config.insecure;
    read_authentication(ctl, config);
    if (config.username.empty()) {
        config.username = restapi.username;
        config.password = restapi.password;
    }
}

void read_watchdog(const Section& watchdog, WatchdogConfig& config) {
    std::string mode = "off";  // YAML's plain `off` is a boolean, which reads as "off"
    watchdog.read_choice("mode", mode, {"off", "automatic", "required"});
    config.mode = mode == "automatic"  ? WatchdogConfig::Mode::automatic
                  : mode == "required" ? WatchdogConfig::Mode::required
                                       : WatchdogConfig::Mode::off;
    watchdog.read("device", config.device);
    watchdog.read("safety_margin", config.safety_margin);
}

void read_log(const Section& log, LogConfig& config) {
    log.read_choice("level", config.level, {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"});
    std::string type = "plain";
    if (const Json* value = log.find("type"); !value || !value->is_array()) {
        log.read_choice("type", type, {"plain", "json"});
        config.json = type == "json";
    }
    log.read("dir", config.dir);
}

}  // namespace pgherd
