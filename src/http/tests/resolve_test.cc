// Name servers that take their time.
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>

#include <dlfcn.h>
#include <netdb.h>

#include "http_testing.h"

// Stands before the system's: knows names that are slow, and one that is not.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
    using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    const std::string_view name = node ? node : "";
    if (name == "slow.test") {
        std::this_thread::sleep_for(std::chrono::milliseconds(400));
        return EAI_AGAIN;
    }
    return real(name == "quick.test" ? "127.0.0.1" : node, service, hints, found);
}

namespace pgherd {
namespace {

using ResolveTest = HttpTest;

TEST_F(ResolveTest, NamesThatNobodyWaitsForAnyMoreHoldUpNoOther) {
    serve();
    HttpClient client(loop_);
    int given_up = 0;
    for (int i = 0; i < 10; ++i)
        client.request("GET", "http://slow.test/", {}, {},
                       loop_.clock().now() + std::chrono::milliseconds(100), [&](auto answer) {
                           EXPECT_FALSE(answer);
                           ++given_up;
                       });
    ASSERT_TRUE(loop_.run_until([&] { return given_up == 10; }, kLimit));
    const auto answer = request(client, "GET", fmt::format("http://quick.test:{}/", server_->port()), {},
                                std::chrono::milliseconds(1500));
    EXPECT_TRUE(answer) << answer.error().message;
}

}  // namespace
}  // namespace pgherd
