// What /proc says of processes, this one and a child.
#include "base/process_info.h"

#include <algorithm>
#include <csignal>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pgherd {
namespace {

TEST(ProcessInfo, NamesParentGroupSessionAndStart) {
    const auto self = process_info(::getpid());
    ASSERT_TRUE(self);
    EXPECT_EQ(self->pid, ::getpid());
    EXPECT_EQ(self->parent, ::getppid());
    EXPECT_EQ(self->group, ::getpgrp());
    EXPECT_EQ(self->session, ::getsid(0));
    EXPECT_EQ(self->state, 'R');
    const auto all = all_processes();
    const auto found = std::ranges::find(all, ::getpid(), &ProcessInfo::pid);
    ASSERT_NE(found, all.end());
    EXPECT_EQ(found->start, self->start);
}

TEST(ProcessInfo, IsReadBehindANameOfAnyCharacters) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::prctl(PR_SET_NAME, "a) Z 1 (b");
        static_cast<void>(!::write(ready[1], "x", 1));
        while (true) ::pause();
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    const auto info = process_info(child);
    ::kill(child, SIGKILL);
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
    const auto dead = process_info(child);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
    ASSERT_TRUE(info && dead);
    EXPECT_EQ(info->parent, ::getpid());
    EXPECT_EQ(info->session, child);
    EXPECT_NE(info->state, 'Z');
    EXPECT_GE(info->start, process_info(::getpid())->start);
    EXPECT_EQ(dead->state, 'Z');
    EXPECT_EQ(dead->start, info->start);
    EXPECT_FALSE(process_info(child));
}

}  // namespace
}  // namespace pgherd
