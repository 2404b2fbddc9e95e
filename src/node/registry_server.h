#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "client/link.h"
#include "registry/machine.h"
#include "registry/state.h"
#include "replica/replica.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// A registry on this machine: binds registry::Machine to journal, port and processes.
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
        /// The content of a backup file (BackupAsk): starts from it. Refused on a directory in use.
        std::optional<Buffer> restore;
    };

    using Opened = std::function<void(Result<void>)>;

    /// Recovers, then listens, then calls `opened` once. Until then nothing is answered.
    /// Errors: in_use (another registry runs on the directory, or the port is taken), corrupt,
    ///         disk_failed, no_space, already_exists (restore into a directory in use) (none).
    RegistryServer(Runtime& runtime, Log& log, Options options, Opened opened);
    ~RegistryServer() override;

    void on_failed(std::function<void(const Error&)> failed) { failed_ = std::move(failed); }

    /// Lets what was accepted become durable, closes all links, then calls `done`.
    void close(std::function<void()> done);

    /// Requires: opened without an error.
    [[nodiscard]] const Address& address() const { return listener_->address(); }
    [[nodiscard]] const registry::State& state() const { return state_; }
    [[nodiscard]] const registry::Machine* machine() const {
        return machine_ ? &*machine_ : nullptr;
    }

private:
    void recovered(Result<std::unique_ptr<replica::Replica>> replica);
    void restore();
    void begin();
    void serve();
    void accepted(std::unique_ptr<Connection> connection);
    void carry_out(registry::Effects effects);
    void carry_out(registry::Effect& effect);
    void committed(std::uint64_t token, const Result<Index>& result);
    void tick();
    void arm();
    void journal_failed(const Error& error);
    [[nodiscard]] registry::SessionId id_of(const client::Link& link) const;

    void link_hello(client::Link& link, Bytes opaque) override;
    void link_welcome(client::Link& link, Bytes opaque) override;
    void link_message(client::Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(client::Link& link) override;
    void link_closed(client::Link& link, const Error& reason) override;

    struct Row {
        std::unique_ptr<client::Link> link;
        bool greeted = false;
    };

    Runtime& runtime_;
    Log& log_;
    Options options_;
    Opened opened_;
    std::function<void(const Error&)> failed_;
    wire::Compressor compressor_;
    registry::State state_;
    std::optional<registry::Machine> machine_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<replica::Replica> replica_;
    std::unique_ptr<Listener> listener_;
    std::map<registry::SessionId, Row> rows_;
    std::map<const client::Link*, registry::SessionId> ids_;
    std::map<Incarnation, std::unique_ptr<ProcessWatch>> watches_;
    std::uint64_t session_last_ = 0;
    std::unique_ptr<Timer> timer_;
    bool stopping_ = false;
};

}  // namespace understudy::node
