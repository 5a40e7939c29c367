#include "container/container.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "codec/agent_config.h"
#include "container/first_database.h"
#include "container/first_secret.h"
#include "container/named_files.h"
#include "container/rollout_run.h"
#include "container/settings.h"
#include "supervise/command.h"
#include "supervise/layer_yaml.h"
#include "supervisor/run.h"
#include "workload/render.h"
#include "workload/render_layer.h"

namespace pgherd::container {
namespace {

namespace fs = std::filesystem;

constexpr const char* kService = "postgresql";
constexpr const char* kFooter =
    "Without a subcommand: writes the member's files and runs them under the supervisor, as PID 1 of a "
    "container.\n"
    "\nvariables:\n"
    "  POSTGRES_PASSWORD, POSTGRES_PASSWORD_FILE   the superuser's password\n"
    "  POSTGRES_USER, POSTGRES_DB                  the superuser's name (postgres), a first database (the "
    "user's name)\n"
    "  POSTGRES_INITDB_ARGS, PGDATA                as of the postgres image\n"
    "  POSTGRES_HOST_AUTH_METHOD                   scram-sha-256, md5 or trust: how clients log in over TCP\n"
    "  PATRONI_SCOPE, PATRONI_NAME                 the cluster, and this member (the host's name)\n"
    "  PATRONI_KUBERNETES_…, PATRONI_ETCD3_…       where members meet; without them the cluster is this "
    "member\n"
    "  PGHERD_SECRETS                              directory of superuser-password, replication-password, "
    "rewind-password\n"
    "                                              and restapi-password (/etc/pgherd/secrets)\n"
    "  PGHERD_CONFIG                               directory of *.yml in patroni.yml's form "
    "(/etc/pgherd/conf.d)\n"
    "\nScripts in /docker-entrypoint-initdb.d are run once, by the first member of a new cluster.\n"
    "\nexamples:\n"
    "  pgherd container\n"
    "  docker run -e POSTGRES_PASSWORD=secret pgherd\n";

Error cannot(std::string_view what, const fs::path& path) {
    return {
        ErrorCode::failed, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)), {}};
}

// An empty one, whatever an earlier start has left.
Status make_empty_directory(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);
    if (!error && !fs::create_directories(path, error) && !error)
        error = std::make_error_code(std::errc::file_exists);
    if (!error) fs::permissions(path, fs::perms::owner_all, error);
    if (error) return fail(fmt::format("cannot create {}: {}", path.string(), error.message()));
    return {};
}

// A file system that a group owns gets the group's access on every file, and PostgreSQL refuses such a
// directory.
Status narrow_data_directory(const fs::path& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0 || !(info.st_mode & 027)) return {};
    if (::chmod(path.c_str(), 0700) != 0) return std::unexpected(cannot("set the mode of", path));
    return {};
}

// The one given by a variable, the mounted one, or, for a cluster of one member, one that is made here and
// kept beside the data.
class Passwords {
  public:
    explicit Passwords(const Settings& settings) : settings_(settings) {}

    Status find(const char* name, Password& password) const {
        if (!password.empty()) return {};
        const fs::path mounted = fs::path(settings_.secrets_dir) / name;
        if (::access(mounted.c_str(), F_OK) == 0) {
            password.file = mounted.string();
            return {};
        }
        if (settings_.shared)
            return fail(
                ErrorCode::not_found,
                fmt::format("there is no {}; members share their passwords, so mount a Secret with the keys "
                            "superuser-password, replication-password and restapi-password at {}",
                            mounted.string(), settings_.secrets_dir));
        return make(name, password);
    }

  private:
    Status make(const char* name, Password& password) const {
        const fs::path file = fs::path(settings_.member.data_dir).parent_path() / (std::string(".") + name);
        password.file = file.string();
        if (::access(file.c_str(), F_OK) == 0) return {};
        return write_file_atomically(file, random_password() + "\n");
    }

    const Settings& settings_;
};

Status find_passwords(Settings& settings) {
    ClusterSpec& cluster = settings.cluster;
    if (!settings.password.empty()) {
        cluster.superuser_password.file = settings.run_dir + "/superuser-password";
        PGHERD_CHECK(write_file_atomically(cluster.superuser_password.file, settings.password + "\n"));
    }
    const Passwords passwords(settings);
    if (!settings.shared && cluster.superuser_password.empty() && cluster.client_authentication != "trust" &&
        ::access((settings.secrets_dir + "/superuser-password").c_str(), F_OK) != 0)
        return fail(
            ErrorCode::not_found,
            "no password for the superuser; set POSTGRES_PASSWORD, or POSTGRES_PASSWORD_FILE to a file that "
            "holds it");
    PGHERD_CHECK(passwords.find("superuser-password", cluster.superuser_password));
    PGHERD_CHECK(passwords.find("replication-password", cluster.replication_password));
    PGHERD_CHECK(passwords.find("restapi-password", cluster.rest_password));
    const std::string rewind = settings.secrets_dir + "/rewind-password";
    if (::access(rewind.c_str(), F_OK) == 0) cluster.rewind_password.file = rewind;
    return {};
}

