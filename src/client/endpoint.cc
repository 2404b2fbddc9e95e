#include "client/endpoint.h"

#include <utility>

#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;

Result<std::unique_ptr<Endpoint>> Endpoint::open(Runtime& runtime, Log& log, Options options,
                                                 Router& router) {
    std::unique_ptr<Endpoint> endpoint(new Endpoint(runtime, log, std::move(options), router));
    endpoint->listener_ = US_TRY(runtime.network().listen(
        endpoint->options_.listen, endpoint->options_.tls,
        [raw = endpoint.get()](std::unique_ptr<Connection> c) { raw->accepted(std::move(c)); }));
    return endpoint;
}

void Endpoint::accepted(std::unique_ptr<Connection> connection) {
    if (rows_.size() >= links_max) {
        ++refused_;
        return;
    }
    const LinkId id{++link_last_};
    Row& row = rows_[id];
    row.link = std::make_unique<Link>(runtime_, std::move(connection), wire::Side::accepting,
                                      options_.link, static_cast<Link::Observer&>(*this));
    ids_.emplace(row.link.get(), id);
}

LinkId Endpoint::id_of(const Link& link) const {
    const auto found = ids_.find(&link);
    US_ASSERT(found != ids_.end());
    return found->second;
}

void Endpoint::link_hello(Link& link, Bytes opaque) {
    const auto hello = wire::decode_as<pb::Hello>(opaque);
    if (!hello) return link.refuse(hello.error());
    if (!hello->platform().empty() && !options_.platform.empty() &&
        hello->platform() != options_.platform) {
        return link.refuse({.code = Errc::refused, .detail = "another platform lives here"});
    }
    Member* member = router_.find_member(hello->family(), hello->member());
    if (member == nullptr) {
        return link.refuse(
            {.code = Errc::not_found, .detail = "no member of " + hello->family() + " here"});
    }
    auto welcome = member->welcome(*hello);
    if (!welcome) return link.refuse(welcome.error());
    welcome->set_platform(options_.platform);
    welcome->set_peer(options_.agent);
    welcome->set_incarnation(options_.incarnation.value);
    Buffer body;
    link.welcome(wire::encode(*welcome, body));
    const LinkId id = id_of(link);
    rows_.at(id).member = member;
    member->link_added(id, link);
}

void Endpoint::link_welcome(Link&, Bytes) { US_ASSERT(false); }

void Endpoint::link_message(Link& link, wire::MessageType type, Bytes body) {
    const LinkId id = id_of(link);
    if (Member* member = rows_.at(id).member) member->link_message(id, type, body);
}

void Endpoint::link_drained(Link& link) {
    const LinkId id = id_of(link);
    if (Member* member = rows_.at(id).member) member->link_drained(id);
}

void Endpoint::link_closed(Link& link, const Error& reason) {
    const auto found = ids_.find(&link);
    if (found == ids_.end()) return;
    const LinkId id = found->second;
    ids_.erase(found);
    auto row = rows_.extract(id);
    if (link::blames_peer(reason)) refusals_.heard("endpoint.peer_refused", link.peer(), reason);
    if (Member* member = row.mapped().member) member->link_gone(id);
}

void Endpoint::forget(const Member& member) {
    for (auto row = rows_.begin(); row != rows_.end();) {
        const auto current = row++;
        if (current->second.member != &member) continue;
        ids_.erase(current->second.link.get());
        rows_.erase(current);
    }
}

void Endpoint::close() {
    listener_.reset();
    for (auto& [id, row] : rows_) {
        if (row.member != nullptr) row.member->link_gone(id);
    }
    ids_.clear();
    rows_.clear();
}

}  // namespace understudy::client
