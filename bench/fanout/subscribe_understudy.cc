#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "bench/fanout/subscriber.h"
#include "understudy/understudy.h"

namespace understudy::bench {

Result<void> subscribe_understudy(const SubscriberOptions& options, Subscribers& subscribers) {
    struct One {
        Agent agent;  // One for each, so that each has its own connection.
        Subscription subscription;
    };
    const Threads threads;  // One loop for all subscribers of a process, as in the other systems.
    std::vector<One> all;
    for (std::size_t i = 0; i < subscribers.size(); ++i) {
        Agent agent =
            US_TRY(Agent::open({.name = "bench-subscriber-" + std::to_string(options.first + i),
                                .registry = {options.address},
                                .threads = threads}));
        Proxy proxy = US_TRY(agent.proxy("Bench"));
        Subscription subscription = US_TRY(proxy.subscribe(
            channel,
            [to = subscribers[i].get()](const RecordImage& image, const RecordChange&) {
                to->heard(image.text("data").value_or(""));
            },
            {.where = RunOn::loop_thread}));
        all.push_back({std::move(agent), std::move(subscription)});
    }
    char byte;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        subscribers[i]->lost(all[i].subscription.coalesced());
        all[i].subscription.end();
    }
    all.clear();
    return {};
}

}  // namespace understudy::bench
