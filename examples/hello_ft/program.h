#pragma once

// What the three programs of this example have in common, and what has nothing to do with Understudy.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

/// Makes SIGINT and SIGTERM wait for wait_for_signal(). First thing in main(): threads inherit it.
inline sigset_t hold_signals() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // A line is seen when it is written.
    return ends;
}

inline void wait_for_signal(const sigset_t& ends) {
    int signal = 0;
    sigwait(&ends, &signal);
}

/// Where the registry is: the argument at `index`, or UNDERSTUDY_REGISTRY, or where it is by default.
inline std::string registry_address(int argc, char** argv, int index) {
    if (argc > index) return argv[index];
    const char* set = std::getenv("UNDERSTUDY_REGISTRY");
    return set != nullptr ? set : "127.0.0.1:22222";
}
