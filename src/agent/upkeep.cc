// What an agent does without a decision: keeps the configuration in force, the replication slots, the
// callbacks of roles, and knows where its upstream is.
#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "agent/impl.h"
#include "base/text.h"
#include "codec/json.h"
#include "ha/slots.h"
#include "syncrep/syncrep.h"

namespace pgherd::agent {

using namespace std::chrono_literals;

void Agent::Impl::apply_config() {
    auto view = mirror_.view();
    if (!view || !view->config_revision) return;
    if (!view->config) {
        if (std::exchange(applied_config_, view->config_error) != view->config_error)
            ports_.log.error("config-refused",
                             "the configuration in the store is not understood, the last one stays: " +
                                 view->config_error);
        return;
    }
    std::string text = to_text(Json(view->config->document));
    if (text == applied_config_) return;
    applied_config_ = std::move(text);
    state_.seen.config = *view->config;
    lease_.configure(view->config->ttl, view->config->loop_wait, view->config->pause);
    configure_postgres();
    reload_.ask();
    ports_.log.info("config-applied",
                    fmt::format("configuration of revision {} is in force", view->config_revision->value()));
}

void Agent::Impl::configure_postgres() {
    InstanceConfig wanted{state_.seen.config, instance_.sync_names().value_or("")};
    auto view = mirror_.view();
    // A primary that starts again, or that an earlier life of this agent has configured, must not acknowledge
    // alone what the record promises to its standbys.
    bool own = instance_.state().running() && instance_.sync_names().has_value();
    if (view && !view->sync.empty() && !own) {
        wanted.synchronous_standby_names =
            syncrep::render_names(syncrep::names_for(view->sync, state_.config.name, state_.seen.config));
        instance_.will_start_with(wanted.synchronous_standby_names);
    }
    ports_.postgres.configure(wanted);
}

void Agent::Impl::maintain() {
    const auto& pg = instance_.state();
    if (pg.unregistered && mirror_.view() && mirror_.view()->initialize &&
        mirror_.view()->initialize == pg.system_id)
        ports_.postgres.registered();
    if (instance_.running() || !instance_.state().running()) return;
    if (reload_.due(ports_.clock.now())) return begin_reload();
    sync_slots();
}

void Agent::Impl::begin_reload() {
    reload_.begin();
    configure_postgres();
    instance_.run(
        ha::Operation::reload, "config-changed",
        [](Postgres& postgres, Done<void> done) { postgres.reload(std::move(done)); },
        instance_.state().primary(),
        [this](Status result) {
            if (result) {
                reload_.succeeded();
                ports_.postgres.callback("on_reload", state_.published.role);
            } else if (reload_.failed(result.error().message, ports_.clock.now())) {
                ports_.log.warning("reload-failed",
                                   fmt::format("{} (the new settings are not in force; it is "
                                               "tried again until they are)",
                                               result.error().message));
            }
        });
}

void Agent::Impl::sync_slots() {
    auto view = mirror_.view();
    if (!view || syncing_slots_ || !instance_.state().in_recovery || state_.paused()) return;
    Instant now = ports_.clock.now();
    for (const auto& [name, member] : view->members) last_seen_members_[name] = now;
    ha::SlotInput input{.self = state_.config.name,
                        .primary = instance_.state().primary(),
                        .may_lead = state_.config.tags.may_lead(),
                        .cluster = view.get(),
                        .config = &state_.seen.config,
                        .gone = {},
                        .now = now};
    for (const auto& [name, at] : last_seen_members_)
        if (!view->members.contains(name)) input.gone[name] = at;
    auto wanted = ha::wanted_slots(input);
    bool due = now - slots_synced_ >= state_.seen.config.loop_wait;
    if (wanted == slots_ && !due) return;
    syncing_slots_ = true;
    slots_synced_ = now;
    slots_ = wanted;
    ports_.postgres.sync_slots(std::move(wanted), scope_.guard([this](Status result) {
        syncing_slots_ = false;
        if (!result)
            ports_.log.warning("slots",
                               with_context(result.error(), "cannot keep the replication slots").message);
    }));
}

Upstream Agent::Impl::upstream(const MemberName& name) const {
    const DynamicConfig& config = state_.seen.config;
    if (name.empty()) {
        if (config.standby_cluster && mirror_.view() && mirror_.view()->led_by(state_.config.name))
            return {{},
                    config.standby_cluster->host,
                    config.standby_cluster->port,
                    config.standby_cluster->primary_slot_name};
        return {};
    }
    const Member* member = mirror_.view() ? mirror_.view()->member(name) : nullptr;
    if (!member) return {};
    return {name, member->host(), member->port(), config.use_slots ? ha::slot_name(state_.config.name) : ""};
}

std::optional<MemberName> Agent::Impl::following() const {
    const std::string& conninfo = state_.seen.pg.primary_conninfo;
    if (conninfo.empty()) return MemberName();
    std::string host, port = "5432";
    for (const std::string& word : split(conninfo, ' ')) {
        std::string_view text(word);
        auto value = [&] { return std::string(text.substr(text.find('=') + 1)); };
        if (text.starts_with("host=")) host = value();
        if (text.starts_with("port=")) port = value();
    }
    std::erase(host, '\'');
    std::erase(port, '\'');
    if (mirror_.view())
        for (const auto& [name, member] : mirror_.view()->members)
            if (member.host() == host && std::to_string(member.port()) == port) return name;
    return std::nullopt;
}

void Agent::Impl::notify_role() {
    if (!instance_.state().running() || !instance_.state().in_recovery) return;
    Role role = state_.published.role;
    Role before = std::exchange(last_role_, role);
    if (before != Role::uninitialized && before != role) ports_.postgres.callback("on_role_change", role);
}

Duration Agent::Impl::question_limit() const {
    return std::clamp<Duration>(state_.seen.config.ttl / 5, 200ms, 2s);
}

}  // namespace pgherd::agent
