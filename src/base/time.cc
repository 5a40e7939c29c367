#include "base/time.h"

#include <cmath>
#include <ctime>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"

namespace pgherd {
namespace {

using namespace std::chrono;

std::string format_wall(WallTime time, char between) {
    auto day = floor<days>(time);
    year_month_day date(day);
    auto since = time - day;
    auto text =
        fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", int(date.year()), unsigned(date.month()),
                    unsigned(date.day()), between, duration_cast<hours>(since).count(),
                    duration_cast<minutes>(since).count() % 60, duration_cast<seconds>(since).count() % 60);
    if (auto fraction = (since % seconds(1)).count(); fraction != 0) text += fmt::format(".{:06}", fraction);
    return text + "+00:00";
}

// Reads `digits` digits from the front of `text`; -1 where there are none.
int take_digits(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) return -1;
    int value = 0;
    for (char c : text.substr(0, digits)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return value;
}

bool take(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) return false;
    text.remove_prefix(1);
    return true;
}

// "Z", "+02", "+0200", "+02:00"
std::optional<minutes> take_zone(std::string_view& text) {
    if (take(text, 'Z')) return minutes(0);
    int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
    if (sign == 0) return std::nullopt;
    int hour = take_digits(text, 2);
    take(text, ':');
    int minute = text.empty() ? 0 : take_digits(text, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
    return sign * (hours(hour) + minutes(minute));
}

}  // namespace

Instant boottime_now() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return Instant(seconds(now.tv_sec) + nanoseconds(now.tv_nsec));
}

std::string to_iso(WallTime time) {
    return format_wall(time, 'T');
}
std::string to_iso_with_blank(WallTime time) {
    return format_wall(time, ' ');
}

Result<WallTime> parse_iso(std::string_view text) {
    std::string_view rest = trim(text);
    auto bad = [&](std::string_view why) {
        return fail(ErrorCode::invalid,
                    fmt::format("\"{}\" is no time: {} (expected for instance 2026-01-31T23:59:00+00:00)",
                                text, why));
    };
    int y = take_digits(rest, 4);
    bool dashes = take(rest, '-');
    int mo = take_digits(rest, 2);
    dashes = dashes && take(rest, '-');
    int d = take_digits(rest, 2);
    year_month_day date{year(y), month(unsigned(mo)), day(unsigned(d))};
    if (!dashes || y < 0 || mo < 0 || d < 0 || !date.ok()) return bad("the date cannot be read");
    if (!take(rest, 'T') && !take(rest, ' ')) return bad("the time of day is missing");
    int h = take_digits(rest, 2);
    bool colons = take(rest, ':');
    int mi = take_digits(rest, 2);
    int s = take(rest, ':') ? take_digits(rest, 2) : 0;
    if (!colons || h < 0 || h > 23 || mi < 0 || mi > 59 || s < 0 || s > 59)
        return bad("the time of day cannot be read");
    microseconds fraction{0};
    if (take(rest, '.'))
        for (int scale = 100000; !rest.empty() && rest.front() >= '0' && rest.front() <= '9'; scale /= 10)
            fraction += microseconds(scale * take_digits(rest, 1));
    auto zone = take_zone(rest);
    if (!zone) return bad("the time zone is missing");
    if (!rest.empty()) return bad("there is something behind it");
    return WallTime(sys_days(date).time_since_epoch() + hours(h) + minutes(mi) + seconds(s) + fraction -
                    *zone);
}

std::string to_text(Duration duration) {
    double s = std::chrono::duration<double>(duration).count();
    if (s < 120) return fmt::format("{:.4g} s", s);
    if (s < 7200) return fmt::format("{:.0f} min {:.0f} s", std::floor(s / 60), std::fmod(s, 60));
    return fmt::format("{:.0f} h {:.0f} min", std::floor(s / 3600), std::fmod(s / 60, 60));
}

}  // namespace pgherd
