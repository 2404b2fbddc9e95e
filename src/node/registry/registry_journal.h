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

/// The journal of a registry: its own, or one that the registry's nodes replicate.
///
/// Shell. It decides nothing but the order in which things are opened and closed.
/// Thread: loop only.
class RegistryJournal {
public:
    /// For a registry of several nodes.
    struct Several {
        /// The first nodes, in order of preference. The list is the same at each node. A node that
        /// is not in it waits until it is added.
        std::vector<registry::Node> founders;
        Address address;  ///< Of this node, for the other nodes and for agents.
        consensus::MakeCore make_core = nullptr;
        Duration election_timeout = 300ms;  ///< The shortest; the longest is twice that.
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

    /// Opens the journal, applies its content to `machine`, then calls `opened` once, never within
    /// this call. The first standing follows. One of several nodes is opened when the others can
    /// reach it. Its first standing comes when all the first nodes have once been up at the same
    /// time, or, for a node that is added later, when it has been added.
    ///
    /// Requires: `runtime` listens and dials for this node. All arguments outlive this.
    /// Errors: those of journal::LocalJournal, replicated::Node and replica::Replica. With several
    ///         nodes, those of the replica go to on_failed().
    RegistryJournal(Runtime& runtime, Log& log, Options options, replica::StateMachine& machine,
                    Opened opened);
    ~RegistryJournal();

    RegistryJournal(const RegistryJournal&) = delete;
    RegistryJournal& operator=(const RegistryJournal&) = delete;

    /// `changed` is called with the first standing and after each change.
    void on_standing(std::function<void(const journal::Standing&)> changed);
    /// `failed` is called once, when this node cannot go on.
    void on_failed(std::function<void(const Error&)> failed);

    /// Null before the first standing.
    [[nodiscard]] replica::Replica* replica() { return replica_.get(); }
    [[nodiscard]] const replica::Replica* replica() const { return replica_.get(); }

    /// All known nodes of this registry. Empty if it runs alone.
    [[nodiscard]] std::vector<registry::Node> nodes() const;
    /// True if a node is active and everything that is known to be committed is here.
    [[nodiscard]] bool up_to_date() const;
    [[nodiscard]] wire::pb::JournalInfo info() const;

    /// Must be called regularly. It makes sure that the end of a node's catching up is noticed, and
    /// that of the directory.
    void tend();
    /// Adds or removes a node, or gives the active role to another one.
    /// Errors: those of replicated::Node; refused (none): the registry runs alone.
    void change(const wire::pb::NodesAsk& change, Done done);

    /// To be called before close(). Gives the active role to another node if it is here and a node
    /// can take it. `done` is called once, when the role has moved or will not move soon.
    void hand_on(std::function<void()> done);
    /// Waits until accepted commands are durable, closes the files, then calls `done`. The
    /// callbacks of on_standing() and on_failed() are not called any more. Requires: called once.
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
