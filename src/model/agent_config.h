// The configuration of one agent: the local YAML file plus PATRONI_* variables (reference: Patroni 4.1
// settings).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/dynamic_config.h"
#include "model/member.h"

namespace pgherd {

struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    bool operator==(const Endpoint&) const = default;
};
std::string to_string(const Endpoint& endpoint);  // "host:port", brackets around IPv6
// The inverse; a missing port is an error unless there is a default.
Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port = 0);

struct TlsFiles {
    std::string ca_file;
    std::string cert_file;
    std::string key_file;
    std::string key_password;
    bool verify = true;
    // The same as PEM text, where there are no files (a kubeconfig); used when the file is not named.
    std::string ca_data;
    std::string cert_data;
    std::string key_data;
};

struct Credentials {
    std::string username;
    std::string password;
    std::string password_file;  // where the password was read from; empty = it stood in the configuration
    std::map<std::string, std::string> options;  // sslmode, sslcert, channel_binding, …
};

enum class StoreKind { sqlite, etcd, kubernetes };

struct KubernetesPort {
    std::string name;
    std::uint16_t port = 5432;
    std::string protocol;  // empty = TCP
    bool operator==(const KubernetesPort&) const = default;
};

// Where the objects of a cluster are, and how the API is reached: Patroni's `kubernetes` section.
struct KubernetesConfig {
    std::string namespace_;  // empty: the pod's own, or the kubeconfig's
    std::map<std::string, std::string> labels;
    std::string scope_label = "cluster-name";
    std::string role_label = "role";
    std::string leader_label_value = "primary";
    std::string follower_label_value = "replica";
    std::string standby_leader_label_value = "primary";
    std::string tmp_role_label;                           // empty = none
    std::map<std::string, std::string> bootstrap_labels;  // of a pod while its data directory is made
    bool use_endpoints = false;                           // Endpoints instead of ConfigMaps
    bool leases = false;  // pgherd: Lease objects; for clusters without a Patroni member
    std::string pod_ip;
    std::vector<KubernetesPort> ports{KubernetesPort{}};  // of the leader's Endpoints
    std::vector<std::string> hosts;   // pgherd: API servers, instead of the service's address
    bool bypass_api_service = false;  // talk to the API servers behind the service
    std::vector<int> retriable_http_codes;
    std::string cacert;      // empty: the service account's
    std::string kubeconfig;  // pgherd: a file; empty: the service account, $KUBECONFIG or ~/.kube/config
    std::string context;     // of the kubeconfig; empty: its current one
};

struct StoreConfig {
    StoreKind kind = StoreKind::sqlite;
    std::string path;                 // sqlite: the database file
    std::vector<Endpoint> endpoints;  // etcd
    bool https = false;
    TlsFiles tls;
    std::string username;
    std::string password;
    KubernetesConfig kubernetes;
};

struct RestApiConfig {
    Endpoint listen{"127.0.0.1", 8008};
    Endpoint connect_address;            // defaults to listen
    TlsFiles tls;                        // cert_file empty = plain HTTP
    std::string verify_client = "none";  // none, optional, required
    std::string username;                // empty = no authentication configured
    std::string password;
    std::string password_file;
    std::vector<std::string> allowlist;
    bool allowlist_include_members = false;
    std::map<std::string, std::string> http_extra_headers;
};

// The client side of the REST API: peers and ctl.
struct CtlConfig {
    TlsFiles tls;
    bool insecure = false;
    std::string username;
    std::string password;
    std::string password_file;
};

struct ReplicaMethod {
    std::string name;  // "basebackup" or a user's
    std::string command;
    bool keep_data = false;
    bool no_params = false;
    bool no_leader = false;
    std::map<std::string, std::string> options;
};

struct BootstrapConfig {
    JsonObject dcs;                       // becomes the dynamic configuration
    std::vector<std::string> initdb;      // arguments, already in command line form ("--data-checksums")
    std::string method;                   // empty = initdb
    std::optional<ReplicaMethod> custom;  // the method's section
    std::map<std::string, std::string> custom_recovery_conf;
    bool custom_keep_existing_recovery_conf = false;
    std::string post_bootstrap;  // command; gets a connection string
};

struct PostgresConfig {
    std::vector<std::string> listen_hosts{"127.0.0.1"};  // "*" is kept as it is
    std::uint16_t port = 5432;
    Endpoint connect_address;
    Endpoint proxy_address;  // empty host = none
    std::string data_dir;
    std::string config_dir;  // defaults to data_dir
    std::string bin_dir;     // empty = search PATH and /usr/lib/postgresql/*/bin
    std::map<std::string, std::string> bin_name;
    std::string pgpass;      // defaults to <data_dir>/../.pgpass_<name>
    std::string socket_dir;  // first of unix_socket_directories, if set
    Credentials superuser{"postgres", "", {}};
    Credentials replication{"replicator", "", {}};
    Credentials rewind;  // empty username = the superuser
    bool use_unix_socket = false;
    std::map<std::string, std::string> callbacks;  // on_start, on_stop, on_restart, on_reload, on_role_change
    std::vector<ReplicaMethod> create_replica_methods;  // empty = basebackup
    std::vector<std::string> basebackup;                // extra arguments
    std::vector<std::string> rewind_options;
    // False: the data directory stays, and an operator decides. Patroni's default; here it is true, as what
    // has to go is moved aside, not removed.
    bool remove_data_directory_on_rewind_failure = true;
    bool remove_data_directory_on_diverged_timelines = true;
    Duration pg_ctl_timeout = std::chrono::seconds(60);
    std::string custom_conf;
    std::string before_stop;
    std::string pre_promote;
    std::map<std::string, std::string> parameters;  // local; win over the dynamic ones
    std::vector<std::string> pg_hba;
    std::vector<std::string> pg_ident;
    std::map<std::string, std::string> recovery_conf;
    std::string run_as;  // pgherd: user that Postgres runs as when the agent is root; empty = "postgres"
};

struct WatchdogConfig {
    enum class Mode { off, automatic, required };
    Mode mode = Mode::off;
    std::string device = "/dev/watchdog";
    Duration safety_margin = std::chrono::seconds(5);
};

struct LogConfig {
    std::string level = "INFO";
    bool json = false;
    std::string dir;  // empty = stderr
};

struct AgentConfig {
    std::string source;  // the file it came from, for messages
    std::string scope;
    std::string namespace_ = "service";
    MemberName name;
    Tags tags;
    StoreConfig store;
    RestApiConfig restapi;
    CtlConfig ctl;
    PostgresConfig postgres;
    BootstrapConfig bootstrap;
    bool has_bootstrap = false;  // a member without a bootstrap section never initializes a cluster
    WatchdogConfig watchdog;
    LogConfig log;
    JsonObject document;  // everything as written, after merging

    // The prefix of this cluster's keys: "/service/c1/".
    std::string key_prefix() const { return "/" + namespace_ + "/" + scope + "/"; }
};

}  // namespace pgherd
