// query: SQL on one member.
#include <libpq-fe.h>

#include "base/text.h"
#include "ctl/named_file.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

struct Options {
    std::string command;
    std::string file;
    std::string database;
    std::string user;
    bool ask_password = false;
    std::string password;
    std::string member;
    std::optional<RoleFilter> role;
    Format format = Format::tsv;
    std::string delimiter = "\t";
    double watch = 0;
};

struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Close>;
using Answer = std::unique_ptr<PGresult, Close>;

Result<std::string> statement(const Options& options) {
    if (options.command.empty() == options.file.empty())
        return fail(ErrorCode::invalid, "say what to run with either --command or --file");
    if (!options.command.empty()) return options.command;
    return read_named_file(options.file, ErrorCode::invalid);
}

Result<Connection> connect_to(const Member& member, const Options& options) {
    std::map<std::string, std::string> settings{
        {"host", member.host()},
        {"port", std::to_string(member.port())},
        {"connect_timeout", "5"},
        {"fallback_application_name", "pgherd ctl"},
        {"dbname", options.database.empty() ? "postgres" : options.database}};
    if (!options.user.empty()) settings["user"] = options.user;
    if (!options.password.empty()) settings["password"] = options.password;
    std::vector<const char*> keys;
    std::vector<const char*> values;
    for (const auto& [key, value] : settings) {
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    Connection connection{PQconnectdbParams(keys.data(), values.data(), 0)};
    if (PQstatus(connection.get()) != CONNECTION_OK)
        return fail(fmt::format("cannot connect to \"{}\": {}", member.name.text(),
                                trim(PQerrorMessage(connection.get()))));
    return connection;
}

// PostgreSQL's integers and booleans keep their kind in JSON; everything else is text as the server writes
// it.
Json cell(const PGresult* result, int row, int column) {
    constexpr Oid kBool = 16, kInt8 = 20, kInt2 = 21, kInt4 = 23, kOid = 26;
    if (PQgetisnull(result, row, column)) return nullptr;
    std::string_view text = PQgetvalue(result, row, column);
    switch (PQftype(result, column)) {
        case kBool: return text == "t";
        case kInt2:
        case kInt4:
        case kInt8:
        case kOid:
            if (auto number = parse_int(text)) return *number;
            break;
        default: break;
    }
    return Json(text);
}

Status run_once(Context& context, const Options& options, const std::string& sql) {
    PGHERD_TRY(auto loaded, context.remote.load());
    PGHERD_TRY(const Member* member, one_member(loaded.view, options.role, options.member));
    PGHERD_TRY(auto connection, connect_to(*member, options));
    Answer answer{PQexec(connection.get(), sql.c_str())};
    auto status = PQresultStatus(answer.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
        return fail(fmt::format("the query failed on \"{}\": {}", member->name.text(),
                                trim(PQresultErrorMessage(answer.get()))));
    Table table;
    for (int column = 0; column < PQnfields(answer.get()); ++column)
        table.columns.push_back({PQfname(answer.get(), column)});
    for (int row = 0; row < PQntuples(answer.get()); ++row) {
        std::vector<Json> cells;
        for (int column = 0; column < PQnfields(answer.get()); ++column)
            cells.push_back(cell(answer.get(), row, column));
        table.rows.push_back(std::move(cells));
    }
    context.terminal.print(
        render(table, options.format, true, options.delimiter.empty() ? '\t' : options.delimiter.front()));
    return {};
}

Status query(Context& context, Options options) {
    PGHERD_TRY(auto sql, statement(options));
    if (options.ask_password) {
        PGHERD_TRY(options.password, ask_secret(context.terminal, "Password"));
    }
    if (options.watch <= 0) return run_once(context, options, sql);
    while (!context.terminal.output_closed()) {
        if (auto done = run_once(context, options, sql); !done)
            context.terminal.complain(done.error().message);
        context.remote.sleep(
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.watch)));
    }
    return {};
}

}  // namespace

void add_query(CommandLine& line) {
    auto options = std::make_shared<Options>();
    VerbLine verb = line.verb("query", "Run SQL on a member; on the leader, if not said otherwise");
    verb.text("-c,--command", options->command, "What to run", "SQL");
    verb.text("-f,--file", options->file, "Run what is in this file", "FILE");
    verb.text("-d,--dbname", options->database, "Database", "NAME");
    verb.text("-U,--username", options->user, "User", "NAME");
    verb.flag("--password", options->ask_password,
              "Ask for the password ($PGPASSWORD and ~/.pgpass are used anyway)");
    verb.text("-m,--member", options->member, "On this member", "MEMBER");
    verb.role(options->role);
    verb.format("--format", options->format);
    verb.text("--delimiter", options->delimiter, "Between columns, in tsv", "CHARACTER");
    verb.watch(options->watch);
    verb.runs([options](Context& context) { return query(context, *options); });
}

}  // namespace pgherd::ctl
