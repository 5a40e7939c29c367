// The judge: looks at the whole world after every event that matters, and says when something happened that
// never may.
//
// It knows the truth (every record's identity, the store's records, who is writable), which no member does.
// The invariants are those of DESIGN.md 3.7 as far as they bind the lease policy; each has a name, the first
// broken one ends the run. What the lease policy does not promise is excused here and nowhere else:
// asynchronous commits that no candidate has, a paused cluster, an operator's failover to a member that is
// not synchronous.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/cluster.h"
#include "ports/store.h"
#include "sim/postgres/server.h"

namespace pgherd::sim {

struct Violation {
    std::string invariant;
    std::string what;
};

class Judge final : public Witness {
  public:
    Judge(VirtualClock& clock, Trace& trace, int members);
    void watch(Store& store, std::vector<Server*> servers);

    // --- Witness
    void opened(Server& server) override;
    void acknowledged(Server& server, std::size_t place, int client, bool waited) override;
    void lost_connection(Server& server, int client) override;
    void new_timeline(Server& server, Timeline timeline) override;
    void promoting(Server& server) override;
    void fenced(Server& server) override;
    void violation(std::string_view invariant, std::string what) override;

    // --- what the faults tell: until `calm` nobody may conclude anything from a member's silence
    // (as many times as it was disturbed)
    void disturbed(int member);
    void calm(int member);
    void all_calm();
    void exited(int member, const std::string& why);
    // Its tags forbid it to lead.
    void never_leads(int member) { never_lead_.insert(member); }
    // Somebody deletes the leader record by hand, and its leader can hear of it.
    void lock_deleted(bool heard);
    // At the end of the run, when all is well: the leader's history has everything that was promised.
    void check_at_rest(const Server& leader);

    const std::optional<Violation>& found() const { return found_; }
    std::optional<int> leader() const { return leader_; }    // as the store says
    const SyncRecord& synchronous() const { return sync_; }  // as the store says
    bool paused() const;
    bool sync_mode() const { return sync_mode_; }
    std::uint64_t acknowledged_count() const { return acknowledgements_.size(); }
    std::uint64_t lost_count() const { return lost_; }  // excused ones
    Instant last_acknowledged(int client) const;
    std::function<void(int client, bool)> on_client;  // a client's commit has ended
    std::function<void(int member)> on_promoting;
    std::function<bool(int member)> could_stop;  // its brain has been well for longer than a lease

  private:
    struct Acknowledged {
        std::uint64_t id;
        std::size_t place;
        Instant at;
        int member;
        std::uint64_t promise;  // of which period of synchronous replication; 0: none
        bool lost = false;      // a later leader lacked it, as it may
    };
    void seen(const Snapshot& snapshot);
    bool still_paused(const Server& server) const;
    bool wanted(const Server& server) const;
    void check_alone(const Server& server);
    void check_history(const Server& server, std::string_view how);
    void check_choice(const Server& server);

    VirtualClock& clock_;
    Trace& trace_;
    std::vector<Server*> servers_;
    std::unique_ptr<Watch> watch_;
    std::optional<Violation> found_;
    std::vector<Acknowledged> acknowledgements_;
    std::vector<Instant> calm_since_;
    std::vector<int> disturbances_;
    std::set<int> never_lead_;
    std::map<int, Instant> last_acknowledged_;
    std::map<std::uint32_t, int> timelines_;
    std::optional<int> leader_;
    std::optional<int> robbed_;           // of its leader record
    std::optional<SystemId> cluster_id_;  // of the cluster, as the store says
    SyncRecord sync_;
    std::string sync_text_, config_text_;
    bool pause_ = false;
    bool failsafe_ = false;
    bool sync_mode_ = false;
    Instant resumed_;
    std::uint64_t promise_ = 0;  // the current period, while a sync record is in force
    std::uint64_t promises_ = 0;
    std::string wanted_candidate_;  // of an operator's latest request
    bool wanted_by_force_ = false;  // which was a failover, no switchover
    bool request_pending_ = false;
    Instant request_gone_{};
    std::uint64_t lost_ = 0;
};

}  // namespace pgherd::sim
