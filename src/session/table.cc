#include "session/table.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"

namespace understudy::session {

SessionId Table::open(Duration time) {
    last_id_ = last_id_.next();
    auto session = std::make_shared<Session>();
    session->id = last_id_;
    session->used = time;
    line_.push_back(std::move(session));
    by_id_.emplace(last_id_, std::prev(line_.end()));
    keep_bounds(last_id_);
    return last_id_;
}

void Table::close(SessionId session) {
    const auto found = by_id_.find(session);
    if (found != by_id_.end()) end(found->second);
}

Finding Table::begin(const Request& request, Duration time) {
    while (!line_.empty() && line_.front()->used + limits_.idle_max < time) end(line_.begin());

    Session* session = use(request.session, time);
    if (session == nullptr) return {.known = Known::no_session};
    while (!session->slots.empty()) {
        const Slot& first = session->slots.front();
        const bool old = first.time + limits_.reply_age_max < time;
        if (!old && first.number > request.answered) break;
        forget_first(*session);
    }
    session->floor = std::max(session->floor, request.answered);
    return find(*session, request.number);
}

void Table::finish(const Request& request, Bytes reply, Duration time) {
    Session* session = use(request.session, time);
    US_ASSERT(session != nullptr);
    insert(*session, {.number = request.number,
                      .time = time,
                      .abandoned = false,
                      .reply = std::string(as_text(reply))});
}

Finding Table::abandon(const Request& request, Duration time) {
    const Finding found = begin(request, time);
    if (found.known != Known::fresh) return found;
    Session* session = use(request.session, time);
    insert(*session, {.number = request.number, .time = time, .abandoned = true, .reply = {}});
    return {.known = Known::abandoned};
}

Finding Table::find(const Request& request) const {
    const auto found = by_id_.find(request.session);
    if (found == by_id_.end()) return {.known = Known::no_session};
    return find(**found->second, request.number);
}

Finding Table::find(const Session& session, RequestNo number) {
    if (number <= session.floor) return {.known = Known::forgotten};
    const auto& slots = session.slots;
    if (planted(Plant::reply_by_session) && !slots.empty()) {
        return {.known = Known::answered, .reply = as_bytes(slots.back().reply)};
    }
    if (slots.empty() || slots.back().number < number) return {.known = Known::fresh};
    const auto slot =
        std::lower_bound(slots.begin(), slots.end(), number,
                         [](const Slot& each, RequestNo wanted) { return each.number < wanted; });
    if (slot->number != number) return {.known = Known::fresh};
    if (slot->abandoned) return {.known = Known::abandoned};
    return {.known = Known::answered, .reply = as_bytes(slot->reply)};
}

void Table::end(Line::iterator session) {
    for (const Slot& slot : (*session)->slots) bytes_ -= reply_cost(slot.reply.size());
    by_id_.erase((*session)->id);
    line_.erase(session);
}

/// Moves the session to the end of the line and makes it this table's own. Null if there is none.
Table::Session* Table::use(SessionId id, Duration time) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return nullptr;
    line_.splice(line_.end(), line_, found->second);
    SessionPtr& session = *found->second;
    if (session.use_count() > 1) session = std::make_shared<Session>(*session);
    session->used = time;
    return session.get();
}

void Table::insert(Session& session, Slot slot) {
    US_ASSERT(slot.number > session.floor);
    bytes_ += reply_cost(slot.reply.size());
    auto& slots = session.slots;
    if (slots.empty() || slots.back().number < slot.number) {
        slots.push_back(std::move(slot));
    } else {
        const auto place = std::lower_bound(
            slots.begin(), slots.end(), slot.number,
            [](const Slot& each, RequestNo wanted) { return each.number < wanted; });
        US_ASSERT(place->number != slot.number);
        slots.insert(place, std::move(slot));
    }
    if (slots.size() > limits_.replies_max) forget_first(session);
    keep_bounds(session.id);
}

void Table::forget_first(Session& session) {
    const Slot& first = session.slots.front();
    bytes_ -= reply_cost(first.reply.size());
    session.floor = first.number;
    session.slots.pop_front();
}

/// Ends the sessions that are longest unused. `newest`, which was used last, only loses the replies
/// for which there is no room.
void Table::keep_bounds(SessionId newest) {
    while (line_.size() > limits_.sessions_max) end(line_.begin());
    while (bytes_ > limits_.bytes_max && line_.front()->id != newest) end(line_.begin());
    while (bytes_ > limits_.bytes_max) forget_first(*line_.front());
}

void Table::check_invariants() const {
    US_ASSERT(line_.size() == by_id_.size());
    US_ASSERT(line_.size() <= limits_.sessions_max);
    US_ASSERT(bytes_ <= limits_.bytes_max);
    std::size_t bytes = 0;
    Duration used{};
    for (const SessionPtr& session : line_) {
        US_ASSERT(session->used >= used);
        used = session->used;
        US_ASSERT(session->id <= last_id_);
        US_ASSERT(by_id_.contains(session->id));
        US_ASSERT(session->slots.size() <= limits_.replies_max);
        RequestNo before = session->floor;
        for (const Slot& slot : session->slots) {
            US_ASSERT(slot.number > before);
            before = slot.number;
            bytes += reply_cost(slot.reply.size());
        }
    }
    US_ASSERT(bytes == bytes_);
}

}  // namespace understudy::session
