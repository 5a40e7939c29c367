// The agent's picture of the store: the latest snapshot, parsed, with the agent's own confirmed writes
// already in it.
//
// A confirmed write is visible here at once, before the watch brings it back: deciding on a picture that
// lacks one's own last step would repeat it. At most one write per record is under way; a second one is
// refused by `writing`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/scope.h"
#include "model/cluster.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/store.h"

namespace pgherd::agent {

class StoreMirror {
  public:
    StoreMirror(Store& store, Clock& clock, Log& log, std::function<void()> changed);

    void start();
    // Null until the store was read once.
    std::shared_ptr<const ClusterView> view() const { return view_; }
    // The raw record, for compare-and-swap on its revision.
    const Record* record(const std::string& key) const;
    bool ok() const { return ok_; }
    Instant silent_since() const { return silent_since_; }
    WallTime last_seen() const { return last_seen_; }

    // Of the latest snapshot that the store itself has shown; `view` may have our own writes since.
    Revision watched() const { return watched_; }
    // The picture is known to be old: reads the store once more, and again at every call until that has
    // succeeded.
    void reload();
    bool reloading() const { return behind_; }

    // A write of this record is under way, or has failed so recently that it is not to be repeated yet.
    bool writing(const std::string& key) const;
    // One compare-and-swap, remembered here when it is confirmed. `done` may be empty.
    void write(Swap swap, Duration limit, Done<Revision> done = {});
    // Any contact with the store tells whether it answers.
    void contact(bool answered);

  private:
    void seen(Result<SnapshotPtr> result);
    void remember(const Swap& swap, Revision revision);
    void parse();

    Store& store_;
    Clock& clock_;
    Log& log_;
    std::function<void()> changed_;
    std::unique_ptr<Watch> watch_;
    Revision
        watched_;  // of the latest snapshot that the store has shown; snapshot_ also has our own writes since
    SnapshotPtr snapshot_;
    std::shared_ptr<const ClusterView> view_;
    bool behind_ = false;  // a write has failed on what the picture does not show
    bool loading_ = false;
    bool ok_ = false;
    Instant silent_since_;
    WallTime last_seen_;
    std::set<std::string> writing_;
    std::map<std::string, Instant> not_before_;  // after failures other than conflicts
    Scope scope_;
};

}  // namespace pgherd::agent