Status write_files(Settings& settings) {
    const fs::path run = settings.run_dir, agent = run / "agent.d", layers = run / "layers";
    std::error_code error;
    fs::create_directories(run, error);
    if (error) return fail(fmt::format("cannot create {}: {}", run.string(), error.message()));
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (error) return fail(fmt::format("cannot find this program's own file: {}", error.message()));
    PGHERD_CHECK(find_passwords(settings));
    settings.cluster.post_bootstrap = supervise::join_command(
        {program.string(), "container", "init-database", "--superuser=" + settings.cluster.superuser,
         "--database=" + settings.database, "--scripts", settings.scripts_dir, "--data-dir",
         settings.member.data_dir});
    PGHERD_CHECK(make_empty_directory(agent));
    PGHERD_CHECK(
        write_file_atomically(agent / "10-member.yml", render_agent_yaml(settings.cluster, settings.member)));
    for (fs::directory_iterator entry(settings.own_config, error), end; !error && entry != end;
         entry.increment(error)) {
        const fs::path& file = entry->path();
        if (file.extension() != ".yml" && file.extension() != ".yaml") continue;
        fs::create_symlink(file, agent / ("50-" + file.filename().string()), error);
        if (error) return fail(fmt::format("cannot link {}: {}", file.string(), error.message()));
    }
    PGHERD_CHECK(make_empty_directory(layers));
    auto layer =
        agents_layer(program.string(), {{kService, settings.member.name, agent.string(), run.string()}});
    if (std::holds_alternative<KubernetesStore>(settings.cluster.store))
        layer.sections.services.emplace("rollout", rollout_service(program.string(), agent.string()));
    PGHERD_CHECK(write_file_atomically(layers / "001-agents.yaml", supervise::layer_yaml(layer)));
    return narrow_data_directory(settings.member.data_dir);
}

int failed(const Error& error) {
    fmt::print(stderr, "pgherd container: {}\n", error.message);
    return 1;
}

int run(std::string_view version) {
    char host[256] = {};
    ::gethostname(host, sizeof host - 1);
    const auto environment = read_named_files(current_environment());
    if (!environment) return failed(environment.error());
    auto settings = read_settings(*environment, host);
    if (!settings) return failed(settings.error());
    if (settings->cluster.client_authentication == "trust")
        fmt::print(
            stderr,
            "pgherd container: POSTGRES_HOST_AUTH_METHOD=trust lets everybody in who reaches the port\n");
    ::umask(077);
    if (auto written = write_files(*settings); !written) return failed(written.error());
    // Mistakes show here, and not in a service that is started again and again.
    const std::string agent = settings->run_dir + "/agent.d";
    for (const std::string& name : kUsedUp) ::unsetenv(name.c_str());
    if (auto config = load_agent_config(agent, current_environment()); !config) return failed(config.error());
    ::setenv("PEBBLE", settings->run_dir.c_str(), 1);
    return supervisor::supervisor_main({"run", "--create-dirs", "--verbose"}, version);
}

}  // namespace

int container_main(const std::vector<std::string>& args, std::string_view version) {
    CLI::App cli("Runs one member of a cluster in a container.", "pgherd container");
    cli.footer(kFooter);
    auto* first =
        cli.add_subcommand("init-database", "what a new cluster's first member does; the agent calls it");
    FirstDatabase wanted;
    first->add_option("--superuser", wanted.superuser, "the superuser's name")->required();
    first->add_option("--database", wanted.database, "a database to create");
    first->add_option("--scripts", wanted.scripts_dir, "directory of scripts to run");
    first->add_option("--data-dir", wanted.data_dir, "where the cluster is");
    first->add_option("CONNECTION", wanted.connection, "how psql connects as the superuser")->required();
    auto* secret = cli.add_subcommand(
        "init-secret", "make a Secret with the cluster's passwords where there is none (a Job calls it)");
    std::string secret_name;
    KubernetesConfig kubernetes;
    secret->add_option("NAME", secret_name, "name of the Secret")->required();
    secret->add_option("--namespace", kubernetes.namespace_, "its namespace (default: this pod's own)");
    auto* rollout = cli.add_subcommand(
        "rollout", "replace the pods of a changed StatefulSet, one at a time (a service beside the agent)");
    std::string agent_config;
    rollout->add_option("CONFIG", agent_config, "the agent's configuration")->required();
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    try {
        cli.parse(reversed);
    } catch (const CLI::ParseError& error) {
        return cli.exit(error) == 0 ? 0 : 2;
    }
    if (*secret) {
        const auto made = make_first_secret(secret_name, kubernetes);
        if (!made) return failed(made.error());
        fmt::print("{}\n", *made ? "the Secret is made" : "the Secret exists already and stays as it is");
        return 0;
    }
    if (*rollout) {
        const auto ended = run_rollout(agent_config);
        return ended ? 0 : failed(ended.error());
    }
    if (!*first) return run(version);
    const auto done = create_first_database(wanted);
    return done ? 0 : failed(done.error());
}

}  // namespace pgherd::container
