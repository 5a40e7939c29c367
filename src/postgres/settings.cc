// The configuration on disk, and getting a running server to take it over.
#include <algorithm>
#include <csignal>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "base/files.h"
#include "base/text.h"
#include "postgres/datadir.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

using std::chrono::seconds;

}  // namespace

Status Instance::write_configuration() {
    const RenderInput input = render_input();
    if (names_in_force_ != wanted_.synchronous_standby_names) names_in_force_.reset();
    PGHERD_CHECK(make_directory(identity_, config_dir()));
    const std::string conf = config_dir() + "/postgresql.conf";
    const std::string base = config_dir() + "/postgresql.base.conf";
    const auto absent = [](const Error& error) { return error.code == ErrorCode::not_found; };
    PGHERD_TRY(const bool has_base, is_there(base));
    if (!has_base) {
        // The first start: initdb's (or the former owner's) file stays as what ours includes.
        const auto original = read_file(conf);
        if (!original && !absent(original.error())) return std::unexpected(original.error());
        PGHERD_CHECK(write_file(identity_, base, original.value_or("")));
    }
    const std::string auto_conf = data_dir() + "/postgresql.auto.conf";
    const auto altered = read_file(auto_conf);
    if (altered) PGHERD_CHECK(write_file(identity_, auto_conf, purge_auto_conf(*altered)));
    if (!altered && !absent(altered.error())) return std::unexpected(altered.error());
    PGHERD_CHECK(write_password_file());
    PGHERD_CHECK(write_file(identity_, conf, postgresql_conf(input)));
    PGHERD_CHECK(write_file(identity_, config_dir() + "/pg_hba.conf", hba_conf(input)));
    return write_file(identity_, config_dir() + "/pg_ident.conf", ident_conf(input));
}

// A brain that was started again finds in the server what the old one had set.
Async<void> Instance::learn_upstream() {
    if (spec_) co_return Status{};
    PGHERD_CO_TRY(const bool standby, is_there(data_dir() + "/standby.signal"));
    if (gone() || !standby) {
        spec_ = StartSpec{.standby = standby};
        co_return Status{};
    }
    PGHERD_CO_TRY(const Table answer, co_await query("SELECT current_setting('primary_conninfo') AS "
                                                     "conninfo, current_setting('primary_slot_name') AS slot",
                                                     after(seconds(5))));
    StartSpec spec{.standby = true, .upstream = {.slot = answer.at(0, "slot")}};
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
        PQconninfoParse(answer.at(0, "conninfo").c_str(), nullptr), PQconninfoFree);
    for (const PQconninfoOption* option = options.get(); option && option->keyword; ++option) {
        if (!option->val) continue;
        if (option->keyword == std::string_view("host")) spec.upstream.host = option->val;
        if (option->keyword == std::string_view("port"))
            spec.upstream.port = static_cast<std::uint16_t>(parse_uint(option->val).value_or(5432));
    }
    spec_ = std::move(spec);
    co_return Status{};
}

Async<void> Instance::follow(Upstream upstream) {
    if (gone()) co_return fail(ErrorCode::conflict, "cannot follow: PostgreSQL does not run");
    PGHERD_CO_TRY(const bool standby, is_there(data_dir() + "/standby.signal"));
    if (!standby) co_return fail(ErrorCode::conflict, "cannot follow: PostgreSQL is no standby");
    spec_ = StartSpec{.standby = true, .upstream = std::move(upstream)};
    // Every supported version takes a new primary_conninfo over on reload.
    PGHERD_CO_CHECK(write_configuration());
    co_return co_await send_signal(SIGHUP);
}

Async<void> Instance::reload() {
    PGHERD_CO_CHECK(co_await learn_upstream());
    PGHERD_CO_TRY(const DataDirectory state, examine(data_dir()));
    if (state != DataDirectory::valid)
        co_return fail(ErrorCode::conflict,
                       fmt::format("cannot reload: {} is no complete instance", data_dir()));
    PGHERD_CO_CHECK(write_configuration());
    if (gone()) co_return Status{};
    co_return co_await send_signal(SIGHUP);
}

}  // namespace pgherd::postgres
