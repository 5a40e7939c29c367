// A real PostgreSQL for one test: on loopback, as an unprivileged user, gone with the test.
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pgherd::writes {

// A port that was free a moment ago, and the listener that holds it until it is closed.
class Listener {
  public:
    Listener() {
        descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
        if (::bind(descriptor_, generic, size) || ::listen(descriptor_, 16) ||
            ::getsockname(descriptor_, generic, &size))
            throw std::runtime_error("no free port");
        port_ = ntohs(address.sin_port);
    }
    ~Listener() { ::close(descriptor_); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    int port() const { return port_; }

  private:
    int descriptor_ = -1;
    int port_ = 0;
};

class Server {
  public:
    Server() : port_(Listener().port()) {
        std::string pattern = (std::filesystem::temp_directory_path() / "pgherd-writes-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
        directory_ = pattern;
        if (::geteuid() == 0 && ::chown(directory_.c_str(), account()->pw_uid, account()->pw_gid))
            throw std::runtime_error("chown");
        int code = wait_for(spawn({"initdb", "-D", data(), "-U", "postgres", "-A", "trust", "--no-sync",
                                   "--no-instructions", "-E", "UTF8"}));
        if (code != 0) throw std::runtime_error("initdb failed, see " + directory_.string());
    }
    ~Server() {
        stop(SIGQUIT);
        std::filesystem::remove_all(directory_);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    int port() const { return port_; }
    std::string host() const { return "host=127.0.0.1 port=" + std::to_string(port_) + dsn_rest(); }
    static std::string dsn_rest() { return " user=postgres dbname=postgres"; }

    void start() {
        postmaster_ =
            spawn({"postgres", "-D", data(), "-p", std::to_string(port_), "-c", "listen_addresses=127.0.0.1",
                   "-c", "unix_socket_directories=", "-c", "fsync=off"});
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (PQping(host().c_str()) != PQPING_OK) {
            if (std::chrono::steady_clock::now() > deadline)
                throw std::runtime_error("the server does not start, see " + directory_.string());
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    void stop(int signal) {
        if (postmaster_ <= 0) return;
        ::kill(postmaster_, signal);
        wait_for(std::exchange(postmaster_, -1));
    }
    // The first column of the first row, or the error.
    std::string ask(const std::string& sql) const {
        PGconn* connection = PQconnectdb(host().c_str());
        PGresult* result = PQexec(connection, sql.c_str());
        std::string answer = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0
                                 ? PQgetvalue(result, 0, 0)
                                 : PQresultErrorMessage(result);
        PQclear(result);
        PQfinish(connection);
        return answer;
    }

  private:
    static passwd* account() {
        passwd* found = ::getpwnam("postgres");
        if (!found) throw std::runtime_error("there is no user postgres to run the server as");
        return found;
    }
    static std::string program(const std::string& name) {
        for (int version = 18; version >= 14; --version) {
            std::string path = "/usr/lib/postgresql/" + std::to_string(version) + "/bin/" + name;
            if (::access(path.c_str(), X_OK) == 0) return path;
        }
        return name;
    }
    std::string data() const { return (directory_ / "data").string(); }

    pid_t spawn(std::vector<std::string> arguments) const {
        std::string path = program(arguments[0]);
        std::string log = (directory_ / "log").string();
        passwd* user = ::geteuid() == 0 ? account() : nullptr;
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        pid_t parent = ::getpid();
        pid_t child = ::fork();
        if (child != 0) return child;
        if (user && (::setgroups(0, nullptr) || ::setgid(user->pw_gid) || ::setuid(user->pw_uid)))
            ::_exit(126);
        ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
        if (::getppid() != parent) ::_exit(125);
        int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
        ::execvp(path.c_str(), argv.data());
        ::_exit(127);
    }
    static int wait_for(pid_t child) {
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }

    std::filesystem::path directory_;
    int port_ = 0;
    pid_t postmaster_ = -1;
};

}  // namespace pgherd::writes
