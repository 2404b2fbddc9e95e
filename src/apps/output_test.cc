#include "apps/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace understudy::apps {
namespace {

/// Runs in a separate process, whose standard output is `descriptor`.
void print_into(int descriptor) {
    open_output();
    (void)::dup2(descriptor, STDOUT_FILENO);
    print("x\n");
    ::_exit(0);
}

[[nodiscard]] int pipe_without_reader() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    (void)::close(ends[0]);
    return ends[1];
}

TEST(Output, AFullDiskEndsTheProcessWith74) {
    const int full = ::open("/dev/full", O_WRONLY);
    ASSERT_GE(full, 0);
    EXPECT_EXIT(print_into(full), testing::ExitedWithCode(74),
                "understudy: standard output cannot be written: No space left on device");
}

TEST(Output, AClosedDescriptorEndsTheProcessWith74) {
    EXPECT_EXIT((::close(STDOUT_FILENO), open_output(), print("x\n"), ::_exit(0)),
                testing::ExitedWithCode(74), "standard output cannot be written: it is closed");
}

TEST(Output, AReaderThatHasGoneEndsTheProcessAsTheSignalDoes) {
    const int gone = pipe_without_reader();
    EXPECT_EXIT(print_into(gone), testing::KilledBySignal(SIGPIPE), "^$");
}

TEST(Output, AServerGoesOnWithoutItsReader) {
    const int gone = pipe_without_reader();
    const auto serve = [gone] {
        open_output();
        (void)::dup2(gone, STDOUT_FILENO);
        announce("x\n");
        ::_exit(7);
    };
    EXPECT_EXIT(serve(), testing::ExitedWithCode(7), "^$");
}

TEST(Output, AFailureInAnotherThreadEndsTheProcessToo) {
    const int full = ::open("/dev/full", O_WRONLY);
    EXPECT_EXIT(
        {
            std::thread callback([full] { print_into(full); });
            callback.join();
        },
        testing::ExitedWithCode(74), "No space left on device");
}

TEST(Output, WhatIsOpenedLaterNeverTakesTheNumberOfAStandardDescriptor) {
    const auto look = [] {
        for (const int number : {0, 1, 2}) (void)::close(number);
        open_output();
        ::_exit(::open("/dev/null", O_RDONLY));
    };
    EXPECT_EXIT(
        {
            look();
        },
        [](int status) { return WIFEXITED(status) && WEXITSTATUS(status) > 2; }, "");
}

TEST(Output, WhatItLeavesIsTakenAwayBeforeItEnds) {
    const int full = ::open("/dev/full", O_WRONLY);
    const auto leave = [full] {
        before_output_fails([] { tell("taken away\n"); });
        print_into(full);
    };
    EXPECT_EXIT(leave(), testing::ExitedWithCode(74), "taken away");
}

}  // namespace
}  // namespace understudy::apps
