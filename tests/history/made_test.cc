#include "tests/history/made_test.h"

#include <map>
#include <vector>

#include "base/random.h"

namespace understudy::history {
namespace json = boost::json;

namespace {

struct Open {
    std::int64_t process = 0;
    bool is_open = false;
    bool is_done = false;
    Event asked;
    json::value told;
};

}  // namespace

History made_history(const Making& making) {
    History history;
    Random random(making.seed);
    std::vector<Open> clients(making.processes);
    std::int64_t next_process = 0;
    for (Open& client : clients) client.process = next_process++;
    std::map<std::string, json::value> cells;
    std::size_t asked = 0;
    std::int64_t next_value = 1;
    std::size_t open = 0;
    const auto push = [&](Event event) {
        event.index = history.events.size();
        event.time = static_cast<std::int64_t>(event.index) * 1000;
        history.events.push_back(std::move(event));
    };
    while (asked < making.operations || open != 0) {
        Open& client = clients[random.below(clients.size())];
        if (!client.is_open) {
            if (asked == making.operations) continue;
            Event event;
            event.process = client.process;
            event.key = "r" + std::to_string(asked / making.operations_per_key);
            const std::uint64_t draw = random.below(10);
            event.f = draw < 5 ? "read" : draw < 8 ? "write" : "cas";
            if (event.f == "write") event.value = next_value++;
            if (event.f == "cas") event.value = json::array{cells[event.key], next_value++};
            client.asked = event;
            client.is_open = true;
            client.is_done = false;
            ++asked;
            ++open;
            push(std::move(event));
            continue;
        }
        const bool unknown = random.below(100) < making.unknown_percent;
        if (!client.is_done && !(unknown && random.below(2) == 0)) {
            client.is_done = true;
            json::value& cell = cells[client.asked.key];
            client.told = nullptr;
            if (client.asked.f == "read") client.told = cell;
            if (client.asked.f == "write") cell = client.asked.value;
            if (client.asked.f == "cas") {
                const json::array& pair = client.asked.value.get_array();
                client.told = cell == pair[0];
                if (cell == pair[0]) cell = pair[1];
            }
            if (!unknown && random.below(2) == 0) continue;  // Its answer comes later.
        }
        Event event;
        event.process = client.process;
        event.f = client.asked.f;
        event.key = client.asked.key;
        event.type = unknown ? Type::info : Type::ok;
        if (!unknown) event.value = client.told;
        if (unknown) client.process = next_process++;
        client.is_open = false;
        --open;
        push(std::move(event));
    }
    history.header["h"] = 1;
    history.end = json::object{
        {"t", "end"}, {"ops", static_cast<std::int64_t>(history.events.size())}, {"drained", true}};
    return history;
}

std::uint64_t make_a_read_stale(History& history) {
    std::map<std::string, std::uint64_t> seen;    // When a read first found something.
    std::map<std::int64_t, std::uint64_t> asked;  // When each process last asked.
    const std::size_t middle = history.events.size() / 2;
    for (Event& event : history.events) {
        if (event.type == Type::invoke) asked[event.process] = event.index;
        if (event.f != "read" || event.type != Type::ok || event.value.is_null()) continue;
        const auto [first, fresh] = seen.try_emplace(event.key, event.index);
        if (fresh || event.index < middle || asked[event.process] < first->second) continue;
        event.value = nullptr;
        return event.index;
    }
    return 0;
}

}  // namespace understudy::history
