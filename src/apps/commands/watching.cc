#include "apps/commands/watching.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include <unistd.h>

namespace understudy::apps {

namespace {

/// Wakes one waiter if something happened since its last wait.
class Wakeup {
public:
    void wake() {
        const std::lock_guard lock(mutex_);
        rung_ = true;
        rings_.notify_one();
    }
    void await() {
        std::unique_lock lock(mutex_);
        rings_.wait(lock, [this] { return rung_; });
        rung_ = false;
    }

private:
    std::mutex mutex_;
    std::condition_variable rings_;
    bool rung_ = false;
};

}  // namespace

Result<Exit> watch_platform(const Invocation& invocation, Session& session,
                            const std::function<Result<std::string>(Session&)>& render) {
    const bool in_place = invocation.for_people() && is_terminal(STDOUT_FILENO);
    const auto wakeup = std::make_shared<Wakeup>();
    session.agent().on_services([wakeup](const ServiceStatus&) { wakeup->wake(); });
    session.agent().on_registry([wakeup, was = true](bool available) mutable {
        if (std::exchange(was, available) != available) {
            remark(available ? "understudy: the registry answers again"
                             : "understudy: the registry is away; what is shown may be old");
        }
        wakeup->wake();
    });
    std::string shown;
    while (true) {
        wakeup->await();
        const auto text = render(session);
        if (!text || *text == shown) continue;
        shown = *text;
        print(in_place ? "\x1b[H\x1b[2J" + shown : shown);
    }
}

}  // namespace understudy::apps
