// A client of the service Foo. It knows the service by name; which member is active does not
// matter.
//
//     hello_client [REGISTRY]

#include <cstdio>

#include <understudy/understudy.h>

#include "program.h"

int main(int argc, char** argv) try {
    const sigset_t ends = hold_signals();
    auto agent = understudy::Agent::open({.name = "FT-client",
                                          .registry = registry_addresses(argc, argv, 1)})
                     .value_or_throw();
    agent.wait_for_service("Foo").value_or_throw();

    auto proxy = agent.proxy("Foo").value_or_throw();
    proxy
        .on_record("HelloWorld",
                   [](const understudy::RecordImage& image, const understudy::RecordChange&) {
                       std::puts(image.text("a message", "").c_str());
                   })
        .value_or_throw();

    wait_for_signal(ends);
    return 0;
} catch (const std::exception& exception) {
    std::fprintf(stderr, "client: %s\n", exception.what());
    return 1;
}
