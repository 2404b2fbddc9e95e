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

/// The number of changes that are kept for a slow listener. After that the oldest are dropped.
inline constexpr std::size_t changes_kept = 64;

/// The listeners of one kind. Only the callback thread uses them. A listener may add listeners, and
/// may close the list.
template <class Listener>
class ListenerList {
public:
    ListenerList(std::shared_ptr<Callbacks> callbacks, std::string_view what)
        : callbacks_(std::move(callbacks)), what_(what) {}

    [[nodiscard]] Callbacks& callbacks() const { return *callbacks_; }

    /// Any thread: no further listener is called. One that is being called returns normally.
    void close() { closed_.store(true); }
    /// Destroys the listeners. One that is being called is destroyed when it returns.
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
        // By index: the list may grow meanwhile. The items of a deque keep their addresses.
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

/// The listeners of a state. On the callback thread each one is told the present state, then every
/// change.
///
/// Bounds: at most `waiting_max` changes are kept for a slow listener. The oldest are dropped, the
///         last one never.
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

    /// No further listener is called. Then the listeners are destroyed.
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

/// The same for a state of many parts, each with a name. A listener is told each part, then each
/// change of a part. A slow listener is told the newest state of each part.
template <class T>
class ListenersByName {
public:
    /// `previous` is null if this listener was never told that part.
    using Listener = std::function<void(const std::string& name, const T* previous, const T& now)>;
    /// Whether a part can be forgotten once it has been told.
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
