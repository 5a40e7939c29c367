// Passwords that change while the cluster runs (`password_file`: a Secret that is mounted).
//
// A new Secret reaches each member at a time of its own, so for a while two passwords of a user are about:
// the one that the member's file names, and the *former* one, which the servers still take. A primary whose
// file has changed sets the new one. Every other member goes over when its own copy of pg_authid, replicated
// like all data, accepts the new one; so nobody logs in with a password before it counts. The former one is
// kept where libpq reads it, in PostgreSQL's password file, and so survives a restart of the agent.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "model/agent_config.h"

namespace pgherd::postgres {

// Whether the server that stores this (pg_authid.rolpassword) accepts the password. False for what is not
// SCRAM-SHA-256, and for passwords that need more of SASLprep than ASCII does.
bool scram_accepts(std::string_view stored, std::string_view password);

// User to password, of the lines that password_file() writes.
std::map<std::string, std::string> read_password_file(std::string_view text);

class FormerPasswords {
  public:
    // The agent begins: `known` is what its password file holds.
    void remember(const PostgresConfig& config, const std::map<std::string, std::string>& known);
    // The configuration changes.
    void change(const PostgresConfig& from, const PostgresConfig& to);
    void forget(const std::string& user) { former_.erase(user); }
    // The new password counts, or was taken back.
    bool empty() const { return former_.empty(); }
    bool has(const std::string& user) const { return former_.contains(user); }

    // As the servers take it now.
    Credentials in_force(const Credentials& user) const;

  private:
    std::map<std::string, std::string> former_;  // user to password
};

}  // namespace pgherd::postgres
