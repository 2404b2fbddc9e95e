#include <memory>
#include <string>
#include <vector>

#include <mosquitto.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/fanout/mosquitto.h"
#include "bench/fanout/subscriber.h"
#include "bench/harness/fd.h"

namespace understudy::bench {

namespace {

void on_message(struct mosquitto*, void* subscriber, const mosquitto_message* message) {
    static_cast<Subscriber*>(subscriber)
        ->heard({static_cast<const char*>(message->payload),
                 static_cast<std::size_t>(message->payloadlen)});
}

void on_subscribe(struct mosquitto*, void* subscriber, int, int, const int*) {
    static_cast<Subscriber*>(subscriber)->heard("");
}

}  // namespace

Result<void> subscribe_mosquitto(const SubscriberOptions& options, Subscribers& subscribers) {
    mosquitto_lib_init();
    const Fd waiting(::epoll_create1(EPOLL_CLOEXEC));
    std::vector<MosquittoClient> clients;
    for (std::size_t i = 0; i < subscribers.size(); ++i) {
        clients.push_back(US_TRY(connect_mosquitto(options.address, subscribers[i].get())));
        struct mosquitto* client = clients.back().get();
        mosquitto_message_callback_set(client, on_message);
        mosquitto_subscribe_callback_set(client, on_subscribe);
        mosquitto_subscribe(client, nullptr, channel, 0);
        epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
        ::epoll_ctl(waiting.get(), EPOLL_CTL_ADD, mosquitto_socket(client), &event);
    }
    epoll_event input{.events = EPOLLIN, .data = {.u64 = subscribers.size()}};
    ::epoll_ctl(waiting.get(), EPOLL_CTL_ADD, STDIN_FILENO, &input);
    for (;;) {
        epoll_event events[64];
        const int count = ::epoll_wait(waiting.get(), events, 64, -1);
        for (int e = 0; e < count; ++e) {
            const std::size_t i = events[e].data.u64;
            if (i == subscribers.size()) return {};
            // Reads one packet; further ones wake us again.
            if (mosquitto_loop_read(clients[i].get(), 1) != MOSQ_ERR_SUCCESS) {
                return Error{.code = Errc::failed, .detail = "mosquitto closed a connection"};
            }
        }
    }
}

}  // namespace understudy::bench
