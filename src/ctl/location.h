// Which cluster is meant, and how to get at it.
#pragma once

#include <string>

#include "codec/agent_config.h"
#include "model/agent_config.h"

namespace pgherd::ctl {

// As given on the command line; empty = not given.
struct LocationOptions {
    std::string dir;     // of `pgherd up`
    std::string config;  // an agent's or patronictl's file
    std::string store;   // URL
    std::string scope;
    bool insecure = false;
};

struct Location {
    std::string source;  // what said so, for messages
    std::string scope;   // empty = the only one in the store
    std::string namespace_ = "service";
    StoreConfig store;
    CtlConfig rest;

    std::string key_prefix() const { return "/" + namespace_ + "/" + scope + "/"; }
};

// The first that is given of: dir, config, store, $PGHERD_DIR, $PATRONICTL_CONFIG_FILE, ~/.pgherd/default.
// Errors: invalid (the options contradict each other, a file is wrong), not_found (no such directory or
// file).
Result<Location> locate(const LocationOptions& options, const Environment& environment);

// "etcd://a:2379,b:2379[/namespace]" (etcds:// with TLS; etcd3:// as Patroni writes it) or "sqlite:/path".
Result<Location> parse_store_url(const std::string& url);

}  // namespace pgherd::ctl
