#pragma once

// What the three programs of this example have in common, and what has nothing to do with
// Understudy.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

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

/// Where the registry is, one address or several with commas: the argument at `index`, or
/// UNDERSTUDY_REGISTRY, or where it is by default.
inline std::vector<std::string> registry_addresses(int argc, char** argv, int index) {
    const char* set = argc > index ? argv[index] : std::getenv("UNDERSTUDY_REGISTRY");
    std::istringstream text(set != nullptr ? set : "127.0.0.1:22222");
    std::vector<std::string> addresses;
    for (std::string address; std::getline(text, address, ',');) addresses.push_back(address);
    return addresses;
}
