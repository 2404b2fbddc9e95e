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

/// One connection to the active member of a service. It finds the member and connects to it. When
/// another member becomes active, it connects to that one. It does so until its owner ends it.
///
/// It knows no protocol: its owner provides the contents of the handshake.
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
    /// What the other end is: the active member in this epoch, or a member that names the active
    /// one.
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
        /// Reads the answer to the hello. It must not change anything, because the identity of the
        /// other end is checked only after this call. If it returns an error, the search goes on.
        [[nodiscard]] virtual Result<Greeting> link_greeting(Bytes opaque) = 0;
        /// The connection is usable. `welcome` is what link_greeting() has read.
        virtual void link_up(Bytes welcome) = 0;
        /// If it returns an error, the connection ends and a new one is made.
        [[nodiscard]] virtual Result<void> link_message(wire::MessageType type, Bytes body) = 0;
        /// The backlog is empty again after full() was true.
        virtual void link_drained() {}
        virtual void link_down() {}
        /// A member refuses for another reason than that it is not active. Other members are asked.
        virtual void link_refused(const Error& /*reason*/) {}
    };

    /// All arguments outlive this object.
    ActiveLink(Runtime& runtime, Log& log, Options options, Locator& locator, Owner& owner);
    ~ActiveLink() override;

    /// Connects. From now on a lost connection is replaced by a new one.
    void start();
    /// Ends the connection because it is of no use. A new one is made.
    void drop(const Error& reason);
    /// Sends what is not sent yet, then closes the connection; `done` is called last. Requires:
    /// this is the last call, and the only one.
    void finish(std::function<void()> done);

    /// Says whether the owner waits for an answer. While it does, a connection on which nothing
    /// arrives for `silence_max` is dropped.
    void await(bool awaited);

    /// Null: there is no connection.
    [[nodiscard]] link::Link* link() { return up_ ? link_.get() : nullptr; }
    [[nodiscard]] Epoch epoch() const { return epoch_; }  ///< The highest known.

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
    std::unique_ptr<link::Link> link_;  ///< In use, or ending.
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
