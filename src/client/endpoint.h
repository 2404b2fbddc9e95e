#pragma once

#include <map>
#include <memory>
#include <string>

#include "client/member.h"
#include "link/acceptor.h"

namespace understudy::client {

/// The port where an agent's members meet their clients. Routes each link to its member.
///
/// Thread: loop only. Bounds: links_max, as link::Acceptor has it.
class Endpoint final : private link::Acceptor::Observer {
public:
    static constexpr std::size_t links_max = 20'000;

    struct Options {
        Address listen{"127.0.0.1", 0};
        std::optional<TlsOptions> tls;
        link::Link::Options link;
        std::string platform;
        std::string agent;
        Incarnation incarnation;
    };

    /// Finds the member that a client asks for.
    class Router {
    public:
        virtual ~Router() = default;
        /// If `member` is empty, any member of that family that is here. Null: there is none.
        virtual Member* find_member(const std::string& family, const std::string& member) = 0;
    };

    /// Errors: those of Network::listen.
    [[nodiscard]] static Result<std::unique_ptr<Endpoint>> open(Runtime& runtime, Log& log,
                                                                Options options, Router& router);
    ~Endpoint() override = default;

    [[nodiscard]] const Address& address() const { return listener_->address(); }
    /// Cuts the links of a member that is going away.
    void forget(const Member& member);
    /// Accepts no more links, and closes the present ones.
    void close();

private:
    Endpoint(Runtime& runtime, Log& log, Options options, Router& router);

    [[nodiscard]] Result<Member*> member_for(const wire::pb::Hello& hello);

    void peer_hello(LinkId id, Bytes opaque) override;
    void peer_message(LinkId id, wire::MessageType type, Bytes body) override;
    void peer_drained(LinkId id) override;
    void peer_closed(LinkId id) override;

    const Options options_;
    Router& router_;
    link::Acceptor acceptor_;
    std::unique_ptr<Listener> listener_;
    std::map<LinkId, Member*> members_;  ///< Of the admitted links.
};

}  // namespace understudy::client
