// States of an agent and commands that note what they were asked, for the tests of the REST API.
#pragma once

#include <string>
#include <vector>

#include "agent/rest.h"
#include "base/text.h"
#include "codec/dynamic_config.h"
#include "codec/json.h"

namespace pgherd::agent {

inline constexpr Instant kNow{std::chrono::seconds(1000)};
inline const WallTime kWall = *parse_iso("2026-03-01T12:00:00Z");

inline Member member(const std::string& name, Role role, std::uint64_t position) {
    Member member;
    member.name = MemberName(name);
    member.conn_url = "postgres://10.0.0." + name.substr(1) + ":5432/postgres";
    member.api_url = "http://10.0.0." + name.substr(1) + ":8008/patroni";
    member.state = MemberState::running;
    member.role = role;
    member.version = kPatroniVersion;
    member.timeline = Timeline{3};
    member.xlog_location = Lsn{position};
    if (role == Role::replica) {
        member.receive_lsn = Lsn{position};
        member.replay_lsn = Lsn{position - 16};
        member.replication_state = "streaming";
    }
    return member;
}

// A cluster of c1 (leader), c2 and c3, with the status of 0/3000100.
inline ClusterView three_members() {
    ClusterView view;
    view.leader = LeaderRecord{MemberName("c1"), Revision(7), LeaseId(1)};
    for (const Member& each : {member("c1", Role::primary, 0x3000100), member("c2", Role::replica, 0x3000100),
                               member("c3", Role::replica, 0x2FFFF00)})
        view.members[each.name] = each;
    view.initialize = SystemId(7345112233445566778);
    view.config = *parse_dynamic_config({{"ttl", 30}, {"x", "kept"}});
    view.config_revision = Revision(2);
    view.status.optime = Lsn{0x3000100};
    return view;
}

inline void show(AgentState& state, ClusterView view) {
    state.seen.cluster = std::make_shared<ClusterView>(std::move(view));
}

inline AgentState agent_state(const std::string& name) {
    AgentState state;
    state.config.scope = "demo";
    state.config.name = MemberName(name);
    state.started = state.last_decision = kNow - std::chrono::seconds(1);
    state.seen.now = kNow;
    state.seen.wall = state.store_last_seen = kWall;
    state.seen.store_ok = true;
    ClusterView view = three_members();
    state.published = *view.member(MemberName(name));
    show(state, std::move(view));
    PostgresState& pg = state.seen.pg;
    pg.data = DataDirectory::valid;
    pg.postmaster = Postmaster::running;
    pg.timeline = Timeline{3};
    pg.server_version = 150020;
    pg.system_id = SystemId(7345112233445566778);
    pg.postmaster_start_time = kWall - std::chrono::hours(1);
    return state;
}

inline AgentState primary() {
    AgentState state = agent_state("c1");
    state.seen.lock_valid_until = kNow + std::chrono::seconds(20);
    state.seen.pg.in_recovery = false;
    state.seen.pg.position = Lsn{0x3000100};
    state.seen.pg.replication = {{"replicator", "c2", "10.0.0.2", "streaming", "async", 0, {}, {}, {}}};
    return state;
}

// 16 bytes behind in replay.
inline AgentState replica() {
    AgentState state = agent_state("c2");
    state.seen.pg.in_recovery = true;
    state.seen.pg.position = state.seen.pg.received = Lsn{0x3000100};
    state.seen.pg.replayed = Lsn{0x30000F0};
    state.seen.pg.receiver = ReceiverState{true, "10.0.0.1", 5432, Timeline{3}, Lsn{0x3000100}};
    return state;
}

class NotedCommands : public Commands {
  public:
    std::vector<std::string> calls;
    std::optional<FailoverRequest> handover;
    std::optional<RestartRequest> restarted;
    CommandAnswer next{200, "done"};
    Result<FailsafeAnswer> failsafe_answer = FailsafeAnswer{Lsn{4711}};

    void patch_config(JsonObject patch, Answer answer) override { note("patch " + to_text(patch), answer); }
    void put_config(JsonObject document, Answer answer) override { note("put " + to_text(document), answer); }
    void switchover(FailoverRequest request, Answer answer) override {
        handover = std::move(request);
        note("switchover", answer);
    }
    void cancel_switchover(Answer answer) override { note("cancel switchover", answer); }
    void restart(RestartRequest request, Answer answer) override {
        restarted = std::move(request);
        note("restart", answer);
    }
    void cancel_restart(Answer answer) override { note("cancel restart", answer); }
    void reload(Answer answer) override { note("reload", answer); }
    void reinitialize(bool force, bool from_leader, Answer answer) override {
        note(std::string("reinitialize") + (force ? " force" : "") + (from_leader ? " from_leader" : ""),
             answer);
    }
    Result<FailsafeAnswer> failsafe(const FailsafeMessage& message) override {
        calls.push_back("failsafe " + message.name.text());
        return failsafe_answer;
    }
    void asked_by_candidate() override { calls.push_back("asked by a candidate"); }

  private:
    void note(std::string call, Answer& answer) {
        calls.push_back(std::move(call));
        answer(next);
    }
};

// A REST API on a state, asked from this machine unless `peer` says otherwise.
struct Api {
    AgentState state;
    NotedCommands commands;
    std::string peer = "127.0.0.1";
    std::map<std::string, std::string> headers;
    bool certificate = false;

    explicit Api(AgentState initial) : state(std::move(initial)) {}

    // `target`: "/replica?lag=10MB"; values are taken as they are.
    HttpResponse ask(const std::string& method, const std::string& target,
                     std::optional<std::string> body = {}) {
        HttpRequest request;
        request.method = method;
        request.path = target.substr(0, target.find('?'));
        if (auto mark = target.find('?'); mark != std::string::npos)
            for (const std::string& pair : split(target.substr(mark + 1), '&'))
                request.query.emplace_back(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
        request.headers = headers;
        if (body) {
            request.headers["content-length"] = std::to_string(body->size());
            request.body = *body;
        }
        request.peer_address = peer;
        request.client_certificate = certificate;
        std::optional<HttpResponse> answer;
        RestApi(state, commands).handle(std::move(request), [&](HttpResponse response) {
            answer = std::move(response);
        });
        return answer.value_or(HttpResponse{0, "no answer", {}, {}});
    }
    int status(const std::string& target) { return ask("GET", target).status; }
    JsonObject json(const std::string& target) { return *parse_json_object(ask("GET", target).body); }
};

}  // namespace pgherd::agent
