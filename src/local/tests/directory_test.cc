// The directory of a local cluster, its lock and its ports, on a real file system.
#include "local/directory.h"

#include <fstream>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "codec/agent_config.h"
#include "eventloop/system_random.h"
#include "local/local.h"
#include "local/lock.h"
#include "local/plan.h"
#include "local/tcp_ports.h"

namespace pgherd::local {
namespace {

namespace fs = std::filesystem;

class Temporary {
  public:
    Temporary() {
        std::string pattern = fs::temp_directory_path() / "pgherd-local-XXXXXX";
        path_ = ::mkdtemp(pattern.data());
    }
    ~Temporary() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    fs::path operator/(const char* name) const { return path_ / name; }

  private:
    fs::path path_;
};

// A listener on a port that the kernel chose.
class Listener {
  public:
    Listener() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
        ::listen(fd_, 1);
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    }
    ~Listener() { ::close(fd_); }
    std::uint16_t port() const { return port_; }

  private:
    int fd_;
    std::uint16_t port_ = 0;
};

Description two() {
    return {"local", "service", {{"member-1", 5432, 8008}, {"member-2", 5433, 8009}}};
}
mode_t mode_of(const fs::path& path) {
    struct stat info{};
    ::stat(path.c_str(), &info);
    return info.st_mode & 07777;
}

TEST(LocalDirectory, ADescriptionSurvivesBeingWritten) {
    auto parsed = parse_description(write_description(two()), "cluster.json");
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, two());
}

TEST(LocalDirectory, ABadDescriptionIsRefusedWithItsName) {
    for (const char* text :
         {"", "[]", "{}", R"({"members":[]})", R"({"members":[{"name":"../x","port":1,"rest_port":2}]})",
          R"({"members":[{"name":"a","port":"high","rest_port":2}]})", R"({"members":[{"name":"a"}]})"}) {
        auto parsed = parse_description(text, "/srv/cluster.json");
        ASSERT_FALSE(parsed) << text;
        EXPECT_TRUE(parsed.error().message.starts_with("/srv/cluster.json")) << parsed.error().message;
    }
}

TEST(LocalDirectory, KindsAreToldApart) {
    Temporary temporary;
    EXPECT_EQ(Directory(temporary / "absent").kind(), Directory::Kind::absent);
    fs::create_directory(temporary / "empty");
    EXPECT_EQ(Directory(temporary / "empty").kind(), Directory::Kind::empty);
    fs::create_directory(temporary / "foreign");
    std::ofstream(temporary / "foreign" / "precious") << "data";
    EXPECT_EQ(Directory(temporary / "foreign").kind(), Directory::Kind::foreign);
    std::ofstream(temporary / "file") << "data";
    EXPECT_EQ(Directory(temporary / "file").kind(), Directory::Kind::foreign);
}

TEST(LocalDirectory, IsMadeWholeAndPrivate) {
    Temporary temporary;
    SystemRandom random;
    Directory directory(temporary / "a" / "herd");
    auto created = directory.create(two(), User{}, random);
    ASSERT_TRUE(created) << created.error().message;
    EXPECT_EQ(directory.kind(), Directory::Kind::ours);
    EXPECT_EQ(mode_of(directory.path()), 0700u);
    EXPECT_EQ(mode_of(directory.path() / "superuser.password"), 0600u);
    EXPECT_EQ(*directory.description(), two());
    EXPECT_NE(*read_file(directory.path() / "superuser.password"),
              *read_file(directory.path() / "rest.password"));
}

TEST(LocalDirectory, IsMadeBesideOthersWithoutTouchingThem) {
    Temporary temporary;
    SystemRandom random;
    Directory neighbour(temporary / "herd.new");
    ASSERT_TRUE(neighbour.create(two(), User{}, random));
    std::ofstream(neighbour.path() / "store.db") << "data";
    Directory directory(temporary / "herd");
    auto created = directory.create(two(), User{}, random);
    EXPECT_TRUE(created) << created.error().message;
    EXPECT_EQ(*read_file(neighbour.path() / "store.db"), "data");
    EXPECT_EQ(neighbour.kind(), Directory::Kind::ours);

    // Remains of an attempt that was interrupted are no obstacle; what nobody knows stays.
    fs::create_directory(temporary / "second.pgherd-draft");
    std::ofstream(temporary / "second.pgherd-draft" / "cluster.json.pgherd-new") << "{";
    EXPECT_TRUE(Directory(temporary / "second").create(two(), User{}, random));
    EXPECT_FALSE(fs::exists(temporary / "second.pgherd-draft"));
    fs::create_directory(temporary / "third.pgherd-draft");
    std::ofstream(temporary / "third.pgherd-draft" / "precious") << "data";
    EXPECT_FALSE(Directory(temporary / "third").create(two(), User{}, random));
    EXPECT_EQ(*read_file(temporary / "third.pgherd-draft" / "precious"), "data");
}

TEST(LocalDirectory, HasANameThatPostgresqlTakesForOneSocketDirectory) {
    Temporary temporary;
    auto plan = make_plan({.dir = (temporary / "a,b").string()});
    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().message.find("comma"), std::string::npos) << plan.error().message;
}

