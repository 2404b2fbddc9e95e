// A service and its client in another project: they use only the installed headers and library.

#include <understudy/understudy.h>

#include <cstdio>

int main(int argc, char** argv) try {
    using namespace understudy;
    if (argc != 2) return 2;
    auto registry = Registry::open({.listen = "127.0.0.1:0", .data = argv[1]}).value_or_throw();

    auto agent = Agent::open({.registry = {registry.address()}}).value_or_throw();
    auto orders = agent.create_service({.family = "Orders", .member = "A"}).value_or_throw();
    auto total = orders.record("Total").value_or_throw();
    total.put("amount", 42).value_or_throw();
    orders.publish(total).value_or_throw();

    agent.wait_for_service("Orders").value_or_throw();
    auto client = agent.proxy("Orders").value_or_throw();
    const RecordImage image = client.get("Total").value_or_throw();
    std::printf("Total: %zu field(s)\n", image.fields.size());
    return image.fields.at("amount") == Value(42) ? 0 : 1;
} catch (const understudy::Exception& exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    return 1;
}
