#include "tests/history/operation.h"

#include <unordered_map>

namespace understudy::history {

bool is_observation(const std::string& f) {
    return f == "event" || f == "compacted" || f == "final" || f == "state";
}

std::vector<Operation> operations_of(const History& history, std::vector<std::string>& faults) {
    struct Client {
        std::size_t open = SIZE_MAX;
        bool dead = false;
    };
    std::vector<Operation> operations;
    operations.reserve(history.events.size() / 2);
    std::unordered_map<std::int64_t, Client> clients;
    std::int64_t time = 0;
    for (const Event& event : history.events) {
        const auto complain = [&](const char* what) {
            faults.push_back("#" + std::to_string(event.index) + " process " +
                             std::to_string(event.process) + " " + event.f + ": " + what);
        };
        if (!event.witness.empty()) continue;
        if (event.time < time) complain("time runs backwards");
        time = event.time;
        if (is_observation(event.f)) continue;
        Client& client = clients[event.process];
        if (client.dead) complain("its process has ended with an unknown outcome");
        if (event.type == Type::invoke) {
            if (client.open != SIZE_MAX) complain("its process has an operation open");
            client.open = operations.size();
            operations.push_back({.asked = &event});
            continue;
        }
        if (client.open == SIZE_MAX) {
            complain("answers nothing");
            continue;
        }
        Operation& operation = operations[client.open];
        if (operation.asked->f != event.f || operation.asked->key != event.key) {
            complain("answers another question");
        }
        operation.told = &event;
        client.open = SIZE_MAX;
        client.dead = event.type == Type::info;
    }
    return operations;
}

std::string to_string(const Operation& operation) {
    std::string text = "#" + std::to_string(operation.asked->index) + " process " +
                       std::to_string(operation.asked->process) + " " + operation.asked->f + " " +
                       operation.asked->key;
    if (!operation.asked->value.is_null()) {
        text += " " + boost::json::serialize(operation.asked->value);
    }
    if (operation.outcome() == Type::info) return text + " -> unknown";
    if (operation.outcome() == Type::fail) return text + " -> not done";
    text += " -> " + boost::json::serialize(operation.told->value);
    if (operation.told->epoch != 0) text += " epoch " + std::to_string(operation.told->epoch);
    if (operation.told->rev != 0) text += " rev " + std::to_string(operation.told->rev);
    return text;
}

}  // namespace understudy::history
