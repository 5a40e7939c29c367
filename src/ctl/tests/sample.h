// The cluster of the golden files: testdata/list_* were printed by patronictl 4.1 for it.
#pragma once

#include "fakes.h"

namespace pgherd::ctl {

struct Sample {
    bool restart_pending = false;
    bool tags = false;
    bool synchronous = false;
    bool scheduled = false;
    bool pause = false;
};

inline void fill(FakeRemote& remote, const Sample& sample) {
    auto when = [](bool condition, const char* text) { return std::string(condition ? text : ""); };
    remote.put("initialize", "7710");
    remote.put("leader", "a");
    remote.put("config", R"({"ttl":30,"loop_wait":10)" +
                             when(sample.synchronous, R"(,"synchronous_mode":true)") +
                             when(sample.pause, R"(,"pause":true)") + "}");
    remote.put("status", R"({"optime":83886176,"slots":{}})");
    remote.put("sync", when(sample.synchronous, R"({"leader":"a","quorum":0,"sync_standby":"b"})"));
    if (sample.scheduled)
        remote.put("failover", R"({"leader":"a","member":"b","scheduled_at":"2026-01-02T03:04:05+00:00"})");
    remote.put_member(
        "a",
        R"("conn_url":"postgres://10.0.0.1:5432/postgres","state":"running","role":"primary","timeline":3,"xlog_location":83886176)" +
            when(
                sample.restart_pending,
                R"(,"pending_restart":true,"pending_restart_reason":{"max_connections":{"old_value":"100","new_value":"200"}})"));
    remote.put_member(
        "b",
        R"("conn_url":"postgres://10.0.0.2:5432/postgres","state":"running","role":"replica","timeline":3,"xlog_location":83886176,)"
        R"("receive_lsn":83886176,"replay_lsn":67108864,"replication_state":"streaming")" +
            when(sample.tags, R"(,"tags":{"nofailover":true,"clonefrom":true})") +
            when(
                sample.scheduled,
                R"(,"scheduled_restart":{"schedule":"2026-01-02T03:04:05+00:00","postgres_version":"15.3","postmaster_start_time":"x"})"));
    remote.put_member("c",
                      R"("conn_url":"postgres://10.0.0.3:5433/postgres","state":"stopped","role":"replica")" +
                          when(sample.tags, R"(,"tags":{"replicatefrom":"b"})"));
    remote.put_member("d", R"("state":"creating replica","role":"uninitialized")");
}

}  // namespace pgherd::ctl
