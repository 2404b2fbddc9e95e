#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/fanout/redis.h"
#include "bench/fanout/subscriber.h"
#include "bench/fanout/system.h"
#include "bench/harness/child.h"
#include "platform/free_port.h"

namespace understudy::bench {

namespace {

/// Pipelined: the answers of one batch are read while the next is under way.
class RedisSystem final : public System {
public:
    RedisSystem(Child server, std::string address, RedisConnection connection)
        : server_(std::move(server)),
          address_(std::move(address)),
          connection_(std::move(connection)) {}

    std::string name() const override { return "redis"; }
    std::string address() const override { return address_; }

    Result<void> publish(const std::string& text) override {
        redisAppendCommand(connection_.get(), "PUBLISH %s %b", channel, text.data(), text.size());
        return ++appended_ < batch_size ? Result<void>() : send();
    }
    Result<void> flush() override {
        US_CHECK(send());
        return read_answers(0);
    }

private:
    static constexpr std::size_t batch_size = 64;

    Result<void> send() {
        int done = 0;
        while (done == 0) {
            if (redisBufferWrite(connection_.get(), &done) != REDIS_OK) return broken();
        }
        unanswered_ += appended_;
        const std::size_t batch = std::exchange(appended_, 0);
        return read_answers(batch);
    }
    Result<void> read_answers(std::size_t leave) {
        for (; unanswered_ > leave; --unanswered_) {
            void* reply = nullptr;
            if (redisGetReply(connection_.get(), &reply) != REDIS_OK) return broken();
            freeReplyObject(reply);
        }
        return {};
    }
    [[nodiscard]] static Error broken() {
        return {.code = Errc::failed, .detail = "redis closed the publisher's connection"};
    }

    Child server_;
    std::string address_;
    RedisConnection connection_;
    std::size_t appended_ = 0;
    std::size_t unanswered_ = 0;
};

}  // namespace

Result<std::unique_ptr<System>> start_redis(const Bench&, const Place& place) {
    const std::uint16_t port = platform::free_port();
    Child server = US_TRY(
        Child::start({.command = {"redis-server", "--port", std::to_string(port), "--bind",
                                  "127.0.0.1", "--save", "", "--appendonly", "no", "--dir",
                                  place.path(), "--client-output-buffer-limit", "pubsub 0 0 0"},
                      .errors_file = place / "redis.errors"}));
    US_CHECK(wait_accepts(port, 5s));
    const std::string address = "127.0.0.1:" + std::to_string(port);
    RedisConnection connection = US_TRY(connect_redis(address));
    return std::unique_ptr<System>(
        std::make_unique<RedisSystem>(std::move(server), address, std::move(connection)));
}

}  // namespace understudy::bench
