#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/eventually_test.h"
#include "base/scratch_test.h"
#include "library/threads/clock.h"
#include "understudy/understudy.h"

namespace understudy::library {

[[nodiscard]] inline TimePoint soon() { return clock_now() + patience; }

/// Collects the arguments of callbacks, for a test that waits for them. Copies share their
/// contents, so a callback may outlive the test's own object.
template <class T>
class Heard {
public:
    void add(T what) const {
        const std::lock_guard lock(state_->mutex);
        state_->all.push_back(std::move(what));
        state_->more.notify_all();
    }
    /// Waits until `enough` returns true for everything that was collected, and returns it.
    std::vector<T> wait(const std::function<bool(const std::vector<T>&)>& enough) const {
        std::unique_lock lock(state_->mutex);
        EXPECT_TRUE(state_->more.wait_for(lock, patience, [&] { return enough(state_->all); }))
            << "not heard in time; heard " << state_->all.size();
        return state_->all;
    }
    std::vector<T> wait_for(std::size_t count) const {
        return wait([count](const std::vector<T>& all) { return all.size() >= count; });
    }
    std::vector<T> wait_for_last(const T& last) const {
        return wait([&](const std::vector<T>& all) { return !all.empty() && all.back() == last; });
    }
    std::vector<T> so_far() const {
        const std::lock_guard lock(state_->mutex);
        return state_->all;
    }

private:
    struct State {
        std::mutex mutex;
        std::condition_variable more;
        std::vector<T> all;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Callbacks wait at it until the test opens it. Copies are the same door.
class Door {
public:
    void open() const {
        const std::lock_guard lock(state_->mutex);
        state_->open = true;
        state_->opened.notify_all();
    }
    void pass() const {
        std::unique_lock lock(state_->mutex);
        state_->opened.wait_for(lock, patience, [this] { return state_->open; });
    }

private:
    struct State {
        std::mutex mutex;
        std::condition_variable opened;
        bool open = false;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// The longest lease: no member loses its role because the machine is busy.
inline constexpr Duration long_lease = 60s;

/// A registry in this process, and its agents, on real sockets.
class PlatformTest : public ::testing::Test {
protected:
    static LogSink quiet() {
        return [](std::string_view) {};
    }

    Registry open_registry(std::string listen = "127.0.0.1:0") {
        return Registry::open(
                   {.listen = std::move(listen), .data = directory_.path, .log = quiet()})
            .value_or_throw();
    }
    Agent open_agent(std::string name) { return open_agent(std::move(name), registry_.address()); }
    static Agent open_agent(std::string name, std::string registry) {
        return Agent::open({.name = std::move(name), .registry = {std::move(registry)},
                            .log = quiet()})
            .value_or_throw();
    }
    /// A member with one record "greeting" that contains its name.
    static Service open_greeter(Agent& agent, const std::string& member) {
        Service service =
            agent.create_service({.family = "Foo", .member = member, .lease = long_lease})
                .value_or_throw();
        Record record = service.record("greeting").value_or_throw();
        record.put("from", member).value_or_throw();
        service.publish(record).value_or_throw();
        service.wait_registered().value_or_throw();
        return service;
    }

    Scratch directory_;
    Registry registry_ = open_registry();
};

}  // namespace understudy::library
