// counter MEMBER REGISTRY shared DIRECTORY
// counter MEMBER REGISTRY replicated DIRECTORY NAME=HOST:PORT,...
//
// A member of the service "counter". Prints "role NAME epoch=N" with each change, and ends with its
// standard input.

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "tests/counter/counter.h"
#include "understudy/replica.h"

namespace {

using namespace understudy;

void say(const std::string& line) {
    const std::string whole = line + "\n";
    if (::write(STDOUT_FILENO, whole.data(), whole.size()) < 0) std::_Exit(1);
}

[[nodiscard]] ReplicatedGroup group_of(const std::string& directory, const std::string& list) {
    ReplicatedGroup group{.directory = directory, .nodes = {}};
    std::istringstream in(list);
    for (std::string part; std::getline(in, part, ',');) {
        const std::size_t equals = part.find('=');
        group.nodes.push_back(
            {.name = part.substr(0, equals), .address = part.substr(equals + 1)});
    }
    return group;
}

int run(const std::vector<std::string>& arguments) {
    ReplicaOptions options{.service = "counter", .member = arguments[0], .journal = {}};
    options.registry = {arguments[1]};
    if (arguments[2] == "shared") {
        options.journal = SharedDirectory{.path = arguments[3], .lease = 500ms};
    } else {
        options.journal = group_of(arguments[3], arguments.at(4));
    }
    options.checkpoint_every_bytes = 64 * KiB;  // Often, so that some are killed in one.
    auto replica =
        Replica::open(options, std::make_shared<counter::Counters>()).value_or_throw();
    replica.on_role([](const ReplicaStatus& now) {
        if (now.failed) say("failed " + to_string(*now.failed));
        say("role " + std::string(name(now.role)) + " epoch=" + std::to_string(now.epoch.value));
    });
    for (std::string line; std::getline(std::cin, line);) {
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count == 5 || count == 6) return run({arguments + 1, arguments + count});
    std::fputs("usage: see the head of counter_main.cc\n", stderr);
    return 2;
}
