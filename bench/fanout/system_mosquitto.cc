#include <memory>
#include <string>
#include <utility>

#include "bench/fanout/mosquitto.h"
#include "bench/fanout/subscriber.h"
#include "bench/fanout/system.h"
#include "bench/harness/child.h"
#include "platform/free_port.h"

namespace understudy::bench {

namespace {

class MosquittoSystem final : public System {
public:
    MosquittoSystem(Child server, std::string address, MosquittoClient client)
        : server_(std::move(server)), address_(std::move(address)), client_(std::move(client)) {}

    std::string name() const override { return "mosquitto"; }
    std::string address() const override { return address_; }

    Result<void> publish(const std::string& text) override {
        return checked(mosquitto_publish(client_.get(), nullptr, channel,
                                         static_cast<int>(text.size()), text.data(), 0, false));
    }
    Result<void> flush() override {
        while (mosquitto_want_write(client_.get())) {
            US_CHECK(checked(mosquitto_loop_write(client_.get(), 1)));
        }
        return {};
    }

private:
    [[nodiscard]] static Result<void> checked(int code) {
        if (code == MOSQ_ERR_SUCCESS) return {};
        return Error{.code = Errc::failed, .detail = mosquitto_strerror(code)};
    }

    Child server_;
    std::string address_;
    MosquittoClient client_;
};

}  // namespace

// QoS 0, nothing persistent; queues are not limited, so that nothing is lost.
Result<std::unique_ptr<System>> start_mosquitto(const Bench&, const Place& place) {
    const std::uint16_t port = platform::free_port();
    const std::string address = "127.0.0.1:" + std::to_string(port);
    US_CHECK(write_file(place / "mosquitto.conf",
                        "listener " + std::to_string(port) +
                            " 127.0.0.1\nallow_anonymous true\npersistence false\n"
                            "set_tcp_nodelay true\nmax_queued_messages 0\n"));
    Child server = US_TRY(Child::start({.command = {"mosquitto", "-c", place / "mosquitto.conf"},
                                        .errors_file = place / "mosquitto.errors"}));
    US_CHECK(wait_accepts(port, 5s));
    mosquitto_lib_init();
    MosquittoClient client = US_TRY(connect_mosquitto(address, nullptr));
    // CONNACK.
    while (mosquitto_loop(client.get(), 100, 1) == MOSQ_ERR_SUCCESS) {
        if (mosquitto_want_write(client.get())) continue;
        break;
    }
    return std::unique_ptr<System>(
        std::make_unique<MosquittoSystem>(std::move(server), address, std::move(client)));
}

}  // namespace understudy::bench
