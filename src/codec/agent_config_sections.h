// The sections of the agent's configuration, one reader each. Mistakes go to the Section.
#pragma once

#include "codec/section.h"

namespace pgherd {

void read_store(const Section& root, StoreConfig& store);
void read_restapi(const Section& restapi, RestApiConfig& config);
void read_ctl(const Section& ctl, const RestApiConfig& restapi, CtlConfig& config);
void read_postgres(const Section& postgresql, const MemberName& name, PostgresConfig& config);
void read_bootstrap(const Section& bootstrap, BootstrapConfig& config);
void read_watchdog(const Section& watchdog, WatchdogConfig& config);
void read_log(const Section& log, LogConfig& config);

// A user's way to fill a data directory: command, flags, and options that are passed on.
ReplicaMethod read_method(const Section& section, std::string name);
// `password`, or the first line of the file that `password_file` names (a Secret that is mounted).
void read_password(const Section& section, std::string& password, std::string& file);
// Where others reach what listens on `host`: only a concrete address tells.
bool is_concrete_host(std::string_view host);

}  // namespace pgherd
