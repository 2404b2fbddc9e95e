#pragma once

// The common part of the three programs of this example, which has nothing to do with Understudy.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

/// Blocks SIGINT and SIGTERM until wait_for_signal(). Call it first in main(), so that threads
/// inherit it.
inline sigset_t hold_signals() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // A line is visible as soon as it is written.
    return ends;
}

inline void wait_for_signal(const sigset_t& ends) {
    int signal = 0;
    sigwait(&ends, &signal);
}

/// Addresses of the registry, separated by commas: the argument at `index`, or UNDERSTUDY_REGISTRY,
/// or the default.
inline std::vector<std::string> registry_addresses(int argc, char** argv, int index) {
    const char* set = argc > index ? argv[index] : std::getenv("UNDERSTUDY_REGISTRY");
    std::istringstream text(set != nullptr ? set : "127.0.0.1:22222");
    std::vector<std::string> addresses;
    for (std::string address; std::getline(text, address, ',');) addresses.push_back(address);
    return addresses;
}
