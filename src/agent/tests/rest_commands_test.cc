// Write endpoints: what reaches Commands, and what is refused with Patroni's texts.
#include <gtest/gtest.h>

#include "rest_state.h"

namespace pgherd::agent {
namespace {

struct Refusal {
    const char* method;
    const char* path;
    const char* body;
    int status;
    const char* text;
};

TEST(RestCommands, MistakesAreRefusedBeforeAnythingHappens) {
    const Refusal refusals[] = {
        {"POST", "/failover", R"({"scheduled_at":"2026-03-02T00:00Z"})", 400,
         "Failover could be performed only to a specific candidate"},
        {"POST", "/failover", R"({"candidate":"c2","scheduled_at":"2026-03-02T00:00Z"})", 400,
         "Failover can't be scheduled"},
        {"POST", "/switchover", R"({"candidate":"c2"})", 400,
         "Switchover could be performed only from a specific leader"},
        {"POST", "/switchover", R"({"leader":"c1","candidate":"c1"})", 400,
         "Switchover target and source are the same"},
        {"POST", "/switchover", R"({"leader":"c1","scheduled_at":"2026-02-01T00:00Z"})", 422,
         "Cannot schedule switchover in the past"},
        {"POST", "/switchover", R"({"leader":"c1","scheduled_at":"2026-03-02T00:00:00"})", 400,
         "Timezone information is mandatory for the scheduled switchover"},
        {"POST", "/switchover", R"({"leader":"c1","scheduled_at":"tomorrow"})", 422,
         "Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601"},
        {"POST", "/switchover", R"({"leader":5})", 400, "\"leader\" must be a text"},
        {"POST", "/switchover", R"({})", 400, "the JSON object is empty"},
        {"POST", "/switchover", "", 400, "the request needs a JSON object as its body"},
        {"POST", "/restart", R"({"role":"boss"})", 400,
         "PostgreSQL role should be either primary, standby_leader, or replica"},
        {"POST", "/restart", R"({"timeout":0})", 400, "Timeout should be a positive number of seconds"},
        {"POST", "/restart", R"({"postgres_version":"fifteen"})", 400,
         "Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: fifteen"},
        {"POST", "/restart", R"({"when":"now"})", 400, "Unknown filter for the scheduled restart: when"},
        {"POST", "/restart", R"({"schedule":"2026-02-01T00:00Z"})", 422,
         "Cannot schedule restart in the past"},
        {"POST", "/reinitialize", R"({"force":"yes"})", 400, "\"force\" must be true or false"},
    };
    for (const Refusal& refusal : refusals) {
        SCOPED_TRACE(refusal.body);
        Api api(primary());
        HttpResponse response = api.ask(refusal.method, refusal.path, refusal.body);
        EXPECT_EQ(response.status, refusal.status);
        EXPECT_EQ(response.body, refusal.text);
        EXPECT_TRUE(api.commands.calls.empty());
    }
}

TEST(RestCommands, AMandatoryBodyWithoutALengthIs411AndBadJsonIs400) {
    Api api(primary());
    EXPECT_EQ(api.ask("PATCH", "/config").status, 411);
    EXPECT_EQ(api.ask("PATCH", "/config", "{\"ttl\":").status, 400);
    EXPECT_EQ(api.ask("PUT", "/config", "[1]").status, 400);
}

TEST(RestCommands, UnknownMethodsAndPathsAre501) {
    Api api(primary());
    EXPECT_EQ(api.ask("DELETE", "/config").status, 501);
    EXPECT_EQ(api.ask("POST", "/nothing", "{}").status, 501);
    EXPECT_EQ(api.ask("BREW", "/restart").status, 501);
}

TEST(RestCommands, ASwitchoverReachesTheAgent) {
    Api api(primary());
    api.commands.next = {202, "Switchover scheduled"};
    HttpResponse response =
        api.ask("POST", "/switchover",
                R"({"leader":"c1","candidate":"c2","scheduled_at":"2026-03-02T01:00:00+01:00"})");
    EXPECT_EQ(response.status, 202);
    EXPECT_EQ(response.body, "Switchover scheduled");
    ASSERT_TRUE(api.commands.handover);
    EXPECT_EQ(api.commands.handover->leader, MemberName("c1"));
    EXPECT_EQ(api.commands.handover->candidate, MemberName("c2"));
    EXPECT_EQ(api.commands.handover->scheduled_at, kWall + std::chrono::hours(12));
}

TEST(RestCommands, AFailoverHasNoLeaderAndMayCallTheCandidateMember) {
    Api api(primary());
    EXPECT_EQ(api.ask("POST", "/failover", R"({"leader":null,"member":"c3"})").status, 200);
    ASSERT_TRUE(api.commands.handover);
    EXPECT_TRUE(api.commands.handover->leader.empty());
    EXPECT_EQ(api.commands.handover->candidate, MemberName("c3"));
}

TEST(RestCommands, AFailoverThatNamesTheLeaderIsASwitchover) {
    Api api(primary());
    EXPECT_EQ(api.ask("POST", "/failover", R"({"leader":"c1"})").status, 200);
    EXPECT_EQ(api.commands.handover->leader, MemberName("c1"));
}

TEST(RestCommands, ARestartTakesItsFilters) {
    Api api(primary());
    EXPECT_EQ(api.ask("POST", "/restart").status, 200) << "no body means no filter";
    api.ask("POST", "/restart",
            R"({"role":"replica","timeout":"90","postgres_version":"15.3","restart_pending":true})");
    const RestartRequest& request = *api.commands.restarted;
    EXPECT_EQ(request.role, Role::replica);
    EXPECT_EQ(request.timeout, std::chrono::seconds(90));
    EXPECT_EQ(request.postgres_version, "15.3");
    EXPECT_TRUE(request.restart_pending);
    EXPECT_FALSE(request.schedule);
}

TEST(RestCommands, AChangedConfigurationComesBackAsJson) {
    Api api(primary());
    api.commands.next = {200, R"({"ttl":20})"};
    HttpResponse response = api.ask("PATCH", "/config", R"({"ttl":20,"pause":null})");
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_EQ(response.body, R"({"ttl":20})");
    api.commands.next = {409, "lost"};
    EXPECT_NE(api.ask("PUT", "/config", R"({"ttl":20})").content_type, "application/json");
    EXPECT_EQ(api.commands.calls,
              (std::vector<std::string>{R"(patch {"ttl":20,"pause":null})", R"(put {"ttl":20})"}));
}

TEST(RestCommands, TheRestIsPassedOn) {
    Api api(replica());
    api.ask("POST", "/reload");
    api.ask("DELETE", "/switchover");
    api.ask("DELETE", "/restart");
    api.ask("POST", "/reinitialize");
    api.ask("POST", "/reinitialize", R"({"force":true,"from_leader":true})");
    EXPECT_EQ(api.commands.calls,
              (std::vector<std::string>{"reload", "cancel switchover", "cancel restart", "reinitialize",
                                        "reinitialize force from_leader"}));
}

TEST(RestCommands, ALeaderRefusesAnotherOneInFailsafeMode) {
    Api api(primary());
    const char* message =
        R"({"name":"c2","conn_url":"postgres://10.0.0.2/","api_url":"http://10.0.0.2:8008/patroni"})";
    api.commands.failsafe_answer = fail(ErrorCode::conflict, "Running as a leader");
    EXPECT_EQ(api.ask("POST", "/failsafe", message).status, 500);
    api.commands.failsafe_answer = fail(ErrorCode::invalid, "failsafe mode is off");
    EXPECT_EQ(api.ask("POST", "/failsafe", message).status, 502);
    EXPECT_EQ(api.ask("POST", "/failsafe", "{").status, 400);
    FailsafeAnswer voted{Lsn{4711}, true};
    api.commands.failsafe_answer = voted;
    HttpResponse response = api.ask("POST", "/failsafe", message);
    EXPECT_EQ(response.status, 200);
    ASSERT_EQ(response.headers.size(), 3u);
    EXPECT_EQ(response.headers[1], (std::pair<std::string, std::string>("voted", "yes")));
    EXPECT_EQ(response.headers[2].second,
              R"({"name":"c1","scope":"demo","database_system_identifier":"7345112233445566778"})");
}

TEST(RestCommands, AnswersInFailsafeModeOnlyWhatIsMeantForThisMember) {
    Api api(replica());
    auto status = [&](const std::string& to) {
        return api.ask("POST", "/failsafe", R"({"name":"c1","conn_url":"x","api_url":"y","to":{)" + to + "}}")
            .status;
    };
    EXPECT_EQ(status(R"("name":"c2","scope":"demo","database_system_identifier":"7345112233445566778")"),
              200);
    EXPECT_EQ(status(R"("name":"c2","scope":"demo")"), 200);
    EXPECT_EQ(api.commands.calls.size(), 2u);
    EXPECT_EQ(status(R"("name":"c3","scope":"demo")"), 421);
    EXPECT_EQ(status(R"("name":"c2","scope":"prod")"), 421);
    EXPECT_EQ(status(R"("name":"c2","scope":"demo","database_system_identifier":"1")"), 421);
    EXPECT_EQ(api.commands.calls.size(), 2u) << "and it is bound by none of them";
}

TEST(RestCommands, ACandidateIsToldApartFromOthersWhoAsk) {
    Api api(replica());
    api.json("/patroni");
    EXPECT_TRUE(api.commands.calls.empty());
    api.json("/patroni?candidate=yes");
    EXPECT_EQ(api.commands.calls, std::vector<std::string>{"asked by a candidate"});
}

}  // namespace
}  // namespace pgherd::agent
