#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "client/link.h"
#include "link/refusals.h"
#include "node/registry/registry_journal.h"
#include "node/registry/shared_port.h"
#include "registry/machine.h"
#include "registry/standby.h"
#include "registry/state.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// A node of a registry on this machine: binds registry::Machine and registry::Standby to journal,
/// port and processes. A registry that runs alone is one that is always active.
///
/// Shell: decides nothing. Thread: loop only.
/// A failed disk ends it: on_failed is called, the port closes, and a restart recovers from what
/// was durable. Nothing is retried on a file that failed.
class RegistryServer final : private client::Link::Observer {
public:
    struct Options {
        Address listen{"127.0.0.1", 22222};
        std::optional<TlsOptions> tls;
        client::Link::Options link;
        std::string directory;
        std::uint64_t segment_size_bytes = 1 * MiB;
        registry::Machine::Options machine;
        /// The content of a backup file (BackupAsk): the directory begins with it, and nothing is
        /// served; the next start does. Refused on a directory in use, and with several nodes.
        std::optional<Buffer> restore;
        std::optional<RegistryJournal::Several> several = {};
    };

    using Opened = std::function<void(Result<void>)>;

    /// Recovers, listens, then calls `opened` once; until then nothing is answered. One of several
    /// nodes listens first, and is opened when the others can reach it.
    /// Errors: in_use (another registry runs on the directory, or the port is taken), corrupt,
    ///         disk_failed, no_space, already_exists (restore into a directory in use) (none).
    RegistryServer(Runtime& runtime, Log& log, Options options, Opened opened);
    ~RegistryServer() override;

    void on_failed(std::function<void(const Error&)> failed) { failed_ = std::move(failed); }

    /// Hands on the active role if others can take it, lets what was accepted become durable,
    /// closes all links, then calls `done`.
    void close(std::function<void()> done);

    /// Requires: opened without an error.
    [[nodiscard]] const Address& address() const {
        if (port_) return port_->address();
        return listener_ ? listener_->address() : options_.listen;
    }
    [[nodiscard]] const registry::State& state() const { return state_; }
    /// Null while this node is not active.
    [[nodiscard]] const registry::Machine* machine() const {
        return machine_ ? &*machine_ : nullptr;
    }
    /// Agents are served here.
    [[nodiscard]] bool serving() const { return serving_; }
    [[nodiscard]] const RegistryJournal& journal() const { return *journal_; }

private:
    /// Who answers a link.
    enum class Desk : std::uint8_t { none, standby, machine };
    struct Row {
        std::unique_ptr<client::Link> link;
        Desk desk = Desk::none;
    };

    [[nodiscard]] RegistryJournal::Options journal_options() const;
    void open_journal();
    void journal_opened(const Result<void>& result);
    void tell_opened(const Result<void>& result);
    void standing_changed(const journal::Standing& standing);
    void restore();
    void begin_tenure();
    void end_tenure();
    void serve();
    void accepted(std::unique_ptr<Connection> connection);
    void greet(registry::SessionId id, const wire::pb::Hello& hello);
    void finish(registry::SessionId id, const Error& reason);
    void forget_links();
    void send(registry::SessionId to, wire::MessageType type, Bytes body);
    void carry_out(registry::Effects effects);
    void carry_out(registry::Effect& effect);
    void carry_out(registry::Standby::Effects effects);
    void propose(registry::Propose propose);
    void committed(std::uint64_t token, const Result<registry::Applied>& result);
    void tick();
    void arm();
    void look_at_journal();
    void say_waiting(const std::string& waiting);
    void journal_failed(const Error& error);
    void close_journal(std::function<void()> done);
    [[nodiscard]] registry::SessionId id_of(const client::Link& link) const;

    void link_hello(client::Link& link, Bytes opaque) override;
    void link_welcome(client::Link& link, Bytes opaque) override;
    void link_message(client::Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(client::Link& link) override;
    void link_closed(client::Link& link, const Error& reason) override;

    Runtime& runtime_;
    Log& log_;
    link::Refusals refusals_;
    Options options_;
    Opened opened_;
    std::function<void(const Error&)> failed_;
    wire::Compressor compressor_;
    registry::State state_;
    registry::Standby standby_;
    std::optional<registry::Machine> machine_;
    std::uint64_t tenure_ =
        0;  ///< Counts Machines: what an old one asked for is not told a new one.
    bool serving_ = false;
    bool stopping_ = false;
    std::unique_ptr<Timer> failing_;
    std::unique_ptr<Timer> timer_;
    std::unique_ptr<SharedPort> port_;    ///< Of several nodes.
    std::unique_ptr<Listener> listener_;  ///< Alone.
    std::unique_ptr<RegistryJournal> journal_;
    std::map<registry::SessionId, Row> rows_;
    std::map<const client::Link*, registry::SessionId> ids_;
    std::map<Incarnation, std::unique_ptr<ProcessWatch>> watches_;
    std::uint64_t session_last_ = 0;
    std::string waiting_;  ///< What is waited for ...
    TimePoint waiting_since_;  ///< ... since then, ...
    std::string waiting_said_;  ///< ... and what was logged of it.
};

}  // namespace understudy::node
