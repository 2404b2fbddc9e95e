#include "registry/watches.h"

#include <fmt/format.h>

namespace understudy::registry {

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
