// libpq, loaded by the first call of one of its functions.
//
// Debian's libpq brings some twenty libraries along (LDAP, Kerberos, GnuTLS): several megabytes of private
// memory and milliseconds of relocation for every process that is linked with it. The guard, the supervisor
// and most commands never speak to PostgreSQL. So the program is linked with these forwarders instead; they
// must have the very signatures of libpq-fe.h, which the compiler checks. A function of libpq that is used
// and absent here does not link.
#include <cstdio>
#include <cstdlib>

#include <dlfcn.h>
#include <libpq-fe.h>

namespace {

void* library() {
    static void* const handle = [] {
        void* const loaded = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
        if (loaded == nullptr) {
            std::fprintf(stderr,
                         "pgherd: cannot load PostgreSQL's client library: %s; install it (Debian: libpq5)\n",
                         dlerror());
            std::exit(1);
        }
        return loaded;
    }();
    return handle;
}

template <class Function>
Function* find(const char* name) {
    void* const symbol = dlsym(library(), name);
    if (symbol == nullptr) {
        std::fprintf(stderr, "pgherd: libpq.so.5 is too old: it has no %s; version 14 or newer is needed\n",
                     name);
        std::exit(1);
    }
    return reinterpret_cast<Function*>(symbol);
}

}  // namespace

#define FORWARD(result, name, parameters, arguments)              \
    extern "C" result name parameters {                           \
        static auto* const real = find<result parameters>(#name); \
        return real arguments;                                    \
    }

FORWARD(void, PQclear, (PGresult * r), (r))
FORWARD(PostgresPollingStatusType, PQconnectPoll, (PGconn * c), (c))
FORWARD(PGconn*, PQconnectStartParams, (const char* const* keys, const char* const* values, int expand),
        (keys, values, expand))
FORWARD(PGconn*, PQconnectdb, (const char* conninfo), (conninfo))
FORWARD(PGconn*, PQconnectdbParams, (const char* const* keys, const char* const* values, int expand),
        (keys, values, expand))
FORWARD(void, PQconninfoFree, (PQconninfoOption * options), (options))
FORWARD(PQconninfoOption*, PQconninfoParse, (const char* conninfo, char** message), (conninfo, message))
FORWARD(int, PQconsumeInput, (PGconn * c), (c))
FORWARD(char*, PQencryptPasswordConn,
        (PGconn * c, const char* password, const char* user, const char* algorithm),
        (c, password, user, algorithm))
FORWARD(char*, PQerrorMessage, (const PGconn* c), (c))
FORWARD(PGresult*, PQexec, (PGconn * c, const char* query), (c, query))
FORWARD(void, PQfinish, (PGconn * c), (c))
FORWARD(int, PQflush, (PGconn * c), (c))
FORWARD(char*, PQfname, (const PGresult* r, int field), (r, field))
FORWARD(void, PQfreemem, (void* memory), (memory))
FORWARD(Oid, PQftype, (const PGresult* r, int field), (r, field))
FORWARD(PGresult*, PQgetResult, (PGconn * c), (c))
FORWARD(int, PQgetisnull, (const PGresult* r, int row, int field), (r, row, field))
FORWARD(int, PQgetlength, (const PGresult* r, int row, int field), (r, row, field))
FORWARD(char*, PQgetvalue, (const PGresult* r, int row, int field), (r, row, field))
FORWARD(int, PQisBusy, (PGconn * c), (c))
FORWARD(int, PQnfields, (const PGresult* r), (r))
FORWARD(int, PQntuples, (const PGresult* r), (r))
FORWARD(PGPing, PQping, (const char* conninfo), (conninfo))
FORWARD(char*, PQresultErrorField, (const PGresult* r, int code), (r, code))
FORWARD(char*, PQresultErrorMessage, (const PGresult* r), (r))
FORWARD(ExecStatusType, PQresultStatus, (const PGresult* r), (r))
FORWARD(int, PQsendQuery, (PGconn * c, const char* query), (c, query))
FORWARD(int, PQsendQueryParams,
        (PGconn * c, const char* command, int count, const Oid* types, const char* const* values,
         const int* lengths, const int* formats, int result_format),
        (c, command, count, types, values, lengths, formats, result_format))
FORWARD(PGVerbosity, PQsetErrorVerbosity, (PGconn * c, PGVerbosity verbosity), (c, verbosity))
FORWARD(PQnoticeProcessor, PQsetNoticeProcessor, (PGconn * c, PQnoticeProcessor processor, void* data),
        (c, processor, data))
FORWARD(PQnoticeReceiver, PQsetNoticeReceiver, (PGconn * c, PQnoticeReceiver receiver, void* data),
        (c, receiver, data))
FORWARD(int, PQsetnonblocking, (PGconn * c, int on), (c, on))
FORWARD(int, PQsocket, (const PGconn* c), (c))
FORWARD(ConnStatusType, PQstatus, (const PGconn* c), (c))
