#include "platform/machine/signals.h"

#include <string>
#include <utility>

#include "platform/loop.h"

namespace understudy::platform {

struct Signals::Parts : std::enable_shared_from_this<Parts> {
    Parts(Loop& loop_in, Handler handler_in)
        : loop(loop_in), handler(std::move(handler_in)), set(loop_in.context()) {}

    void await() {
        set.async_wait([self = shared_from_this()](const auto& error, int signal) {
            if (error || !self->handler) return;
            self->await();
            const Loop::Frame frame(self->loop);
            // The handler may destroy this object, so a copy of it is called.
            const Handler call = self->handler;
            call(signal);
        });
    }

    Loop& loop;
    Handler handler;
    asio::basic_signal_set<asio::io_context::executor_type> set;
};

Signals::Signals(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}

Signals::~Signals() {
    parts_->handler = nullptr;
    boost::system::error_code ignored;
    parts_->set.clear(ignored);
    parts_->set.cancel(ignored);
}

Result<std::unique_ptr<Signals>> Signals::open(AsioRuntime& runtime,
                                               const std::vector<int>& signals, Handler handler) {
    auto parts = std::make_shared<Parts>(runtime.loop(), std::move(handler));
    for (const int signal : signals) {
        boost::system::error_code error;
        parts->set.add(signal, error);
        if (error) {
            return Error{.code = Errc::bad_config,
                         .detail = "signal " + std::to_string(signal) + ": " + error.message()};
        }
    }
    parts->await();
    return std::unique_ptr<Signals>(new Signals(std::move(parts)));
}

}  // namespace understudy::platform
