#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "library/threads/callbacks.h"
#include "library/threads/guard.h"

namespace understudy::library {

/// So many changes are kept for a listener that is slow; then the oldest are left out.
inline constexpr std::size_t changes_kept = 64;

/// The listeners of one kind, on the callback thread, which alone touches them. Listening may add
/// listeners and may end it all.
template <class Listener>
class ListenerList {
public:
    ListenerList(std::shared_ptr<Callbacks> callbacks, std::string_view what)
        : callbacks_(std::move(callbacks)), what_(what) {}

    [[nodiscard]] Callbacks& callbacks() const { return *callbacks_; }

    /// Any thread: no listener is called any more, but for one that is being called.
    void close() { closed_.store(true); }
    /// Whatever the listeners hold goes. One that is being called goes when it returns.
    void clear() {
        cleared_ = true;
        if (calling_ == 0) listeners_.clear();
    }

    template <class Call>
    void add(Listener listener, Call&& call) {
        if (closed_.load()) return;
        listeners_.push_back(std::move(listener));
        tell(listeners_.back(), call);
    }
    template <class Call>
    void tell_all(Call&& call) {
        // By index: the list may grow meanwhile, and a deque's items stay where they are.
        for (std::size_t i = 0; i < listeners_.size(); ++i) tell(listeners_[i], call);
    }

private:
    template <class Call>
    void tell(const Listener& listener, Call& call) {
        if (closed_.load()) return;
        ++calling_;
        guarded(callbacks_->log(), what_, [&] { call(listener); });
        if (--calling_ == 0 && cleared_) listeners_.clear();
    }

    const std::shared_ptr<Callbacks> callbacks_;
    const std::string_view what_;
    std::atomic<bool> closed_{false};
    std::deque<Listener> listeners_;
    int calling_ = 0;
    bool cleared_ = false;
};

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
        state_->list.callbacks().post([state = state_] { state->tell(); });
    }

    void add(Listener listener) {
        state_->list.callbacks().post([state = state_, listener = std::move(listener)]() mutable {
            state->list.add(std::move(listener), [&](const Listener& added) {
                if (state->told) added(*state->told);
            });
        });
    }

    /// No listener is called any more, but for one that is being called; then they go.
    void close() {
        state_->list.close();
        state_->list.callbacks().post([state = state_] { state->list.clear(); });
    }

private:
    struct State {
        State(std::shared_ptr<Callbacks> callbacks, std::string_view what, std::size_t max)
            : waiting_max(max), list(std::move(callbacks), what) {}

        void tell() {
            std::deque<T> news;
            {
                const std::lock_guard lock(mutex);
                posted = false;
                news.swap(waiting);
            }
            for (T& each : news) {
                told = std::move(each);
                list.tell_all([this](const Listener& listener) { listener(*told); });
            }
        }

        const std::size_t waiting_max;
        std::mutex mutex;
        std::deque<T> waiting;
        bool posted = false;

        // Callback thread only.
        ListenerList<Listener> list;
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
        state_->list.callbacks().post([state = state_] { state->tell(); });
    }

    void add(Listener listener) {
        state_->list.callbacks().post([state = state_, listener = std::move(listener)]() mutable {
            const std::map<std::string, T> present = state->told;
            state->list.add(std::move(listener), [&](const Listener& added) {
                for (const auto& [name, now] : present) added(name, nullptr, now);
            });
        });
    }

    void close() {
        state_->list.close();
        state_->list.callbacks().post([state = state_] { state->list.clear(); });
    }

private:
    struct State {
        State(std::shared_ptr<Callbacks> callbacks, std::string_view what, Over its_over)
            : over(its_over), list(std::move(callbacks), what) {}

        void tell() {
            std::map<std::string, T> news;
            {
                const std::lock_guard lock(mutex);
                posted = false;
                news.swap(waiting);
            }
            for (const auto& each : news) {
                const auto& name = each.first;  // clang 14 captures no structured bindings.
                const auto& now = each.second;
                const auto before = told.extract(name);
                const T* previous = before.empty() ? nullptr : &before.mapped();
                if (!over(now)) told.insert_or_assign(name, now);
                list.tell_all([&](const Listener& listener) { listener(name, previous, now); });
            }
        }

        const Over over;
        std::mutex mutex;
        std::map<std::string, T> waiting;
        bool posted = false;

        // Callback thread only.
        ListenerList<Listener> list;
        std::map<std::string, T> told;
    };

    std::shared_ptr<State> state_;
};

}  // namespace understudy::library
