#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "hosting/active_search.h"
#include "hosting/locator.h"
#include "link/dial.h"
#include "link/link.h"
#include "link/refusals.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// One connection to the active member of a service: finds the member, connects, and follows when
/// another becomes active, for as long as its owner wants it.
///
/// Knows no protocol: the owner says what is in the handshake.
/// Thread: loop only. The owner may destroy it in any callback.
class ActiveLink final : private link::Link::Observer {
public:
    struct Options {
        std::string service;
        std::optional<TlsOptions> tls = {};
        Duration connect_timeout = 1s;
        Duration handshake_limit = 2s;
        Duration silence_max = 2s;  ///< While an answer is awaited.
    };
    /// What the other end is: the active member in this epoch, or one that names another.
    struct Active {
        std::string member;
        Epoch epoch;
    };
    struct Elsewhere {
        Locator::Place active;
    };
    using Greeting = std::variant<Active, Elsewhere>;

    class Owner {
    public:
        virtual ~Owner() = default;
        [[nodiscard]] virtual Buffer link_hello() = 0;
        /// Reads the answer to the hello, and changes nothing: whether the other end is a member of
        /// the service is checked after that. An error: the member is not taken.
        [[nodiscard]] virtual Result<Greeting> link_greeting(Bytes opaque) = 0;
        /// The connection is usable. `welcome` is what link_greeting() has read.
        virtual void link_up(Bytes welcome) = 0;
        /// An error ends the connection; another is made.
        [[nodiscard]] virtual Result<void> link_message(wire::MessageType type, Bytes body) = 0;
        /// The backlog is empty again after full() was true.
        virtual void link_drained() {}
        virtual void link_down() {}
        /// A member refuses, and not because it is not active. Others are asked.
        virtual void link_refused(const Error& /*reason*/) {}
    };

    /// All outlive it.
    ActiveLink(Runtime& runtime, Log& log, Options options, Locator& locator, Owner& owner);
    ~ActiveLink() override;

    /// Connects, and connects again, from now on.
    void start();
    /// Ends the connection as one that does not help; another is made.
    void drop(const Error& reason);
    /// Sends what there is, then ends; `done` comes last. Requires: called once, nothing after it.
    void finish(std::function<void()> done);

    /// An answer is awaited from now on, or no more: a member that says nothing for too long
    /// meanwhile is given up.
    void await(bool awaited);

    /// Null: there is no connection.
    [[nodiscard]] link::Link* link() { return up_ ? link_.get() : nullptr; }
    [[nodiscard]] Epoch epoch() const { return epoch_; }  ///< The highest heard of.

private:
    void dial();
    void found(const std::vector<Locator::Place>& places);
    void answered(Result<link::Dial::Welcomed> result);
    [[nodiscard]] Result<Greeting> read_greeting(const link::Link& link, Bytes opaque);
    void dial_failed(const Error& reason);
    void lost(bool helped);
    void look_for_silence();

    void link_hello(link::Link& link, Bytes opaque) override;
    void link_welcome(link::Link& link, Bytes opaque) override;
    void link_message(link::Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(link::Link& link) override;
    void link_closed(link::Link& link, const Error& reason) override;

    Runtime& runtime_;
    const Options options_;
    Locator& locator_;
    Owner& owner_;
    link::Refusals refusals_;
    std::unique_ptr<Locator::Watch> watch_;  ///< Null: stopped.
    ActiveSearch search_;
    Address asked_;
    Epoch epoch_;
    std::unique_ptr<link::Dial> dial_;
    std::unique_ptr<link::Link> link_;  ///< In use, or on its way to its end.
    bool up_ = false;                   ///< It is in use.
    TimePoint since_;
    bool awaited_ = false;
    TimePoint heard_;
    std::unique_ptr<Timer> retry_;
    std::unique_ptr<Timer> silence_;
    std::function<void()> finished_;
    Lifetime life_;
};

}  // namespace understudy::hosting
