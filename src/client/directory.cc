#include "client/directory.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"

namespace understudy::client {

namespace pb = wire::pb;

const pb::MemberInfo* find_member(const pb::ServiceInfo& service, const std::string& member) {
    for (const pb::MemberInfo& info : service.members()) {
        if (info.member() == member) return &info;
    }
    return nullptr;
}

std::uint64_t Directory::add(const std::string& family) {
    followed_.emplace(++watch_last_, Followed{.family = family});
    return watch_last_;
}

void Directory::remove(std::uint64_t watch) { followed_.erase(watch); }

std::vector<std::uint64_t> Directory::watches() const {
    std::vector<std::uint64_t> out;
    for (const auto& [watch, followed] : followed_) out.push_back(watch);
    return out;
}

pb::Watch Directory::request(std::uint64_t watch) const {
    const Followed& followed = followed_.at(watch);
    pb::Watch request;
    request.set_watch(watch);
    request.set_family(followed.family);
    request.set_known_registry(registry_id_);
    for (const auto& [family, epoch] : epochs_) {
        if (epoch.value == 0 || (!followed.family.empty() && family != followed.family)) continue;
        pb::KnownEpoch& known = *request.add_known();
        known.set_family(family);
        known.set_epoch(epoch.value);
    }
    return request;
}

Directory::Taken Directory::apply(const pb::WatchImage& image, std::vector<std::string>& families) {
    const auto found = followed_.find(image.watch());
    if (found == followed_.end()) return Taken::unknown;
    Followed& followed = found->second;
    registry_id_ = image.registry_id();
    revision_ = Revision{image.revision()};
    followed.imaged = true;
    followed.revision = image.revision();

    if (followed.family.empty()) {
        for (const auto& [family, service] : services_) families.push_back(family);
        services_.clear();
    } else {
        families.push_back(followed.family);
        services_.erase(followed.family);
        turns_[followed.family] = image.turn();
        followed.revision = 0;  // A service that does not exist yet begins with 0.
    }
    for (const pb::ServiceInfo& service : image.services()) {
        const std::string& family = service.config().family();
        services_[family] = service;
        (void)heard_epoch(family, Epoch{service.epoch()});
        if (followed.family.empty()) {
            families.push_back(family);
        } else {
            followed.revision = service.revision();
        }
    }
    return Taken::applied;
}

Directory::Taken Directory::apply(const pb::WatchChange& change,
                                  std::vector<std::string>& families) {
    const auto found = followed_.find(change.watch());
    if (found == followed_.end()) return Taken::unknown;
    Followed& followed = found->second;
    if (!followed.imaged ||
        (change.previous() != followed.revision && !planted(Plant::watch_gap_ignored))) {
        followed.imaged = false;
        return Taken::gap;
    }
    followed.revision = change.revision();
    revision_ = std::max(revision_, Revision{change.revision()});

    families.push_back(change.family());
    if (change.removed()) {
        services_.erase(change.family());
        return Taken::applied;
    }
    pb::ServiceInfo& service = services_[change.family()];
    // Two watches may include one family: then the second copy of a change changes nothing.
    if (service.revision() >= change.revision()) return Taken::applied;
    *service.mutable_config() = change.config();
    service.set_epoch(change.epoch());
    service.set_active(change.active());
    service.set_revision(change.revision());
    service.set_promotions(change.promotions());
    service.set_awaited(change.awaited());
    if (change.has_definition()) {
        *service.mutable_definition() = change.definition();
    } else {
        service.clear_definition();
    }
    auto& members = *service.mutable_members();
    for (const std::string& gone : change.left()) {
        const auto row = std::find_if(members.begin(), members.end(),
                                      [&](const auto& info) { return info.member() == gone; });
        if (row != members.end()) members.erase(row);
    }
    bool sorted = true;
    for (const pb::MemberInfo& joined : change.joined()) {
        const auto row = std::find_if(members.begin(), members.end(), [&](const auto& info) {
            return info.member() == joined.member();
        });
        if (row != members.end() && row->order() == joined.order()) {
            *row = joined;
            continue;
        }
        if (row != members.end()) members.erase(row);
        if (!members.empty() && members.rbegin()->order() > joined.order()) sorted = false;
        *members.Add() = joined;
    }
    if (!sorted) {
        std::sort(members.begin(), members.end(),
                  [](const auto& left, const auto& right) { return left.order() < right.order(); });
    }
    (void)heard_epoch(change.family(), Epoch{change.epoch()});
    return Taken::applied;
}

const pb::ServiceInfo* Directory::find(const std::string& family) const {
    const auto found = services_.find(family);
    return found == services_.end() ? nullptr : &found->second;
}

const pb::MemberInfo* Directory::active(const std::string& family) const {
    const pb::ServiceInfo* service = find(family);
    if (service == nullptr || service->active().empty()) return nullptr;
    return find_member(*service, service->active());
}

pb::ActiveHint Directory::active_hint(const std::string& family) const {
    pb::ActiveHint hint;
    const pb::ServiceInfo* service = find(family);
    if (service == nullptr) return hint;
    hint.set_epoch(service->epoch());
    if (const pb::MemberInfo* member = active(family)) {
        hint.set_member(member->member());
        *hint.mutable_endpoint() = member->endpoint();
    }
    return hint;
}

bool Directory::heard_epoch(const std::string& family, Epoch epoch) {
    Epoch& known = epochs_[family];
    if (epoch <= known) return false;
    known = epoch;
    return true;
}

Epoch Directory::epoch(const std::string& family) const {
    const auto found = epochs_.find(family);
    return found == epochs_.end() ? Epoch{} : found->second;
}

std::uint64_t Directory::turn(const std::string& family) const {
    const auto found = turns_.find(family);
    return found == turns_.end() ? 0 : found->second;
}

}  // namespace understudy::client