TEST(LocalDirectory, IsPurgedOnlyWhenItIsOurs) {
    Temporary temporary;
    fs::create_directory(temporary / "project");
    std::ofstream(temporary / "project" / "cluster.json") << R"({"nodes": 3})";
    std::ofstream(temporary / "project" / "precious") << "data";
    const std::vector<std::string> args{"--purge", "--dir", (temporary / "project").string()};
    EXPECT_EQ(down_main(args), 1);
    EXPECT_EQ(*read_file(temporary / "project" / "precious"), "data");

    SystemRandom random;
    ASSERT_TRUE(Directory(temporary / "herd").create(two(), User{}, random));
    EXPECT_EQ(down_main(std::vector<std::string>{"--purge", "--dir", (temporary / "herd").string()}), 0);
    EXPECT_FALSE(fs::exists(temporary / "herd"));
}

TEST(LocalDirectory, RenderedAgentFilesAreUnderstoodByTheAgent) {
    Temporary temporary;
    SystemRandom random;
    Directory directory(temporary / "herd");
    ASSERT_TRUE(directory.create(two(), User{}, random));
    for (int again = 0; again < 2; ++again) {
        auto rendered = directory.render(two(), "/usr/lib/postgresql/15/bin");
        ASSERT_TRUE(rendered) << rendered.error().message;
    }
    auto config = load_agent_config(directory.agent_file("member-2"), {});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->name, MemberName("member-2"));
    EXPECT_EQ(config->postgres.connect_address, (Endpoint{"127.0.0.1", 5433}));
    EXPECT_EQ(config->restapi.username, "pgherd");
    EXPECT_FALSE(config->restapi.password.empty());
    EXPECT_EQ(config->store.path, directory.store().string());
    EXPECT_EQ(mode_of(directory.passfile()), 0600u);
    EXPECT_NE(read_file(directory.passfile())
                  ->find("127.0.0.1:5433:*:postgres:" + config->postgres.superuser.password),
              std::string::npos);
}

TEST(LocalDirectory, TheEndOfALogIsItsLastLines) {
    Temporary temporary;
    std::ofstream(temporary / "log") << "one\ntwo\nthree\n";
    EXPECT_EQ(tail_of(temporary / "log", 2), "two\nthree\n");
    EXPECT_EQ(tail_of(temporary / "log", 9), "one\ntwo\nthree\n");
    EXPECT_EQ(tail_of(temporary / "absent", 2), "");
}

TEST(LocalLock, IsHeldOnceAndTellsByWhom) {
    Temporary temporary;
    EXPECT_FALSE(lock_holder(temporary / "up.lock"));
    {
        auto lock = UpLock::take(temporary / "up.lock", User{});
        ASSERT_TRUE(lock);
        ASSERT_TRUE(lock->sign());
        auto second = UpLock::take(temporary / "up.lock", User{});
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, ErrorCode::conflict);
        auto holder = lock_holder(temporary / "up.lock");
        ASSERT_TRUE(holder);
        EXPECT_EQ(holder->pid, ::getpid());
        EXPECT_TRUE(is_alive(*holder));
        EXPECT_FALSE(is_alive({holder->pid, holder->started + 1}));
    }
    EXPECT_FALSE(lock_holder(temporary / "up.lock"));
}

TEST(LocalPorts, AGivenPortThatIsTakenIsAnErrorThatNamesTheHolder) {
    Listener taken;
    auto choice = choose_ports({"--port", {taken.port()}, {}, 5432}, 1);
    ASSERT_FALSE(choice);
    EXPECT_NE(choice.error().message.find(std::to_string(taken.port())), std::string::npos);
    EXPECT_NE(choice.error().message.find("pid " + std::to_string(::getpid())), std::string::npos)
        << choice.error().message;
}

TEST(LocalPorts, AUsualPortThatIsTakenIsReplacedByAFreeBlockAndSaidSo) {
    Listener taken;
    std::uint16_t first = taken.port() < 60000 ? taken.port() : std::uint16_t(taken.port() - 10000);
    PortWish wish{"--port", {}, {taken.port()}, first};
    auto choice = choose_ports(wish, 3);
    ASSERT_TRUE(choice) << choice.error().message;
    EXPECT_EQ(choice->ports.size(), 3u);
    EXPECT_FALSE(choice->remark.empty());
    for (std::uint16_t port : choice->ports) EXPECT_TRUE(port_is_free(port));
}

TEST(LocalPorts, RememberedPortsStayAndNewMembersGetTheNext) {
    std::uint16_t port = Listener().port();
    if (!port_is_free(std::uint16_t(port + 1))) GTEST_SKIP() << "the next port is taken";
    auto choice = choose_ports({"--port", {}, {port}, 5432}, 2);
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->ports, (std::vector<std::uint16_t>{port, std::uint16_t(port + 1)}));
    EXPECT_TRUE(choice->remark.empty());
}

TEST(LocalPorts, AsManyAsMembersOrOne) {
    auto choice = choose_ports({"--port", {6000, 6001}, {}, 5432}, 3);
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().message, "--port: 2 ports for 3 members");
}

TEST(LocalPorts, NoneAreMissingWhereTheNumbersEnd) {
    if (!port_is_free(65535)) GTEST_SKIP() << "port 65535 is taken";
    auto choice = choose_ports({"--port", {}, {65535}, 20000}, 2);
    ASSERT_TRUE(choice) << choice.error().message;
    EXPECT_EQ(choice->ports.size(), 2u);
    EXPECT_FALSE(choice->remark.empty());
}

}  // namespace
}  // namespace pgherd::local
