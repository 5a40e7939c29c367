// What a cluster and its members should be, before it is spread over files.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "model/agent_config.h"

namespace pgherd {

struct SqliteStore {
    std::string path;  // of the database file, the same one for all members
};

struct EtcdStore {
    std::vector<Endpoint> endpoints;
    bool https = false;
    TlsFiles tls;
    std::string username;
    std::string password;
};

struct ClusterSpec {
    std::string scope;
    std::string namespace_ = "service";
    std::string superuser_password;
    std::string replication_password;
    std::string rewind_password;  // empty = the superuser rewinds
    std::string rest_username;    // of the REST API's changes; empty = only this machine may change something
    std::string rest_password;
    JsonObject dynamic_config;        // the cluster's first one
    std::vector<std::string> initdb;  // arguments, in command line form: "--data-checksums"
    std::variant<SqliteStore, EtcdStore> store;
};

struct MemberSpec {
    MemberName name;
    std::string host = "127.0.0.1";  // where it listens and others reach it
    std::uint16_t postgres_port = 5432;
    std::uint16_t rest_port = 8008;
    std::string data_dir;
    std::string bin_dir;     // empty = search
    std::string socket_dir;  // empty = PostgreSQL's default
    std::string run_as;      // user of the PostgreSQL processes when the agent is root; empty = "postgres"
    std::string log_dir;     // empty = stderr
};

// A cluster on one machine: everything close together, so that a dead primary is noticed within seconds.
// Scope, passwords and the store's path are the caller's to fill in.
ClusterSpec local_cluster_defaults();

}  // namespace pgherd
