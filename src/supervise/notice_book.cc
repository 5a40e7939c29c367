#include "supervise/notice_book.h"

#include <algorithm>

#include <fmt/format.h>

#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

constexpr std::size_t kMaxNotices = 1000;
constexpr std::size_t kMaxKey = 256;
constexpr std::size_t kMaxData = 4096;

bool contains(const std::vector<std::string>& list, std::string_view item) {
    return list.empty() || std::ranges::find(list, item) != list.end();
}

bool lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// "example.com/path": [a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+(/[a-z0-9]+(-[a-z0-9]+)*)+
bool is_custom_key(std::string_view key) {
    int dots = 0, slashes = 0;
    for (std::size_t i = 0; i < key.size(); ++i) {
        const char c = key[i];
        if (lower_or_digit(c)) continue;
        if (c != '.' && c != '-' && c != '/') return false;
        if (i == 0 || i + 1 == key.size() || !lower_or_digit(key[i - 1])) return false;
        if (c == '.' && slashes > 0) return false;
        dots += c == '.';
        slashes += c == '/';
        if (c == '/' && dots == 0) return false;
    }
    return slashes > 0;
}

}  // namespace

bool NoticeFilter::matches(const Notice& notice) const {
    if (!all_users && notice.user && notice.user != user) return false;
    return contains(types, notice.type) && contains(keys, notice.key) &&
           (!after || notice.last_repeated > *after);
}

Status validate_custom_notice(const NoticeInput& input) {
    const auto invalid = [](std::string text) { return fail(ErrorCode::invalid, std::move(text)); };
    if (input.type != "custom")
        return invalid("invalid type \"" + input.type + "\" (can only add \"custom\" notices)");
    if (input.key.size() > kMaxKey) return invalid(fmt::format("key must be {} bytes or less", kMaxKey));
    if (!is_custom_key(input.key))
        return invalid(
            fmt::format("invalid key {} (must be in \"example.com/path\" format)", go_quote(input.key)));
    std::size_t size = 2;
    for (const auto& [key, value] : input.data) size += key.size() + value.size() + 6;
    if (size > kMaxData) return invalid(fmt::format("total size of data must be {} bytes or less", kMaxData));
    if (input.repeat_after < Duration{}) return invalid("repeat-after must not be negative");
    return {};
}

// Clients ask for what is later than the last they saw, so no two times may be equal.
WallTime NoticeBook::unique_time(WallTime now) {
    if (now <= last_time_) now = last_time_ + std::chrono::microseconds(1);
    last_time_ = now;
    return now;
}

NoticeBook::Recorded NoticeBook::record(const NoticeInput& input, WallTime now) {
    now = unique_time(now);
    const Notice* known = find(input.user, input.type, input.key);
    Notice* notice = known ? &notices_[known->id] : nullptr;
    if (notice &&
        now > notice->last_occurred + std::chrono::duration_cast<WallTime::duration>(notice->expire_after)) {
        removed_.push_back(notice->id);
        notices_.erase(notice->id);
        notice = nullptr;
    }
    bool repeated = true;
    if (!notice) {
        const NoticeId id = ++last_id_;
        notice = &notices_[id];
        *notice =
            Notice{.id = id, .user = input.user, .type = input.type, .key = input.key, .first_occurred = now};
    } else {
        repeated =
            input.repeat_after <= Duration{} ||
            now > notice->last_repeated + std::chrono::duration_cast<WallTime::duration>(input.repeat_after);
    }
    notice->last_occurred = now;
    if (repeated) notice->last_repeated = now;
    if (repeated && input.type == "warning") latest_warning_ = now;
    ++notice->occurrences;
    notice->last_data = input.data;
    notice->repeat_after = input.repeat_after;
    const NoticeId id = notice->id;
    changed_.insert(id);
    if (notices_.size() > kMaxNotices) prune(now);
    return {id, repeated};
}

const Notice* NoticeBook::find(NoticeId id) const {
    const auto found = notices_.find(id);
    return found == notices_.end() ? nullptr : &found->second;
}

const Notice* NoticeBook::find(std::optional<std::uint32_t> user, std::string_view type,
                               std::string_view key) const {
    // From the newest: a repeated notice is mostly a recent one.
    for (auto entry = notices_.rbegin(); entry != notices_.rend(); ++entry)
        if (const Notice& notice = entry->second;
            notice.key == key && notice.type == type && notice.user == user)
            return &notice;
    return nullptr;
}

std::vector<const Notice*> NoticeBook::matching(const NoticeFilter& filter, WallTime now) const {
    std::vector<const Notice*> found;
    for (const auto& [id, notice] : notices_)
        if (now <=
                notice.last_occurred + std::chrono::duration_cast<WallTime::duration>(notice.expire_after) &&
            filter.matches(notice))
            found.push_back(&notice);
    std::ranges::sort(found, {}, &Notice::last_repeated);
    return found;
}

bool NoticeBook::any(const NoticeFilter& filter, WallTime now) const {
    return std::ranges::any_of(notices_, [&](const auto& entry) {
        const Notice& notice = entry.second;
        return now <= notice.last_occurred +
                          std::chrono::duration_cast<WallTime::duration>(notice.expire_after) &&
               filter.matches(notice);
    });
}

void NoticeBook::prune(WallTime now) {
    std::erase_if(notices_, [&](const auto& entry) {
        const Notice& notice = entry.second;
        if (now <= notice.last_occurred + std::chrono::duration_cast<WallTime::duration>(notice.expire_after))
            return false;
        removed_.push_back(entry.first);
        return true;
    });
    while (notices_.size() > kMaxNotices) {
        const auto oldest = std::ranges::min_element(
            notices_, {}, [](const auto& entry) { return entry.second.last_repeated; });
        removed_.push_back(oldest->first);
        notices_.erase(oldest);
    }
}

std::vector<NoticeId> NoticeBook::take_changed() {
    std::vector<NoticeId> ids(changed_.begin(), changed_.end());
    changed_.clear();
    return ids;
}

std::vector<NoticeId> NoticeBook::take_removed() {
    return std::exchange(removed_, {});
}

void NoticeBook::restore(Notice notice) {
    last_id_ = std::max(last_id_, notice.id);
    last_time_ = std::max({last_time_, notice.last_occurred, notice.last_repeated});
    if (notice.type == "warning" && (!latest_warning_ || notice.last_repeated > *latest_warning_))
        latest_warning_ = notice.last_repeated;
    const NoticeId id = notice.id;
    notices_.insert_or_assign(id, std::move(notice));
}

}  // namespace pgherd::supervise
