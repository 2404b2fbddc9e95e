#include "registry/agents/watches.h"

#include <fmt/format.h>

#include "base/plant.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

Result<void> Watches::open(Turn& turn, SessionId session, std::uint64_t watch,
                           const std::string& family) {
    US_CHECK(add(session, watch, family));
    pb::WatchImage image;
    image.set_watch(watch);
    image.set_registry_id(state_.registry_id());
    image.set_revision(state_.revision().value);
    if (family.empty()) {
        for (const auto& [name, service] : state_.services()) {
            *image.add_services() = to_info(service);
        }
    } else if (const Service* service = state_.find(family)) {
        *image.add_services() = to_info(*service);
        image.set_turn(turns_[family]++);
    }
    turn.send(session, MessageType::watch_image, image);
    return {};
}

void Watches::publish(Turn& turn, const pb::WatchChange& change) const {
    if (planted(Plant::watch_gap_ignored) && change.revision() % 4 == 0) return;
    pb::WatchChange message = change;
    const std::uint64_t previous = change.previous();
    for (const Row& row : of(change.family())) {
        message.set_watch(row.watch);
        message.set_previous(row.all ? change.revision() - 1 : previous);
        turn.send(row.session, MessageType::watch_change, message);
    }
}

Result<void> Watches::add(SessionId session, std::uint64_t watch, const std::string& family) {
    auto& own = sessions_[session];
    if (!own.contains(watch) && own.size() >= per_session_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} watches on one connection", per_session_max)};
    }
    remove(session, watch);
    sessions_[session][watch] = family;
    families_[family].emplace(session, watch);
    ++size_;
    return {};
}

void Watches::remove(SessionId session, std::uint64_t watch) {
    const auto own = sessions_.find(session);
    if (own == sessions_.end()) return;
    const auto found = own->second.find(watch);
    if (found == own->second.end()) return;
    const auto family = families_.find(found->second);
    US_ASSERT(family != families_.end());
    family->second.erase({session, watch});
    if (family->second.empty()) families_.erase(family);
    own->second.erase(found);
    --size_;
}

void Watches::remove(SessionId session) {
    const auto own = sessions_.find(session);
    if (own == sessions_.end()) return;
    while (!own->second.empty()) remove(session, own->second.begin()->first);
    sessions_.erase(own);
}

std::vector<Watches::Row> Watches::of(const std::string& family) const {
    std::vector<Row> out;
    const auto collect = [&](const std::string& key, bool all) {
        const auto found = families_.find(key);
        if (found == families_.end()) return;
        for (const auto& [session, watch] : found->second) out.push_back({session, watch, all});
    };
    collect(family, false);
    collect({}, true);
    return out;
}

}  // namespace understudy::registry
