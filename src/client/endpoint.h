#pragma once

#include <map>
#include <memory>
#include <string>

#include "client/link.h"
#include "client/member.h"
#include "link/refusals.h"

namespace understudy::client {

/// The port where an agent's members meet their clients. Routes each link to its member.
///
/// Thread: loop only. Bounds: links_max; one more is closed at once and counted.
class Endpoint final : private Link::Observer {
public:
    static constexpr std::size_t links_max = 20'000;

    struct Options {
        Address listen{"127.0.0.1", 0};
        std::optional<TlsOptions> tls;
        Link::Options link;
        std::string platform;
        std::string agent;
        Incarnation incarnation;
    };

    /// Which member a client means.
    class Router {
    public:
        virtual ~Router() = default;
        /// An empty member means whichever is here of that family. Null: none.
        virtual Member* find_member(const std::string& family, const std::string& member) = 0;
    };

    /// Errors: those of Network::listen.
    [[nodiscard]] static Result<std::unique_ptr<Endpoint>> open(Runtime& runtime, Log& log,
                                                                Options options, Router& router);
    ~Endpoint() override = default;

    [[nodiscard]] const Address& address() const { return listener_->address(); }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }
    /// Cuts the links of a member that is going away.
    void forget(const Member& member);
    /// Takes no more links and closes those there are.
    void close();

private:
    struct Row {
        std::unique_ptr<Link> link;
        Member* member = nullptr;
    };

    Endpoint(Runtime& runtime, Log& log, Options options, Router& router)
        : runtime_(runtime),
          refusals_(runtime, log),
          options_(std::move(options)),
          router_(router) {}

    void accepted(std::unique_ptr<Connection> connection);
    [[nodiscard]] LinkId id_of(const Link& link) const;

    void link_hello(Link& link, Bytes opaque) override;
    void link_welcome(Link& link, Bytes opaque) override;
    void link_message(Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(Link& link) override;
    void link_closed(Link& link, const Error& reason) override;

    Runtime& runtime_;
    link::Refusals refusals_;
    const Options options_;
    Router& router_;
    std::unique_ptr<Listener> listener_;
    std::map<LinkId, Row> rows_;
    std::map<const Link*, LinkId> ids_;
    std::uint64_t link_last_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace understudy::client
