// process_immortal_member SERVICE MEMBER DIRECTORY LISTEN SERVERS CLIENTS
// process_immortal_member SERVICE MEMBER DIRECTORY REGISTRY
//
// A copy of the service "server" or "client" on a shared directory. Says "role NAME epoch=N" with
// each change. Reads from its standard input, and ends with it:
//   begin COUNT   client: greets the server that often
//   show          says "shown greetings=N touches=N" or "shown answers=N wrong=N asks=N", or
//                 "shown not" as standby

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "tests/process/immortal_parts.h"
#include "understudy/immortal_member.h"

namespace {

using namespace understudy;
using process::Client;
using process::Server;

void say(const std::string& line) {
    const std::string whole = line + "\n";
    if (::write(STDOUT_FILENO, whole.data(), whole.size()) < 0) std::_Exit(1);
}

[[nodiscard]] std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::istringstream in(list);
    for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
    return parts;
}

void show(ImmortalMember& member, bool server) {
    std::string text = "shown not";
    if (server) {
        (void)member.look<Server>([&](const Server& it) {
            text = "shown greetings=" + std::to_string(it.greetings) +
                   " touches=" + std::to_string(it.touches);
        });
    } else {
        (void)member.look<Client>([&](const Client& it) {
            text = "shown answers=" + std::to_string(it.answers) +
                   " wrong=" + std::to_string(it.wrong) + " asks=" + std::to_string(it.asks);
        });
    }
    say(text);
}

int run(const std::vector<std::string>& arguments) {
    const bool server = arguments[0] == "server";
    ImmortalOptions options{.service = arguments[0], .member = arguments[1]};
    options.journal = SharedDirectory{.path = arguments[2], .lease = 500ms};
    if (arguments.size() == 4) {
        options.registry = {arguments[3]};
    } else {
        options.listen = arguments[3];
        options.peers = {{"server", split(arguments[4])}, {"client", split(arguments[5])}};
    }
    // Small, so that some are killed during a checkpoint.
    options.checkpoint_every_bytes = 64 * KiB;
    auto member = (server ? ImmortalMember::open<Server>(options)
                          : ImmortalMember::open<Client>(options))
                      .value_or_throw();
    member.on_role([](const ImmortalStatus& now) {
        say("role " + std::string(name(now.role)) + " epoch=" + std::to_string(now.epoch.value));
    });
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "show") show(member, server);
        if (line.starts_with("begin ")) {
            member.impulse<&Client::begin>(std::stoll(line.substr(6))).value_or_throw();
            say("begun");
        }
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count == 5 || count == 7) return run({arguments + 1, arguments + count});
    std::fputs("usage: see the head of immortal_member_main.cc\n", stderr);
    return 2;
}
