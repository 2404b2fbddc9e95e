#include "library/names_view.h"

#include <utility>

#include "library/guard.h"

namespace understudy::library {

struct NamesView::State {
    State(std::shared_ptr<Callbacks> its_callbacks, std::string_view its_what)
        : callbacks(std::move(its_callbacks)), what(its_what) {}

    void tell();
    void tell_one(const Listener& listener, const Names& added, const Names& removed);

    const std::shared_ptr<Callbacks> callbacks;
    const std::string_view what;

    // Loop only.
    std::set<std::string, std::less<>> known;
    std::set<std::string, std::less<>> listing;  // What has come of a listing so far.
    bool listing_on = false;

    std::mutex mutex;
    std::map<std::string, bool> waiting;  // Name to whether it is there now.
    bool complete = false;                // A whole listing has come.
    bool posted = false;
    bool closed = false;

    // Callback thread only.
    std::set<std::string> told;
    bool told_once = false;
    std::deque<Listener> listeners;
};

NamesView::NamesView(std::shared_ptr<Callbacks> callbacks, std::string_view what)
    : state_(std::make_shared<State>(std::move(callbacks), what)) {}

void NamesView::took(const record::Names& names) {
    State& state = *state_;
    std::map<std::string, bool> news;
    if (names.restarts) {
        state.listing.clear();
        state.listing_on = true;
    }
    auto& target = state.listing_on ? state.listing : state.known;
    for (const std::string_view name : names.added) {
        if (target.emplace(name).second && !state.listing_on) news[std::string(name)] = true;
    }
    for (const std::string_view name : names.removed) {
        const auto found = target.find(name);
        if (found == target.end()) continue;
        target.erase(found);
        if (!state.listing_on) news[std::string(name)] = false;
    }
    const bool completed = names.completes && std::exchange(state.listing_on, false);
    if (completed) {
        for (const std::string& name : state.listing) {
            if (!state.known.contains(name)) news[name] = true;
        }
        for (const std::string& name : state.known) {
            if (!state.listing.contains(name)) news[name] = false;
        }
        state.known.swap(state.listing);
        state.listing.clear();
    }
    if (news.empty() && !completed) return;
    {
        const std::lock_guard lock(state.mutex);
        state.complete = state.complete || completed;
        for (auto& [name, there] : news) state.waiting.insert_or_assign(name, there);
        if (std::exchange(state.posted, true)) return;
    }
    state.callbacks->post([held = state_] { held->tell(); });
}

void NamesView::add(Listener listener) {
    state_->callbacks->post([state = state_, listener = std::move(listener)]() mutable {
        state->listeners.push_back(std::move(listener));
        if (!state->told_once) return;
        state->tell_one(state->listeners.back(), Names(state->told.begin(), state->told.end()), {});
    });
}

void NamesView::add_whole(std::function<void(const Names& names)> listener) {
    add([state = std::weak_ptr<State>(state_), listener = std::move(listener)](const Names&,
                                                                               const Names&) {
        const auto held = state.lock();
        if (held != nullptr) listener(Names(held->told.begin(), held->told.end()));
    });
}

void NamesView::close() {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
}

void NamesView::State::tell() {
    std::map<std::string, bool> news;
    bool first = false;
    {
        const std::lock_guard lock(mutex);
        posted = false;
        news.swap(waiting);
        first = complete && !told_once;
    }
    Names added;
    Names removed;
    for (const auto& [name, there] : news) {
        if (there && told.insert(name).second) added.push_back(name);
        if (!there && told.erase(name) > 0) removed.push_back(name);
    }
    told_once = told_once || first;
    if (added.empty() && removed.empty() && !first) return;
    for (std::size_t i = 0; i < listeners.size(); ++i) tell_one(listeners[i], added, removed);
}

void NamesView::State::tell_one(const Listener& listener, const Names& added,
                                const Names& removed) {
    {
        const std::lock_guard lock(mutex);
        if (closed) return;
    }
    guarded(callbacks->log(), what, [&] { listener(added, removed); });
}

}  // namespace understudy::library
