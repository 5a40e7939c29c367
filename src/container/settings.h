// What a container's environment says of the cluster and of this member.
//
// The names are those of the `postgres` image (POSTGRES_PASSWORD, PGDATA, …) and Patroni's (PATRONI_SCOPE,
// PATRONI_KUBERNETES_POD_IP, …). Other PATRONI_* variables are left to the agent, which reads them itself.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "workload/spec.h"

namespace pgherd::container {

using Environment = std::map<std::string, std::string>;

struct Settings {
    std::string run_dir;      // files of this start
    std::string secrets_dir;  // mounted passwords, a file each: superuser-password, …
    std::string own_config;   // users' *.yml of the agent, read after ours
    std::string scripts_dir;  // what a new cluster's first member runs
    std::string password;     // of the superuser, when a variable holds it
    std::string database;     // a new cluster's first one
    bool shared = false;      // there may be other members
    // Passwords not filled in.
    ClusterSpec cluster;
    MemberSpec member;
};

// Variables that hold secrets, or that are used up here.
extern const std::vector<std::string> kUsedUp;

// `host_name`: the container's. An error says which variable is wrong or missing.
Result<Settings> read_settings(const Environment& environment, const std::string& host_name);

}  // namespace pgherd::container
