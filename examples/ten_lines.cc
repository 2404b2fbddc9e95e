// A fault-tolerant service in ten lines. Run it twice with different names: the second takes over
// when the first one dies.

#include <iostream>

#include <understudy/understudy.h>

int main(int argc, char** argv) try {
    using namespace understudy;
    const std::string name = argc > 1 ? argv[1] : "A";
    auto agent = Agent::open({}).value_or_throw();
    auto service = agent.create_service({.family = "Greeter", .member = name}).value_or_throw();
    auto greeting = service.record("greeting").value_or_throw();
    greeting.put("text", "Hello from " + name).value_or_throw();
    service.publish(greeting).value_or_throw();
    agent.wait();
} catch (const std::exception& exception) {
    std::cerr << "ten_lines: " << exception.what() << "\n";
    return 1;
}
