#include "client/endpoint.h"

#include <utility>

#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;

Endpoint::Endpoint(Runtime& runtime, Log& log, Options options, Router& router)
    : options_(std::move(options)),
      router_(router),
      acceptor_(
          runtime, log,
          {.link = options_.link, .links_max = links_max, .refused_event = "endpoint.peer_refused"},
          static_cast<link::Acceptor::Observer&>(*this)) {}

Result<std::unique_ptr<Endpoint>> Endpoint::open(Runtime& runtime, Log& log, Options options,
                                                 Router& router) {
    std::unique_ptr<Endpoint> endpoint(new Endpoint(runtime, log, std::move(options), router));
    endpoint->listener_ = US_TRY(
        runtime.network().listen(endpoint->options_.listen, endpoint->options_.tls,
                                 [raw = endpoint.get()](std::unique_ptr<Connection> connection) {
                                     raw->acceptor_.accept(std::move(connection));
                                 }));
    return endpoint;
}

Result<Member*> Endpoint::member_for(const pb::Hello& hello) {
    if (!hello.platform().empty() && !options_.platform.empty() &&
        hello.platform() != options_.platform) {
        return Error{.code = Errc::refused, .detail = "another platform lives here"};
    }
    Member* member = router_.find_member(hello.family(), hello.member());
    if (member == nullptr) {
        return Error{.code = Errc::not_found, .detail = "no member of " + hello.family() + " here"};
    }
    return member;
}

void Endpoint::peer_hello(LinkId id, Bytes opaque) {
    const auto hello = wire::decode_as<pb::Hello>(opaque);
    if (!hello) return acceptor_.refuse(id, hello.error());
    const auto member = member_for(*hello);
    if (!member) return acceptor_.refuse(id, member.error());
    auto welcome = (*member)->welcome(*hello);
    if (!welcome) return acceptor_.refuse(id, welcome.error());
    welcome->set_platform(options_.platform);
    welcome->set_peer(options_.agent);
    welcome->set_incarnation(options_.incarnation.value);
    Buffer body;
    link::Link* link = acceptor_.admit(id, wire::encode(*welcome, body));
    members_.emplace(id, *member);
    (*member)->link_added(id, *link);
}

void Endpoint::peer_message(LinkId id, wire::MessageType type, Bytes body) {
    const auto found = members_.find(id);
    if (found != members_.end()) found->second->link_message(id, type, body);
}

void Endpoint::peer_drained(LinkId id) {
    const auto found = members_.find(id);
    if (found != members_.end()) found->second->link_drained(id);
}

void Endpoint::peer_closed(LinkId id) {
    const auto closed = members_.extract(id);
    if (!closed.empty()) closed.mapped()->link_gone(id);
}

void Endpoint::forget(const Member& member) {
    std::erase_if(members_, [&](const auto& each) {
        if (each.second != &member) return false;
        acceptor_.cut(each.first);
        return true;
    });
}

void Endpoint::close() {
    listener_.reset();
    for (const auto& [id, member] : members_) member->link_gone(id);
    members_.clear();
    acceptor_.clear();
}

}  // namespace understudy::client
