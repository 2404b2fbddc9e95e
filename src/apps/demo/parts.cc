#include "apps/demo/parts.h"

#include <chrono>
#include <cstdio>
#include <string_view>

#include <unistd.h>

#include <fmt/format.h>

#include "apps/commands/invocation.h"
#include "apps/demo/child.h"
#include "understudy/understudy.h"

namespace understudy::apps::demo {

namespace {

void note(std::string_view what) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const std::string line =
        fmt::format("{} {}\n", what,
                    std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
    (void)!::write(Child::notes_descriptor, line.data(), line.size());
}

}  // namespace

Result<Exit> run_member(const std::string& registry, const std::string& member) {
    auto agent = US_TRY(Agent::open({.name = "Foo" + member + "-agent", .registry = {registry}}));
    auto service = US_TRY(agent.create_service({.family = family, .member = member}));
    auto record = US_TRY(service.record(record_name));
    US_CHECK(record.put(field_name, "Hello World (from " + member + ")"));
    US_CHECK(service.publish(record));

    // This comes last: a reader of STANDBY may kill the other member at once, and the record must
    // exist by then.
    service.on_role([](const RoleChange& change) {
        print(change.role == Role::active ? "MASTER\n" : "STANDBY\n");
    });
    agent.wait();
    return Exit::done;
}

Result<Exit> run_client(const std::string& registry) {
    auto agent = US_TRY(Agent::open({.name = "FT-client", .registry = {registry}}));
    US_CHECK(agent.wait_for_service(family));
    auto proxy = US_TRY(agent.proxy(family));
    const auto subscription =
        US_TRY(proxy.subscribe(record_name, [](const RecordImage& image, const RecordChange&) {
            note("found");
            print(image.text(field_name, "(no message)") + '\n');
        }));
    // The status of the record, not of the connection, because only it is in order with the
    // messages.
    proxy.on_record_status(subscription, [](RecordStatus status) {
        if (status == RecordStatus::stale) note("lost");
    });
    agent.wait();
    return Exit::done;
}

}  // namespace understudy::apps::demo
