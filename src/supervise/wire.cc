#include "supervise/wire.h"

#include <fmt/format.h>

#include "base/text.h"
#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

Json text(std::string_view value) {
    return Json(boost::json::string_view(value.data(), value.size()));
}

void put_times(JsonObject& object, WallTime spawned, const std::optional<WallTime>& ready) {
    object["spawn-time"] = rfc3339(spawned);
    if (ready) object["ready-time"] = rfc3339(*ready);
}

JsonObject task_json(const Task& task) {
    JsonObject object;
    object["id"] = fmt::format("{}", task.id);
    object["kind"] = task.kind;
    object["summary"] = task.summary;
    object["status"] = text(to_string(task.status));
    if (!task.log.empty()) object["log"] = boost::json::array(task.log.begin(), task.log.end());
    // Nothing tells how far a task is, but a client wants a number.
    object["progress"] =
        JsonObject{{"label", ""}, {"done", task.status == WorkStatus::waiting ? 0 : 1}, {"total", 1}};
    put_times(object, task.spawned, task.ready);
    if (!task.data.empty()) object["data"] = task.data;
    return object;
}

// Reading back. A record of the state file is trusted to have the right types only as far as it is checked.
class Reader {
  public:
    explicit Reader(const JsonObject& object) : object_(object) {}

    std::string string(std::string_view key) {
        const Json* value = find(key);
        if (!value) return {};
        if (!value->is_string()) return wrong(), std::string();
        return std::string(value->get_string());
    }
    std::uint64_t number(std::string_view key) {
        const Json* value = find(key);
        return value ? unsigned_of(*value) : 0;
    }
    std::uint64_t unsigned_of(const Json& value) {
        if (value.is_uint64()) return value.get_uint64();
        if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
        return wrong(), 0;
    }
    std::optional<WallTime> time(std::string_view key) {
        const Json* value = find(key);
        if (!value) return std::nullopt;
        if (!value->is_int64()) return wrong(), std::nullopt;
        return WallTime(std::chrono::microseconds(value->get_int64()));
    }
    std::vector<std::string> strings(std::string_view key) {
        std::vector<std::string> values;
        const Json* value = find(key);
        if (!value) return values;
        if (!value->is_array()) return wrong(), values;
        for (const Json& item : value->get_array()) {
            if (item.is_string())
                values.emplace_back(item.get_string());
            else
                wrong();
        }
        return values;
    }
    std::vector<std::uint64_t> numbers(std::string_view key) {
        std::vector<std::uint64_t> values;
        const Json* value = find(key);
        if (!value) return values;
        if (!value->is_array()) return wrong(), values;
        for (const Json& item : value->get_array()) values.push_back(unsigned_of(item));
        return values;
    }
    JsonObject object(std::string_view key) {
        const Json* value = find(key);
        if (!value) return {};
        if (!value->is_object()) return wrong(), JsonObject();
        return value->get_object();
    }
    const Json* find(std::string_view key) const {
        return object_.if_contains(boost::json::string_view(key.data(), key.size()));
    }
    void wrong() { right_ = false; }
    template <class T>
    Result<T> result(T value, bool valid) const {
        if (!right_ || !valid) return fail(ErrorCode::invalid, "a record of the state file is damaged");
        return value;
    }

  private:
    const JsonObject& object_;
    bool right_ = true;
};

std::int64_t micros(WallTime time) {
    return time.time_since_epoch().count();
}

}  // namespace

JsonObject change_json(const ChangeBook& book, const Change& change) {
    JsonObject object;
    object["id"] = fmt::format("{}", change.id);
    object["kind"] = change.kind;
    object["summary"] = change.summary;
    object["status"] = text(to_string(change.status));
    boost::json::array tasks;
    for (const TaskId id : change.tasks)
        if (const Task* task = book.find_task(id)) tasks.push_back(task_json(*task));
    if (!tasks.empty()) object["tasks"] = std::move(tasks);
    object["ready"] = change.ready.has_value();
    if (const std::string error = book.error_of(change); !error.empty()) object["err"] = error;
    put_times(object, change.spawned, change.ready);
    if (!change.data.empty()) object["data"] = change.data;
    return object;
}

JsonObject notice_json(const Notice& notice) {
    JsonObject object;
    object["id"] = fmt::format("{}", notice.id);
    object["user-id"] = notice.user ? Json(*notice.user) : Json(nullptr);
    object["type"] = notice.type;
    object["key"] = notice.key;
    object["first-occurred"] = rfc3339(notice.first_occurred);
    object["last-occurred"] = rfc3339(notice.last_occurred);
    object["last-repeated"] = rfc3339(notice.last_repeated);
    object["occurrences"] = notice.occurrences;
    if (!notice.last_data.empty()) {
        JsonObject data;
        for (const auto& [key, value] : notice.last_data) data[key] = value;
        object["last-data"] = std::move(data);
    }
    if (notice.repeat_after != Duration{}) object["repeat-after"] = go_duration(notice.repeat_after);
    if (notice.expire_after != Duration{}) object["expire-after"] = go_duration(notice.expire_after);
    return object;
}

