#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "library/callbacks.h"
#include "library/guard.h"

namespace understudy::library {

/// Those who want to hear of a state: as it is, then as it changes, on the callback thread.
///
/// Bounds: a slow listener misses changes: at most `waiting_max` are kept for it, the oldest go
///         first, the last never.
/// Thread: any.
template <class T>
class Listeners {
public:
    using Listener = std::function<void(const T&)>;

    Listeners(std::shared_ptr<Callbacks> callbacks, std::string_view what,
              std::size_t waiting_max = 1)
        : state_(std::make_shared<State>(std::move(callbacks), what, waiting_max)) {}

    void tell(T news) {
        {
            const std::lock_guard lock(state_->mutex);
            state_->waiting.push_back(std::move(news));
            if (state_->waiting.size() > state_->waiting_max) state_->waiting.pop_front();
            if (std::exchange(state_->posted, true)) return;
        }
        state_->callbacks->post([state = state_] { state->tell_all(); });
    }

    void add(Listener listener) {
        state_->callbacks->post([state = state_, listener = std::move(listener)]() mutable {
            state->listeners.push_back(std::move(listener));
            if (state->told) state->tell_one(state->listeners.back());
        });
    }

    /// No listener is called any more, but for one that is being called.
    void close() {
        const std::lock_guard lock(state_->mutex);
        state_->closed = true;
    }

private:
    struct State {
        State(std::shared_ptr<Callbacks> its_callbacks, std::string_view its_what, std::size_t max)
            : callbacks(std::move(its_callbacks)), what(its_what), waiting_max(max) {}

        void tell_all() {
            std::deque<T> news;
            {
                const std::lock_guard lock(mutex);
                posted = false;
                news.swap(waiting);
            }
            for (T& each : news) {
                told = std::move(each);
                // By index: a listener may add another.
                for (std::size_t i = 0; i < listeners.size(); ++i) tell_one(listeners[i]);
            }
        }

        void tell_one(const Listener& listener) {
            {
                const std::lock_guard lock(mutex);
                if (closed) return;
            }
            guarded(callbacks->log(), what, [&] { listener(*told); });
        }

        const std::shared_ptr<Callbacks> callbacks;
        const std::string_view what;
        const std::size_t waiting_max;

        std::mutex mutex;
        std::deque<T> waiting;
        bool posted = false;
        bool closed = false;

        // Callback thread only. A deque's items stay where they are when one is added.
        std::deque<Listener> listeners;
        std::optional<T> told;
    };

    std::shared_ptr<State> state_;
};

/// The same for a state of many parts, each with a name: a listener hears each part as it is, then
/// as it changes; a slow one hears of each part its latest state.
template <class T>
class ListenersByName {
public:
    /// `previous` is null if this listener has not heard of that part.
    using Listener = std::function<void(const std::string& name, const T* previous, const T& now)>;
    /// Parts that need not be remembered any more, once they are told.
    using Over = bool (*)(const T&);

    ListenersByName(std::shared_ptr<Callbacks> callbacks, std::string_view what, Over over)
        : state_(std::make_shared<State>(std::move(callbacks), what, over)) {}

    void tell(const std::string& name, T news) {
        {
            const std::lock_guard lock(state_->mutex);
            state_->waiting.insert_or_assign(name, std::move(news));
            if (std::exchange(state_->posted, true)) return;
        }
        state_->callbacks->post([state = state_] { state->tell_all(); });
    }

    void add(Listener listener) {
        state_->callbacks->post([state = state_, listener = std::move(listener)]() mutable {
            state->listeners.push_back(std::move(listener));
            const Listener& added = state->listeners.back();
            for (const auto& [name, told] : std::map<std::string, T>(state->told)) {
                state->tell_one(added, name, nullptr, told);
            }
        });
    }

    void close() {
        const std::lock_guard lock(state_->mutex);
        state_->closed = true;
    }

private:
    struct State {
        State(std::shared_ptr<Callbacks> its_callbacks, std::string_view its_what, Over its_over)
            : callbacks(std::move(its_callbacks)), what(its_what), over(its_over) {}

        void tell_all() {
            std::map<std::string, T> news;
            {
                const std::lock_guard lock(mutex);
                posted = false;
                news.swap(waiting);
            }
            for (auto& [name, now] : news) {
                const auto before = told.extract(name);
                const T* previous = before.empty() ? nullptr : &before.mapped();
                if (!over(now)) told.insert_or_assign(name, now);
                for (std::size_t i = 0; i < listeners.size(); ++i) {
                    tell_one(listeners[i], name, previous, now);
                }
            }
        }

        void tell_one(const Listener& listener, const std::string& name, const T* previous,
                      const T& now) {
            {
                const std::lock_guard lock(mutex);
                if (closed) return;
            }
            guarded(callbacks->log(), what, [&] { listener(name, previous, now); });
        }

        const std::shared_ptr<Callbacks> callbacks;
        const std::string_view what;
        const Over over;

        std::mutex mutex;
        std::map<std::string, T> waiting;
        bool posted = false;
        bool closed = false;

        // Callback thread only.
        std::deque<Listener> listeners;
        std::map<std::string, T> told;
    };

    std::shared_ptr<State> state_;
};

}  // namespace understudy::library
