// The watches of one store: streams of objects, one picture for all who watch, and leases that end.
//
// The streams run while anybody watches. Who watches is also who ends leases: when one has not been renewed
// for its time to live, it is read once more and, if it is still the same, deleted in that very version. So a
// frozen watch ends nobody's lease, and the end is a fact for all, not one observer's belief. Its records are
// not there from then on; they are cleared away afterwards.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "ports/store.h"
#include "store_kube/lease_ages.h"
#include "store_kube/leases.h"
#include "store_kube/picture.h"
#include "store_kube/stream.h"

namespace pgherd::kube {

class Watches {
  public:
    Watches(EventLoop& loop, Api& api, Writer& writer, Leases& leases, Knowledge& knowledge,
            const Layout& layout);
    ~Watches();

    std::unique_ptr<Watch> add(Store::Seen seen);
    bool active() const { return !seers_.empty(); }
    // Somebody watches, and nothing is interrupted.
    bool showing() const;
    const Picture& picture() const { return picture_; }
    // Takes in an object that a call has shown, before the watch does, and reports it.
    void show(Kind kind, const Object& object);
    // This version exists: a watch that does not show it soon is frozen.
    void expect(Kind kind, std::int64_t version);
    // The API has done its work, or has not, when it was asked then.
    void answered(bool works, Instant asked);

    // Takes the records of a lease away; of all that have ended when none is named.
    asio::awaitable<void> clear_records(std::vector<Place> places, Instant deadline);
    // Called with each change of a record that is taken away.
    std::function<void(Draft&, const Known* base, const std::string& key)> on_cleared;

  private:
    struct Seer;
    class Handle;

    void start();
    void stop();
    void listed(Kind kind, ObjectList list);
    void happened(Kind kind, const Event& event);
    void interrupted(const Error& error);
    void note_leases(Kind kind);
    void note_lock();
    void note_lease(const Object& object);
    void plan_report();
    void report();
    void plan_end();
    void plan_tidy();
    asio::awaitable<Result<std::optional<Draft>>> judge_cleared(const Known* base, std::string write,
                                                                Place place);
    asio::awaitable<void> check_end(LeaseId lease);
    asio::awaitable<void> end_lock(LeaseId lease, Instant deadline);
    void expect_news(Kind kind);
    asio::awaitable<Result<std::string>> sign_now(LeaseId lease, Instant deadline);
    void remove(const Seer* seer);

    EventLoop& loop_;
    Api& api_;
    Writer& writer_;
    Leases& leases_;
    const Layout& layout_;
    Picture picture_;
    LeaseAges ages_;
    std::vector<std::shared_ptr<Stream>> streams_;  // by kind
    std::vector<std::shared_ptr<Seer>> seers_;
    LeaseId lock_lease_;  // of a leader of Patroni's
    bool report_planned_ = false;
    bool checking_ = false;
    Instant not_before_;
    Timer end_timer_;
    Timer tidy_timer_;
    std::shared_ptr<Watches*> self_;  // as long as it lives
    Scope scope_;
};

}  // namespace pgherd::kube
