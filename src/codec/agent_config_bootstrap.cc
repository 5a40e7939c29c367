// The bootstrap section: how the very first member makes the cluster.
#include <fmt/format.h>

#include "codec/agent_config_sections.h"
#include "codec/dynamic_config_section.h"

namespace pgherd {
namespace {

void read_initdb(const Section& bootstrap, BootstrapConfig& config) {
    bootstrap.read_arguments("initdb", config.initdb);
    for (const auto& argument : config.initdb)
        for (auto own : {"pgdata", "pwfile", "username"})
            if (argument.starts_with(fmt::format("--{}", own)))
                bootstrap.mistake("initdb", fmt::format("\"{}\" is set by pgherd itself; remove it", own));
}

void read_custom_method(const Section& bootstrap, BootstrapConfig& config) {
    bootstrap.read("method", config.method);
    if (config.method.empty() || config.method == "initdb") return config.method.clear();
    if (!bootstrap.has(config.method))
        return bootstrap.mistake(config.method,
                                 "missing; \"method\" names it, so it needs a section with a \"command\"");
    Section method = bootstrap.section(config.method);
    config.custom = read_method(method, config.method);
    method.read("keep_existing_recovery_conf", config.custom_keep_existing_recovery_conf);
    method.read("recovery_conf", config.custom_recovery_conf);
}

}  // namespace

void read_bootstrap(const Section& bootstrap, BootstrapConfig& config) {
    Section dcs = bootstrap.section("dcs");
    config.dcs = dcs.object();
    read_dynamic_config(dcs);  // for its mistakes: better now than after initdb
    read_initdb(bootstrap, config);
    read_custom_method(bootstrap, config);
    bootstrap.read("post_init", config.post_bootstrap);
    bootstrap.read("post_bootstrap", config.post_bootstrap);
}

}  // namespace pgherd
