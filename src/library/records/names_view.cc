#include "library/records/names_view.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "library/threads/listeners.h"

namespace understudy::library {

struct NamesView::State {
    State(std::shared_ptr<Callbacks> callbacks, std::string_view what)
        : list(std::move(callbacks), what) {}

    void tell();

    // Loop only.
    std::set<std::string, std::less<>> known;
    std::set<std::string, std::less<>> listing;  // The names of a listing that have arrived so far.
    bool listing_on = false;

    std::mutex mutex;
    std::map<std::string, bool> waiting;  // For each name, whether it exists now.
    bool complete = false;                // A complete listing has arrived.
    bool posted = false;

    // Callback thread only.
    ListenerList<Listener> list;
    std::set<std::string> told;
    bool told_once = false;
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
    state.list.callbacks().post([held = state_] { held->tell(); });
}

void NamesView::add(Listener listener) {
    state_->list.callbacks().post([state = state_, listener = std::move(listener)]() mutable {
        const Names present(state->told.begin(), state->told.end());
        const bool known = state->told_once;
        state->list.add(std::move(listener), [&](const Listener& added) {
            if (known) added(present, {});
        });
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
    state_->list.close();
    state_->list.callbacks().post([state = state_] { state->list.clear(); });
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
    list.tell_all([&](const Listener& listener) { listener(added, removed); });
}

}  // namespace understudy::library
