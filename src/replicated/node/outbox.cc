#include "replicated/node/outbox.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "replicated/entry_body.h"

namespace understudy::replicated {

void Outbox::put(ServerId to, consensus::Message message) {
    const bool early = planted(Plant::sent_before_durable);
    if (early || (held_.empty() && log_.durable() >= gate_)) {
        return dispatch(to, std::move(message));
    }
    if (held_.size() >= held_max) return;
    held_.push_back({.gate = gate_, .to = to, .message = std::move(message)});
}

void Outbox::durable(journal::LogPosition position) {
    while (!held_.empty() && held_.front().gate <= position) {
        Held held = std::move(held_.front());
        held_.pop_front();
        dispatch(held.to, std::move(held.message));
    }
}

void Outbox::clear() {
    held_.clear();
    lanes_.clear();
    reads_.begin_again();
}

void Outbox::dispatch(ServerId to, consensus::Message message) {
    const auto lane = lanes_.find(to);
    if (lane != lanes_.end()) {
        if (lane->second.waiting.size() < lane_max) {
            lane->second.waiting.push_back(std::move(message));
        }
        return;
    }
    static_cast<void>(send(to, message));
}

bool Outbox::send(ServerId to, const consensus::Message& message) {
    const auto* request = std::get_if<consensus::AppendRequest>(&message);
    if (request == nullptr) {
        surroundings_.send(to, group_, message);
        return true;
    }
    if (request->term != leading_) return true;
    if (request->count == 0) {
        surroundings_.send(to, group_, message);
        return true;
    }
    if (surroundings_.congested(to, group_)) return true;
    return send_entries(to, *request);
}

bool Outbox::send_entries(ServerId to, consensus::AppendRequest request) {
    while (request.count > 0) {
        const auto entries =
            log_.cached(group_, request.prev_index.next(), request.count, message_bytes_max);
        if (entries.empty()) {
            load(to, std::move(request));
            return false;
        }
        send_filled(to, request, entries);
    }
    return true;
}

// Sends `entries`. What is left in `request` is still to be sent after them.
void Outbox::send_filled(ServerId to, consensus::AppendRequest& request,
                         std::span<const journal::GroupEntry> entries) {
    entries = entries.first(std::min<std::size_t>(entries.size(), request.count));
    while (!entries.empty()) {
        // A configuration is sent alone: the engine assumes that its index is that of the first
        // entry in a message.
        std::size_t count = 1;
        std::size_t bytes = entries[0].body.size();
        const auto is_configuration = [&](std::size_t i) {
            return kind_of(entries[i].kind) == consensus::EntryKind::configuration;
        };
        if (!is_configuration(0)) {
            while (count < entries.size() && !is_configuration(count) &&
                   count < consensus::entries_per_message_max &&
                   bytes + entries[count].body.size() <= message_bytes_max) {
                bytes += entries[count++].body.size();
            }
        }
        surroundings_.send(to, group_, request, entries.first(count));
        request.prev_index.value += count;
        request.prev_term = entries[count - 1].term;
        request.count -= static_cast<std::uint32_t>(count);
        entries = entries.subspan(count);
    }
}

void Outbox::load(ServerId to, consensus::AppendRequest request) {
    Lane& lane = lanes_[to];
    US_ASSERT(!lane.loading);
    const Index from = request.prev_index.next();
    const std::uint32_t count = request.count;
    lane.loading = true;
    lane.waiting.push_front(std::move(request));
    log_.load(group_, from, count, message_bytes_max,
              reads_.guarded([this, to](Result<std::vector<journal::GroupEntry>> entries) {
                  loaded(to, std::move(entries));
              }));
}

void Outbox::loaded(ServerId to, Result<std::vector<journal::GroupEntry>> entries) {
    const auto lane = lanes_.find(to);
    US_ASSERT(lane != lanes_.end());
    US_ASSERT(lane->second.loading);
    lane->second.loading = false;
    auto request = std::get<consensus::AppendRequest>(std::move(lane->second.waiting.front()));
    lane->second.waiting.pop_front();
    if (!entries && entries.error().code != Errc::not_found &&
        entries.error().code != Errc::closed) {
        const Failed failed = failed_;
        clear();
        return failed(entries.error());
    }
    // Otherwise the entries were trimmed or cut meanwhile, or the tenure is over. The consensus
    // handles that.
    if (entries && !entries->empty() && request.term == leading_) {
        send_filled(to, request, *entries);
        if (request.count > 0) lane->second.waiting.push_front(std::move(request));
    }
    drain(to);
}

void Outbox::drain(ServerId to) {
    const auto lane = lanes_.find(to);
    while (!lane->second.waiting.empty()) {
        const consensus::Message message = std::move(lane->second.waiting.front());
        lane->second.waiting.pop_front();
        if (!send(to, message)) return;
    }
    lanes_.erase(lane);
}

}  // namespace understudy::replicated
