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

// Kubernetes objects, found as a pod finds them.
struct KubernetesStore {};

// PATRONI_* variables of the agent name it.
struct StoreOfEnvironment {};

// As it is, or, when it may change while members run, in a file's first line.
struct Password {
    std::string text;
    std::string file;
    bool empty() const { return text.empty() && file.empty(); }
};

struct ClusterSpec {
    std::string scope;
    std::string namespace_ = "service";
    std::string superuser = "postgres";
    Password superuser_password;
    Password replication_password;
    Password rewind_password;   // empty = the superuser rewinds
    std::string rest_username;  // of the REST API's changes; empty = only this machine may change something
    Password rest_password;
    std::string client_authentication;  // how clients log in over TCP; empty = scram-sha-256
    JsonObject dynamic_config;          // the cluster's first one
    std::vector<std::string> initdb;    // arguments, in command line form: "--data-checksums"
    std::string post_bootstrap;         // command that a new cluster's first member runs
    std::variant<SqliteStore, EtcdStore, KubernetesStore, StoreOfEnvironment> store;
};

struct MemberSpec {
    MemberName name;
    std::string host = "127.0.0.1";  // where others reach it
    std::string listen_host;         // empty = the same
    std::uint16_t postgres_port = 5432;
    std::uint16_t rest_port = 8008;
    std::string data_dir;
    std::string bin_dir;      // empty = search
    std::string socket_dir;   // empty = PostgreSQL's default
    std::string run_as;       // user of the PostgreSQL processes when the agent is root; empty = "postgres"
    std::string log_dir;      // empty = stderr
    bool clone_from = false;  // while it is a standby, new members copy from it rather than from the primary
};

// A cluster on one machine: everything close together, so that a dead primary is noticed within seconds.
// Scope, passwords and the store's path are the caller's to fill in.
ClusterSpec local_cluster_defaults();

// Members on machines of their own: no commit is acknowledged before a standby has it, a dead primary is
// replaced after some ten seconds, and a store that is away stops nobody.
ClusterSpec spread_cluster_defaults();

}  // namespace pgherd
