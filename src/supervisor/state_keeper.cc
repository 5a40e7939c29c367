#include "supervisor/state_keeper.h"

#include <fmt/format.h>

#include "supervise/layer_yaml.h"
#include "supervise/wire.h"

namespace pgherd::supervisor {

using namespace supervise;

namespace {

constexpr auto kRewriteEvery = std::chrono::seconds(3);

JsonObject layer_record(const Layer& layer) {
    return {
        {"layer", JsonObject{{"order", layer.order}, {"label", layer.label}, {"yaml", layer_yaml(layer)}}}};
}

}  // namespace

// By number: a record that comes later has the say.
struct StateKeeper::Found {
    std::map<TaskId, Task> tasks;
    std::map<ChangeId, Change> changes;
    std::map<NoticeId, Notice> notices;
    std::vector<JsonObject> layers;
    bool layers_are_old = false;
    std::size_t damaged = 0;

    template <class Read, class Target>
    void keep(Read read, Target& target) {
        if (read)
            target.insert_or_assign(read->id, std::move(*read));
        else
            ++damaged;
    }
};

StateKeeper::StateKeeper(Books& books, std::string boot_id, Log& log)
    : books_(books), boot_id_(std::move(boot_id)), log_(log) {}

// Services must run whatever has become of the disk.
void StateKeeper::restore(std::string path) {
    file_.emplace(std::move(path));
    const Result<StateFile::Loaded> loaded = file_->load();
    if (!loaded) return log_.error("state-file", loaded.error().message + "; starting anew");
    if (!loaded->warning.empty()) log_.warning("state-file", loaded->warning);
    Found found;
    for (const JsonObject& record : loaded->records)
        if (!record.empty()) sort(record, found);
    for (auto& [id, task] : found.tasks) books_.changes.restore(std::move(task));
    for (auto& [id, change] : found.changes) books_.changes.restore(std::move(change));
    for (auto& [id, notice] : found.notices) books_.notices.restore(std::move(notice));
    if (found.damaged > 0)
        log_.warning("state-file", fmt::format("{} damaged records are left out", found.damaged));
    if (!found.layers_are_old) restore_layers(found.layers);
}

void StateKeeper::sort(const JsonObject& record, Found& found) {
    const std::string_view kind(record.begin()->key().data(), record.begin()->key().size());
    const Json& value = record.begin()->value();
    const JsonObject empty;
    const JsonObject& object = value.is_object() ? value.get_object() : empty;
    const auto id = [&](const char* key) {
        const Json* number = object.if_contains(key);
        return number && number->is_int64() ? static_cast<std::uint64_t>(number->get_int64()) : 0;
    };
    if (kind == "task") {
        found.keep(read_task(object), found.tasks);
    } else if (kind == "change") {
        found.keep(read_change(object), found.changes);
    } else if (kind == "notice") {
        found.keep(read_notice(object), found.notices);
    } else if (kind == "forget-change" && value.is_int64()) {
        found.changes.erase(static_cast<ChangeId>(value.get_int64()));
    } else if (kind == "forget-notice" && value.is_int64()) {
        found.notices.erase(static_cast<NoticeId>(value.get_int64()));
    } else if (kind == "identities") {
        if (!books_.identities.restore(object)) ++found.damaged;
    } else if (kind == "layer") {
        found.layers.push_back(object);
    } else if (kind == "boot-id" && value.is_string()) {
        found.layers_are_old |= std::string_view(value.get_string()) != boot_id_;
    } else if (kind == "stopped") {
        found.layers_are_old = true;
    } else if (kind == "ids") {
        books_.changes.restore_last_ids(id("change"), id("task"));
        books_.notices.restore_last_id(id("notice"));
    }
}

void StateKeeper::restore_layers(const std::vector<JsonObject>& records) {
    std::map<std::string, Layer> kept;
    for (const JsonObject& record : records) {
        const Json* label = record.if_contains("label");
        const Json* yaml = record.if_contains("yaml");
        const Json* order = record.if_contains("order");
        if (!label || !label->is_string() || !yaml || !yaml->is_string() || !order || !order->is_int64())
            continue;
        const std::string name(label->get_string());
        auto layer = parse_layer(static_cast<int>(order->get_int64()), name, std::string(yaml->get_string()));
        if (layer) kept.insert_or_assign(name, std::move(*layer));
    }
    if (kept.empty()) return;
    std::vector<Layer> layers;
    for (const Layer& file : books_.layers.layers())
        if (!kept.contains(file.label)) layers.push_back(file);
    for (const auto& [label, layer] : kept) layers.push_back(layer);
    LayerStack stack;
    if (const Status done = stack.load(std::move(layers)); !done) {
        log_.warning("state-file",
                     fmt::format("cannot restore the layers of clients: {}", done.error().message));
        return;
    }
    books_.layers = std::move(stack);
    client_layers_ = std::move(kept);
}

void StateKeeper::begin() {
    if (!file_) return;
    if (const Status done = rewrite(); !done)
        log_.error("state-file", done.error().message + "; nothing is kept until it can be written");
}

Status StateKeeper::rewrite() {
    return file_->rewrite([this](const auto& write) { write_everything(write); });
}

void StateKeeper::save(Instant now) {
    append_changes();
    if (!file_) return;
    Status done = file_->flush();
    if (file_->has_grown() && now >= next_rewrite_) {
        next_rewrite_ = now + kRewriteEvery;
        done = rewrite();
    }
    if (!done) log_.error("state-file", done.error().message);
}

void StateKeeper::append_changes() {
    auto& [notice_book, change_book, identities, stack] = books_;
    const auto changes = change_book.take_changed();
    const auto tasks = change_book.take_changed_tasks();
    const auto removed = change_book.take_removed();
    const auto notices = notice_book.take_changed();
    const auto removed_notices = notice_book.take_removed();
    if (!file_) return;
    for (const TaskId id : tasks)
        if (const Task* task = change_book.find_task(id)) file_->append({{"task", task_record(*task)}});
    for (const ChangeId id : changes)
        if (const Change* change = change_book.find(id)) file_->append({{"change", change_record(*change)}});
    for (const ChangeId id : removed) file_->append({{"forget-change", id}});
    for (const NoticeId id : notices)
        if (const Notice* notice = notice_book.find(id)) file_->append({{"notice", notice_record(*notice)}});
    for (const NoticeId id : removed_notices) file_->append({{"forget-notice", id}});
}

void StateKeeper::write_everything(const std::function<void(const JsonObject&)>& write) const {
    write({{"boot-id", boot_id_}});
    write({{"ids", JsonObject{{"change", books_.changes.last_change_id()},
                              {"task", books_.changes.last_task_id()},
                              {"notice", books_.notices.last_id()}}}});
    write({{"identities", books_.identities.with_secrets()}});
    for (const auto& [label, layer] : client_layers_) write(layer_record(layer));
    for (const auto& [id, change] : books_.changes.changes()) {
        for (const TaskId task_id : change.tasks)
            if (const Task* task = books_.changes.find_task(task_id)) write({{"task", task_record(*task)}});
        write({{"change", change_record(change)}});
    }
    for (const auto& [id, notice] : books_.notices.all()) write({{"notice", notice_record(notice)}});
    if (ended_) write({{"stopped", true}});
}

void StateKeeper::keep_layer(const Layer& layer) {
    client_layers_.insert_or_assign(layer.label, layer);
    if (file_) file_->append(layer_record(layer));
}

Status StateKeeper::keep_identities() {
    if (!file_) return {};
    if (!file_->begun()) PGHERD_CHECK(rewrite());
    file_->append({{"identities", books_.identities.with_secrets()}});
    return file_->flush(true);
}

void StateKeeper::keep_end() {
    ended_ = true;
    if (file_) file_->append({{"stopped", true}});
}

}  // namespace pgherd::supervisor
