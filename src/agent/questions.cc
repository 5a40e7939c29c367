#include "agent/questions.h"

#include <utility>

#include <fmt/format.h>

namespace pgherd::agent {

Questions::Questions(Peers& peers, Postgres& postgres, Clock& clock, Log& log, std::function<void()> changed)
    : peers_(peers), postgres_(postgres), clock_(clock), log_(log), changed_(std::move(changed)) {}

void Questions::ask_peers(const ClusterView& view, const std::vector<MemberName>& members, Duration limit) {
    if (asking()) return;
    round_ = {.asked = clock_.now(), .complete = false, .answers = {}};
    std::uint64_t number = ++round_number_;
    for (const MemberName& name : members) {
        const Member* member = view.member(name);
        auto listed = view.failsafe.find(name);
        if (!member && listed == view.failsafe.end()) continue;
        round_.answers[name] = {};
        ++outstanding_;
        peers_.ask(member ? member->api_url : listed->second, clock_.now() + limit,
                   scope_.guard([this, number, name](Result<PeerStatus> result) {
                       answered(number, name, std::move(result));
                   }));
    }
    if (outstanding_ == 0) {
        round_.complete = true;
        clock_.post(scope_.guard([this] { changed_(); }));
    }
}

void Questions::answered(std::uint64_t round, const MemberName& member, Result<PeerStatus> result) {
    if (round != round_number_) return;
    ha::PeerAnswer& answer = round_.answers[member];
    answer.reachable = result.has_value();
    if (result) {
        answer.in_recovery = result->in_recovery;
        answer.position = result->position;
        answer.nofailover = result->nofailover;
        answer.priority = result->failover_priority;
        answer.watchdog_failed = result->watchdog_failed;
    } else {
        log_.info("peer-silent",
                  fmt::format("{} does not answer: {}", member.text(), result.error().message));
    }
    if (--outstanding_ > 0) return;
    round_.complete = true;
    changed_();
}

void Questions::ask_failsafe(const ClusterView& view, const std::vector<MemberName>& members,
                             const FailsafeMessage& message, Duration limit, Duration ttl) {
    if (failsafe_outstanding_ > 0) return;
    std::uint64_t number = ++failsafe_number_;
    Instant until = clock_.now() + ttl;
    failsafe_refused_ = false;
    failsafe_outstanding_ = members.size();
    for (const MemberName& name : members) {
        auto url = view.failsafe.find(name);
        if (url == view.failsafe.end()) {
            confirmed(number, false, until);
            continue;
        }
        peers_.failsafe(url->second, message, clock_.now() + limit,
                        scope_.guard([this, number, name, until](Result<FailsafeAnswer> result) {
                            if (!result)
                                log_.warning("failsafe-refused", name.text() + ": " + result.error().message);
                            confirmed(number, result.has_value(), until);
                        }));
    }
    if (members.empty()) {
        failsafe_outstanding_ = 1;
        confirmed(number, true, until);
    }
}

void Questions::confirmed(std::uint64_t round, bool accepted, Instant until) {
    if (round != failsafe_number_) return;
    failsafe_refused_ = failsafe_refused_ || !accepted;
    if (--failsafe_outstanding_ > 0) return;
    failsafe_failed_ = failsafe_refused_;
    if (!failsafe_refused_) confirmed_until_ = until;
    clock_.post(scope_.guard([this] { changed_(); }));
}

void Questions::forget_failsafe() {
    ++failsafe_number_;
    failsafe_outstanding_ = 0;
    failsafe_failed_ = false;
    confirmed_until_ = Instant{};
}

void Questions::ask_upstream(const MemberName& member, const Upstream& upstream, Revision leadership,
                             Duration limit) {
    if (asking_upstream_) return;
    asking_upstream_ = true;
    postgres_.upstream_history(
        upstream, clock_.now() + limit,
        scope_.guard([this, member, leadership](Result<UpstreamHistory> result) {
            asking_upstream_ = false;
            ha::UpstreamAnswer answer{.member = member, .leader_revision = leadership, .at = clock_.now()};
            answer.ok = result.has_value();
            if (result) {
                answer.system_id = result->system_id;
                answer.timeline = result->timeline;
                answer.position = result->position;
                answer.in_recovery = result->in_recovery;
                answer.switchpoints = std::move(result->switchpoints);
            } else {
                answer.error = result.error().message;
                log_.info("upstream-silent",
                          fmt::format("cannot ask {} for its history: {}", member.text(), answer.error));
            }
            upstream_ = std::move(answer);
            changed_();
        }));
}

}  // namespace pgherd::agent
