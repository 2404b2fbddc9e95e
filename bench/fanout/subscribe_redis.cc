#include <memory>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "bench/fanout/redis.h"
#include "bench/fanout/subscriber.h"
#include "bench/harness/fd.h"

namespace understudy::bench {

namespace {

// "message", channel, payload; "subscribe", channel, count.
void hear(const redisReply& reply, Subscriber& subscriber) {
    if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 3) return;
    const redisReply& last = *reply.element[2];
    const bool message = last.type == REDIS_REPLY_STRING;
    subscriber.heard(message ? std::string_view(last.str, static_cast<std::size_t>(last.len)) : "");
}

[[nodiscard]] bool read_all(redisContext& context, Subscriber& subscriber) {
    if (redisBufferRead(&context) != REDIS_OK) return false;
    for (;;) {
        void* reply = nullptr;
        if (redisReaderGetReply(context.reader, &reply) != REDIS_OK) return false;
        if (reply == nullptr) return true;
        hear(*static_cast<redisReply*>(reply), subscriber);
        freeReplyObject(reply);
    }
}

}  // namespace

Result<void> subscribe_redis(const SubscriberOptions& options, Subscribers& subscribers) {
    const Fd waiting(::epoll_create1(EPOLL_CLOEXEC));
    std::vector<RedisConnection> connections;
    for (std::size_t i = 0; i < subscribers.size(); ++i) {
        connections.push_back(US_TRY(connect_redis(options.address)));
        redisContext& context = *connections.back();
        redisAppendCommand(&context, "SUBSCRIBE %s", channel);
        int done = 0;
        while (done == 0 && redisBufferWrite(&context, &done) == REDIS_OK) {
        }
        epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
        ::epoll_ctl(waiting.get(), EPOLL_CTL_ADD, context.fd, &event);
    }
    epoll_event input{.events = EPOLLIN, .data = {.u64 = subscribers.size()}};
    ::epoll_ctl(waiting.get(), EPOLL_CTL_ADD, STDIN_FILENO, &input);
    for (;;) {
        epoll_event events[64];
        const int count = ::epoll_wait(waiting.get(), events, 64, -1);
        for (int e = 0; e < count; ++e) {
            const std::size_t i = events[e].data.u64;
            if (i == subscribers.size()) return {};
            if (!read_all(*connections[i], *subscribers[i])) {
                return Error{.code = Errc::failed, .detail = "redis closed a connection"};
            }
        }
    }
}

}  // namespace understudy::bench
