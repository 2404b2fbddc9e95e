// A member of a service for the tests of the program: it has records and calls, and prints its
// roles.

#include "understudy/understudy.h"

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

namespace {

using namespace understudy;

void publish_calls(Service& service) {
    service.publish_rpc("echo", [](const Arguments& arguments) -> Result<CallResult> {
        return CallResult::from_json(arguments.json());
    }).value_or_throw();
    service.publish_rpc("add", [](const Arguments& arguments) -> Result<CallResult> {
        const auto left = arguments.integer("left");
        const auto right = arguments.integer("right");
        if (!left || !right) {
            return Error{.code = Errc::refused, .detail = "left and right, please"};
        }
        return CallResult(*left + *right);
    }).value_or_throw();
    service.publish_rpc("half", [](const Arguments&) -> Result<CallResult> {
        return Error{.code = Errc::failed, .effect = Effect::unknown, .detail = "gave up half-way"};
    }).value_or_throw();
    service.publish_rpc("throw", [](const Arguments&) -> Result<CallResult> {
        throw std::runtime_error("thrown within the handler");
    }).value_or_throw();
    service.publish_rpc("fail", [](const Arguments&) -> Result<CallResult> {
        return Error{.code = Errc::failed, .detail = "not today"};
    }).value_or_throw();
}

void publish_records(Service& service, const std::string& member) {
    auto hello = service.record("HelloWorld").value_or_throw();
    hello.put("a message", "Hello World (from " + member + ")").value_or_throw();
    hello.put("count", 3).value_or_throw();
    hello.put("share", 0.5).value_or_throw();
    hello.put("sub", "field", "x").value_or_throw();
    service.publish(hello).value_or_throw();
    auto other = service.record("Other").value_or_throw();
    service.publish(other).value_or_throw();
}

}  // namespace

int main(int argc, char** argv) try {
    std::string registry;
    std::string advertise;
    ServiceOptions options;
    for (int index = 1; index < argc; ++index) {
        const std::string name = argv[index];
        if (name == "--allow-record-put") {
            options.allow_record_put = true;
        } else if (index + 1 < argc) {
            const std::string value = argv[++index];
            if (name == "--registry") registry = value;
            if (name == "--advertise") advertise = value;
            if (name == "--family") options.family = value;
            if (name == "--member") options.member = value;
        }
    }
    auto agent =
        Agent::open({.name = options.member + "-agent", .registry = {registry},
                     .advertise = advertise})
            .value_or_throw();
    const std::string member = options.member;
    auto service = agent.create_service(std::move(options)).value_or_throw();
    publish_records(service, member);
    publish_calls(service);
    service.on_role([](const RoleChange& change) {
        std::printf("%.*s\n", static_cast<int>(name(change.role).size()), name(change.role).data());
        std::fflush(stdout);
    });
    agent.wait();
    return 0;
} catch (const understudy::Exception& exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    return 1;
}
