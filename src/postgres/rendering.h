// The texts that PostgreSQL reads: postgresql.conf, pg_hba.conf, pg_ident.conf, the password file, the
// server's command line. Pure functions of the configuration (reference: Patroni 4.1, "Postgres parameters
// controlled only through DCS").
//
// Parameters that must be alike on all members come from the dynamic configuration alone and go on the
// command line, where ALTER SYSTEM does not reach. Everything else goes into postgresql.conf, local settings
// before dynamic ones. Passwords are in the password file and nowhere else.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "model/agent_config.h"
#include "model/postgres_state.h"
#include "ports/postgres.h"

namespace pgherd::postgres {

using Parameters = std::map<std::string, std::string>;  // names in lower case

struct RenderInput {
    const AgentConfig& agent;
    const InstanceConfig& instance;
    std::string socket_dir;  // unix_socket_directories
    std::string user;        // of the operating system, that PostgreSQL runs as
    bool standby = false;
    Upstream upstream;                   // of a standby
    std::optional<ControlData> control;  // a standby's limits are not set below these
    Parameters custom_recovery;          // while a custom bootstrap recovers
};

// What the configuration asks for, before a standby's limits are raised.
Parameters wanted_command_line(const RenderInput& input);
// What the server is started with.
Parameters command_line(const RenderInput& input);
// What goes into postgresql.conf, without what recovery needs.
Parameters file_parameters(const RenderInput& input);
Parameters recovery_parameters(const RenderInput& input);

std::string postgresql_conf(const RenderInput& input);
std::string hba_conf(const RenderInput& input);
std::string ident_conf(const RenderInput& input);
std::string password_file(const AgentConfig& agent);
// True if the rendered pg_hba.conf is pgherd's own, not the users'.
bool default_hba(const RenderInput& input);

// For pg_basebackup, pg_rewind and primary_conninfo.
std::map<std::string, std::string> replication_conninfo(const AgentConfig& agent, const Upstream& upstream);
std::string password_file_path(const AgentConfig& agent);

// postgresql.auto.conf without the settings that would override what pgherd decides (ALTER SYSTEM,
// pg_basebackup -R).
std::string purge_auto_conf(std::string_view text);

}  // namespace pgherd::postgres
