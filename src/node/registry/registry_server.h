#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "hosting/session_server.h"
#include "hosting/tenure_driver.h"
#include "node/registry/registry_journal.h"
#include "node/registry/shared_port.h"
#include "node/registry/standby_desk.h"
#include "registry/standby.h"
#include "registry/state/state.h"
#include "registry/tenure/tenure.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// A node of a registry on this machine. It binds registry::Tenure and registry::Standby to the
/// journal, the port and the processes of the machine. A registry that runs alone is a node that is
/// always active.
///
/// Shell. Thread: loop only.
/// If the disk fails, the callback of on_failed() is called and the port is closed. A restart
/// recovers what was durable. No operation is retried on a file that failed.
class RegistryServer final : private hosting::TenureDriver<registry::Tenure>::Binding {
public:
    struct Options {
        Address listen{"127.0.0.1", 22222};
        std::optional<TlsOptions> tls;
        link::Link::Options link;
        std::string directory;
        std::uint64_t segment_size_bytes = 1 * MiB;
        registry::Tenure::Options tenure;
        /// The content of a backup file (BackupAsk). A new directory is filled with it, and agents
        /// are not served before the next start. Refused for a directory that holds a platform.
        std::optional<Buffer> restore;
        std::optional<RegistryJournal::Several> several = {};
    };

    using Opened = std::function<void(Result<void>)>;

    /// Recovers, listens, then calls `opened` once. Nothing is answered before that. One of several
    /// nodes listens first, and is opened when the others can reach it.
    /// Errors: in_use (another registry runs on the directory, or the port is taken), corrupt,
    ///         disk_failed, no_space, already_exists (restore into a directory in use) (none).
    RegistryServer(Runtime& runtime, Log& log, Options options, Opened opened);
    ~RegistryServer() override;

    void on_failed(std::function<void(const Error&)> failed) { failed_ = std::move(failed); }

    /// Gives the active role to another node if one can take it, waits until accepted commands are
    /// durable, closes all links, then calls `done`.
    void close(std::function<void()> done);

    /// Requires: opened without an error.
    [[nodiscard]] const Address& address() const {
        if (port_) return port_->address();
        return sessions_.listener() ? sessions_.listener()->address() : options_.listen;
    }
    [[nodiscard]] const registry::State& state() const { return state_; }
    /// Null if this node is not active.
    [[nodiscard]] const registry::Tenure* tenure() const { return driver_.tenure(); }
    /// Whether agents are served here.
    [[nodiscard]] bool serving() const { return serving_; }
    [[nodiscard]] const RegistryJournal& journal() const { return *journal_; }

private:
    using Tenure = registry::Tenure;

    [[nodiscard]] hosting::SessionServer::Options session_options();
    [[nodiscard]] RegistryJournal::Options journal_options() const;
    void open_journal();
    void journal_opened(const Result<void>& result);
    void tell_opened(const Result<void>& result);
    void standing_changed(const journal::Standing& standing);
    void restore();
    void begin_tenure();
    void end_tenure();
    void serve();
    void watch(const registry::WatchProcess& wanted);
    void change_nodes(const registry::ChangeNodes& wanted);
    void look_at_journal();
    void say_waiting(const std::string& waiting);
    void arm();
    void journal_failed(const Error& error);
    void stop();
    void close_journal(std::function<void()> done);

    // hosting::TenureDriver::Binding
    [[nodiscard]] Result<wire::pb::Hello> read_hello(Bytes opaque) override;
    [[nodiscard]] Buffer write_welcome(const wire::pb::Welcome& welcome) override;
    void carry_out(registry::Effect& effect) override;
    void too_long(const replica::Send& message) override;
    void before_message(wire::MessageType type) override;
    void before_tick() override;
    void after_commit(const Result<void>& result) override;

    Runtime& runtime_;
    Log& log_;
    Options options_;
    Opened opened_;
    std::function<void(const Error&)> failed_;
    wire::Compressor compressor_;
    registry::State state_;
    registry::Standby standby_;
    hosting::SessionServer sessions_;
    StandbyDesk desk_;
    hosting::TenureDriver<Tenure> driver_;
    bool serving_ = false;
    bool stopping_ = false;
    std::unique_ptr<Timer> failing_;
    std::unique_ptr<Timer> timer_;     ///< While agents are not served here.
    std::unique_ptr<SharedPort> port_;  ///< Of several nodes.
    std::unique_ptr<RegistryJournal> journal_;
    std::map<Incarnation, std::unique_ptr<ProcessWatch>> watches_;
    /// What keeps a node from being active, since when, and what was logged of it.
    struct {
        std::string what;
        TimePoint since;
        std::string said;
    } waiting_;
};

}  // namespace understudy::node
