// Notices: what has happened, counted by (user, type, key), for clients that wait for it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "supervise/change.h"

namespace pgherd::supervise {

struct NoticeFilter {
    bool all_users = false;
    std::optional<std::uint32_t> user;  // with all_users false: public ones and this user's
    std::vector<std::string> types;     // empty = all
    std::vector<std::string> keys;
    std::optional<WallTime> after;  // last_repeated later than this

    bool matches(const Notice& notice) const;
};

struct NoticeInput {
    std::optional<std::uint32_t> user;
    std::string type;
    std::string key;
    StringMap data;
    Duration repeat_after{};
};

// Of a client's notice: type, key ("example.com/path"), sizes.
Status validate_custom_notice(const NoticeInput& input);

class NoticeBook {
  public:
    struct Recorded {
        NoticeId id;
        bool repeated;  // waiters want to know
    };
    Recorded record(const NoticeInput& input, WallTime now);
    const Notice* find(NoticeId id) const;
    const Notice* find(std::optional<std::uint32_t> user, std::string_view type, std::string_view key) const;
    std::vector<const Notice*> matching(const NoticeFilter& filter, WallTime now) const;  // by last_repeated
    bool any(const NoticeFilter& filter, WallTime now) const;
    // Forgets expired ones, and the oldest above the bound.
    void prune(WallTime now);
    // The newest repeat of a "warning", for the envelope.
    std::optional<WallTime> latest_warning() const { return latest_warning_; }

    // For the state file: what changed since the last call, and putting back what it kept.
    bool has_changed() const { return !changed_.empty(); }
    std::vector<NoticeId> take_changed();
    std::vector<NoticeId> take_removed();
    void restore(Notice notice);
    NoticeId last_id() const { return last_id_; }
    void restore_last_id(NoticeId id) { last_id_ = std::max(last_id_, id); }
    const std::map<NoticeId, Notice>& all() const { return notices_; }

  private:
    WallTime unique_time(WallTime now);

    std::map<NoticeId, Notice> notices_;
    NoticeId last_id_ = 0;
    WallTime last_time_{};
    std::optional<WallTime> latest_warning_;
    std::set<NoticeId> changed_;
    std::vector<NoticeId> removed_;
};

}  // namespace pgherd::supervise