JsonObject change_record(const Change& change) {
    JsonObject object;
    object["id"] = change.id;
    object["kind"] = change.kind;
    object["summary"] = change.summary;
    object["tasks"] = boost::json::array(change.tasks.begin(), change.tasks.end());
    object["subjects"] = boost::json::array(change.subjects.begin(), change.subjects.end());
    object["status"] = text(to_string(change.status));
    object["spawned"] = micros(change.spawned);
    if (change.ready) object["ready"] = micros(*change.ready);
    if (!change.data.empty()) object["data"] = change.data;
    return object;
}

JsonObject task_record(const Task& task) {
    JsonObject object;
    object["id"] = task.id;
    object["change"] = task.change;
    object["kind"] = task.kind;
    object["summary"] = task.summary;
    object["subject"] = task.subject;
    object["status"] = text(to_string(task.status));
    if (!task.log.empty()) object["log"] = boost::json::array(task.log.begin(), task.log.end());
    object["spawned"] = micros(task.spawned);
    if (task.ready) object["ready"] = micros(*task.ready);
    if (!task.data.empty()) object["data"] = task.data;
    return object;
}

JsonObject notice_record(const Notice& notice) {
    JsonObject object;
    object["id"] = notice.id;
    if (notice.user) object["user"] = *notice.user;
    object["type"] = notice.type;
    object["key"] = notice.key;
    object["first"] = micros(notice.first_occurred);
    object["last"] = micros(notice.last_occurred);
    object["repeated"] = micros(notice.last_repeated);
    object["occurrences"] = notice.occurrences;
    JsonObject data;
    for (const auto& [key, value] : notice.last_data) data[key] = value;
    if (!data.empty()) object["data"] = std::move(data);
    object["repeat_after"] = notice.repeat_after.count();
    object["expire_after"] = notice.expire_after.count();
    return object;
}

Result<Change> read_change(const JsonObject& object) {
    Reader in(object);
    Change change;
    change.id = in.number("id");
    change.kind = in.string("kind");
    change.summary = in.string("summary");
    change.tasks = in.numbers("tasks");
    change.subjects = in.strings("subjects");
    const auto status = parse_work_status(in.string("status"));
    change.status = status.value_or(WorkStatus::held);
    const auto spawned = in.time("spawned");
    change.spawned = spawned.value_or(WallTime{});
    change.ready = in.time("ready");
    change.data = in.object("data");
    const bool valid = change.id != 0 && status && spawned;
    return in.result(std::move(change), valid);
}

Result<Task> read_task(const JsonObject& object) {
    Reader in(object);
    Task task;
    task.id = in.number("id");
    task.change = in.number("change");
    task.kind = in.string("kind");
    task.summary = in.string("summary");
    task.subject = in.string("subject");
    const auto status = parse_work_status(in.string("status"));
    task.status = status.value_or(WorkStatus::held);
    task.log = in.strings("log");
    const auto spawned = in.time("spawned");
    task.spawned = spawned.value_or(WallTime{});
    task.ready = in.time("ready");
    task.data = in.object("data");
    const bool valid = task.id != 0 && status && spawned;
    return in.result(std::move(task), valid);
}

Result<Notice> read_notice(const JsonObject& object) {
    Reader in(object);
    Notice notice;
    notice.id = in.number("id");
    if (in.find("user")) notice.user = static_cast<std::uint32_t>(in.number("user"));
    notice.type = in.string("type");
    notice.key = in.string("key");
    const auto first = in.time("first"), last = in.time("last"), repeated = in.time("repeated");
    notice.first_occurred = first.value_or(WallTime{});
    notice.last_occurred = last.value_or(WallTime{});
    notice.last_repeated = repeated.value_or(WallTime{});
    notice.occurrences = in.number("occurrences");
    for (const auto& [key, value] : in.object("data"))
        if (value.is_string()) notice.last_data[std::string(key)] = std::string(value.get_string());
    notice.repeat_after = Duration(static_cast<Duration::rep>(in.number("repeat_after")));
    notice.expire_after = Duration(static_cast<Duration::rep>(in.number("expire_after")));
    const bool valid = notice.id != 0 && first && last && repeated;
    return in.result(std::move(notice), valid);
}

}  // namespace pgherd::supervise
