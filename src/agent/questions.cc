#include "agent/questions.h"

#include <utility>

#include <fmt/format.h>

namespace pgherd::agent {

namespace {

constexpr std::string_view kAsCandidate = "?candidate=yes";

// Who has answered instead speaks for itself alone.
template <class Answer>
Result<Answer> from_whom_was_asked(const PeerIdentity& asked, Result<Answer> answer) {
    if (!answer || asked.may_be(answer->from)) return answer;
    return fail(ErrorCode::unavailable, "its address belongs to " + to_string(answer->from) + " now");
}

// Or another one has answered. What a member says may be incomplete, while its PostgreSQL starts.
bool silent(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout;
}

}  // namespace

Questions::Questions(std::string cluster, Peers& peers, Postgres& postgres, Clock& clock, Log& log,
                     std::function<void()> changed)
    : cluster_(std::move(cluster)),
      peers_(peers),
      postgres_(postgres),
      clock_(clock),
      log_(log),
      changed_(std::move(changed)) {}

PeerIdentity Questions::whom(const MemberName& name, const ClusterView& view) const {
    return {name, cluster_, view.initialize.value_or(SystemId())};
}

void Questions::ask_peers(const ClusterView& view, const std::vector<MemberName>& members, Duration limit,
                          bool as_candidate) {
    if (asking()) return;
    round_ = {.asked = clock_.now(), .complete = false, .answers = {}};
    std::uint64_t number = ++round_number_;
    for (const MemberName& name : members) {
        const Member* member = view.member(name);
        auto listed = view.failsafe.find(name);
        if (!member && listed == view.failsafe.end()) continue;
        round_.answers[name] = {};
        ++outstanding_;
        std::string url = member ? member->api_url : listed->second;
        if (as_candidate) url += kAsCandidate;
        peers_.ask(url, clock_.now() + limit,
                   scope_.guard([this, number, asked = whom(name, view)](Result<PeerStatus> result) {
                       answered(number, asked, from_whom_was_asked(asked, std::move(result)));
                   }));
    }
    if (outstanding_ == 0) {
        round_.complete = true;
        clock_.post(scope_.guard([this] { changed_(); }));
    }
}

void Questions::answered(std::uint64_t round, const PeerIdentity& asked, const Result<PeerStatus>& result) {
    if (round != round_number_) return;
    ha::PeerAnswer& answer = round_.answers[asked.name];
    answer.reachable = result.has_value();
    if (result) {
        answer.in_recovery = result->in_recovery;
        answer.position = result->position;
        answer.nofailover = result->nofailover;
        answer.priority = result->failover_priority;
        answer.watchdog_failed = result->watchdog_failed;
        answer.failsafe_bound = result->failsafe_bound;
        answer.failsafe_unsure = result->failsafe_unsure;
    } else {
        log_.info("peer-silent",
                  fmt::format("{} does not answer: {}", asked.name.text(), result.error().message));
    }
    round_.complete = --outstanding_ == 0;
    changed_();
}

void Questions::ask_failsafe(const ClusterView& view, const std::vector<MemberName>& members,
                             const FailsafeMessage& message, Duration limit) {
    Instant until = failsafe_round_until_ = clock_.now() + message.ttl;
    for (const MemberName& name : members) {
        auto url = view.failsafe.find(name);
        if (url == view.failsafe.end() || !confirming_.insert(name).second) continue;
        FailsafeMessage to_member = message;
        to_member.to = whom(name, view);
        ask_who_hears(url->second, std::move(to_member), until, clock_.now() + limit);
    }
    if (members.empty()) clock_.post(scope_.guard([this] { changed_(); }));
}

// Who confirms is bound for the leader's ttl. A leader that is heard and hears nobody would bind its voters
// for nothing, and hold up whoever is to take over: so only a member that has answered is asked.
void Questions::ask_who_hears(const std::string& url, FailsafeMessage message, Instant until,
                              Instant deadline) {
    peers_.ask(url, deadline,
               scope_.guard([this, outage = failsafe_number_, url, message = std::move(message), until,
                             deadline](Result<PeerStatus> heard) mutable {
                   if (outage != failsafe_number_) return;
                   PeerIdentity asked = message.to;
                   heard = from_whom_was_asked(asked, std::move(heard));
                   if (!heard && silent(heard.error()))
                       return confirmed(asked, until, std::unexpected(std::move(heard).error()));
                   peers_.failsafe(url, std::move(message), deadline,
                                   scope_.guard([this, outage, asked, until](Result<FailsafeAnswer> result) {
                                       if (outage == failsafe_number_)
                                           confirmed(asked, until,
                                                     from_whom_was_asked(asked, std::move(result)));
                                   }));
               }));
}

// Patroni accepts for whoever is asked, and tells no name: by its own rule, which asks all, that is good
// enough, but no voter is known by it.
void Questions::confirmed(const PeerIdentity& asked, Instant until, const Result<FailsafeAnswer>& result) {
    const MemberName& member = asked.name;
    confirming_.erase(member);
    if (result) {
        vetoes_.erase(member);
        const bool named = !result->from.name.empty();
        confirmations_[member] = {.until = until, .counts = named && !result->voted};
    } else {
        bool refused = result.error().code == ErrorCode::conflict;
        log_.warning(refused ? "failsafe-refused" : "failsafe-silent",
                     member.text() + ": " + result.error().message);
        if (refused) vetoes_.insert(member);
    }
    changed_();
}

void Questions::forget_failsafe() {
    ++failsafe_number_;
    confirming_.clear();
    confirmations_.clear();
    vetoes_.clear();
    failsafe_round_until_ = Instant{};
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
