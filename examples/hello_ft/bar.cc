// A member of the service Foo. All members run this code; only their names differ.
//
//     hello_bar MEMBER [REGISTRY]

#include <cstdio>

#include <understudy/understudy.h>

#include "program.h"

int main(int argc, char** argv) try {
    const sigset_t ends = hold_signals();
    if (argc < 2) {
        std::fprintf(stderr, "usage: hello_bar MEMBER [REGISTRY]\n");
        return 2;
    }
    const std::string member = argv[1];

    auto agent = understudy::Agent::open({.name = "Foo" + member + "-agent",
                                          .registry = registry_addresses(argc, argv, 2)})
                     .value_or_throw();
    auto service = agent.create_service({.family = "Foo", .member = member}).value_or_throw();
    service.on_role([](const understudy::RoleChange& change) {
        std::puts(change.role == understudy::Role::active ? "MASTER" : "STANDBY");
    });

    auto record = service.record("HelloWorld").value_or_throw();
    record.put("a message", "Hello World (from " + member + ")").value_or_throw();
    service.publish(record).value_or_throw();

    wait_for_signal(ends);
    return 0;
} catch (const std::exception& exception) {
    std::fprintf(stderr, "bar: %s\n", exception.what());
    return 1;
}
