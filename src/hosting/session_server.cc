#include "hosting/session_server.h"

#include <utility>

namespace understudy::hosting {

SessionServer::SessionServer(Runtime& runtime, Log& log, const Options& options)
    : runtime_(runtime),
      unread_max_bytes_(options.unread_max_bytes),
      acceptor_(runtime, log,
                {.link = options.link,
                 .links_max = options.links_max,
                 .refused_event = options.refused_event},
                static_cast<link::Acceptor::Observer&>(*this)) {}

SessionServer::~SessionServer() = default;

Result<void> SessionServer::listen(const Address& address, const std::optional<TlsOptions>& tls) {
    listener_ = US_TRY(runtime_.network().listen(
        address, tls,
        [this](std::unique_ptr<Connection> connection) { accept(std::move(connection)); }));
    return {};
}

void SessionServer::end_sessions(const Error& reason) {
    for (const auto& [session, link] : std::exchange(open_, {})) {
        acceptor_.finish(session, reason);
        desk_->session_closed(session);
    }
}

void SessionServer::clear() {
    open_.clear();
    acceptor_.clear();
}

bool SessionServer::open(LinkId session, Bytes welcome) {
    link::Link* const link = acceptor_.admit(session, welcome);
    if (link == nullptr) return false;
    open_.emplace(session, link);
    return true;
}

SessionServer::Sent SessionServer::send(LinkId session, wire::MessageType type,
                                        std::span<const Bytes> parts) {
    const auto found = open_.find(session);
    if (found == open_.end()) return Sent::gone;
    link::Link& link = *found->second;
    if (link.backlog_bytes() >= unread_max_bytes_) return Sent::unread;
    return link.send(type, parts) ? Sent::taken : Sent::too_long;
}

void SessionServer::finish(LinkId session, const Error& reason) {
    open_.erase(session);
    acceptor_.finish(session, reason);
}

void SessionServer::cut(LinkId session) {
    open_.erase(session);
    acceptor_.cut(session);
}

void SessionServer::peer_hello(LinkId id, Bytes opaque) {
    if (desk_ != nullptr) desk_->session_hello(id, opaque);
}

void SessionServer::peer_message(LinkId id, wire::MessageType type, Bytes body) {
    desk_->session_message(id, type, body);
}

void SessionServer::peer_closed(LinkId id) {
    open_.erase(id);
    desk_->session_closed(id);
}

}  // namespace understudy::hosting
