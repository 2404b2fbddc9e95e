#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "link/link.h"
#include "runtime/runtime.h"

namespace understudy::link {

/// One attempt to open a link: connects, says hello and waits for the welcome.
///
/// The destructor abandons the attempt without a callback.
/// Thread: loop only. The owner may destroy it in any callback.
class Dial final : private Link::Observer {
public:
    struct Options {
        Address address;
        std::optional<TlsOptions> tls;
        Duration connect_timeout = 1s;
        Link::Options link = {};
    };
    struct Welcomed {
        std::unique_ptr<Link> link;  ///< To be observed before the callback returns, or destroyed.
        Bytes opaque;                ///< Lives as long as the callback.
    };
    /// Returns the content of the hello. Called when the connection has been made.
    using Hello = std::function<Buffer()>;
    /// Called once, never within the constructor. Errors: those of Network::connect, the reason why
    /// the link ended, the peer's refusal.
    using Done = std::function<void(Result<Welcomed>)>;

    Dial(Runtime& runtime, const Options& options, Hello hello, Done done);

    /// When the hello was sent. Empty: there is no connection yet.
    [[nodiscard]] std::optional<TimePoint> said_hello() const { return said_hello_; }

private:
    void connected(Result<std::unique_ptr<Connection>> made);

    void link_hello(Link& link, Bytes opaque) override;
    void link_welcome(Link& link, Bytes opaque) override;
    void link_message(Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(Link& link) override;
    void link_closed(Link& link, const Error& reason) override;

    Runtime& runtime_;
    const Link::Options options_;
    Hello hello_;
    Done done_;
    std::optional<TimePoint> said_hello_;
    std::unique_ptr<Link> link_;
    std::unique_ptr<Attempt> attempt_;
};

}  // namespace understudy::link
