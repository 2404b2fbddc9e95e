#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "consensus/core.h"
#include "journal/format/directory_identity.h"
#include "registry/nodes.h"
#include "replica/replica.h"
#include "replicated/node/node.h"
#include "runtime/runtime.h"
#include "wire/control.pb.h"

namespace understudy::node {

/// What a registry keeps its state on: a journal of its own, or one that its nodes replicate.
///
/// Shell: decides nothing but the order in which things are opened and closed.
/// Thread: loop only.
class RegistryJournal {
public:
    /// This registry is one of several.
    struct Several {
        /// The first nodes, in the order in which they are preferred: the same list at each. This
        /// one is among them, or waits until it is added.
        std::vector<registry::Node> founders;
        Address address;  ///< Of this node, for the others and for agents.
        consensus::MakeCore make_core = nullptr;
        Duration election_timeout = 300ms;  ///< At least; at most twice that.
        Duration heartbeat_interval = 50ms;
    };
    struct Options {
        std::string name;
        std::string platform;
        std::string directory;
        std::uint64_t segment_size_bytes = 1 * MiB;
        std::uint64_t checkpoint_every_commands = 10'000;
        std::optional<TlsOptions> tls;
        std::optional<Several> several;
    };

    using Opened = std::function<void(Result<void>)>;
    using Done = std::function<void(Result<void>)>;

    /// Opens it, applies what is there to `machine`, then calls `opened` once, never within this
    /// call; the first standing follows. Of several nodes each is opened when it can be reached by
    /// the others; its first standing comes when all of the first ones have been up at the same
    /// time once, or, for one that is added, when that is done.
    ///
    /// Requires: `runtime` listens and dials for this node; all outlive this.
    /// Errors: those of journal::LocalJournal, replicated::Node, replica::Replica; of several,
    ///         those of the replica go to on_failed().
    RegistryJournal(Runtime& runtime, Log& log, Options options, replica::StateMachine& machine,
                    Opened opened);
    ~RegistryJournal();

    RegistryJournal(const RegistryJournal&) = delete;
    RegistryJournal& operator=(const RegistryJournal&) = delete;

    /// Called with the first standing, and with each change.
    void on_standing(std::function<void(const journal::Standing&)> changed);
    /// Called once: this node cannot go on.
    void on_failed(std::function<void(const Error&)> failed);

    /// Null before the first standing.
    [[nodiscard]] replica::Replica* replica() { return replica_.get(); }
    [[nodiscard]] const replica::Replica* replica() const { return replica_.get(); }

    /// All nodes of this registry as known; none if it runs alone.
    [[nodiscard]] std::vector<registry::Node> nodes() const;
    /// Nothing that is known to be committed is missing here, and somebody is active.
    [[nodiscard]] bool up_to_date() const;
    [[nodiscard]] wire::pb::JournalInfo info() const;

    /// To be called every now and then: sees to it that nodes which catch up are noticed, and the
    /// end of the directory.
    void tend();
    /// Adds, removes, or hands the active role on. Errors: those of replicated::Node; refused:
    /// alone.
    void change(const wire::pb::NodesAsk& change, Done done);

    /// Before the end: hands the active role on if it is here and somebody can take it. `done` is
    /// called once, when it is elsewhere or will not be soon.
    void hand_on(std::function<void()> done);
    /// Lets what was accepted become durable, lets go of the disk; `done` comes last. on_standing()
    /// and on_failed() are silent from now on. Requires: called once.
    void close(std::function<void()> done);

private:
    void open_local();
    [[nodiscard]] journal::DirectoryWanted identity(journal::DirectoryForm form) const;
    void open_node();
    void open_replica(const journal::Open& open);
    void opened(Result<std::unique_ptr<replica::Replica>> replica);
    void fail(const Error& error);
    void close_node();
    void later(std::function<void()> task);
    [[nodiscard]] std::string heir() const;

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    replica::StateMachine& machine_;
    Opened opened_;
    std::function<void(const journal::Standing&)> on_standing_;
    std::function<void(const Error&)> on_failed_;
    std::function<void()> handed_on_;
    std::function<void()> closed_;
    std::unique_ptr<Timer> transfer_limit_;
    bool closing_ = false;
    std::unique_ptr<journal::Opening> opening_node_;
    std::unique_ptr<replicated::Node> node_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<replica::Replica> replica_;
    Lifetime life_;
};

}  // namespace understudy::node
