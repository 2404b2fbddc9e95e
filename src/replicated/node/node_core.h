#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/lifetime.h"
#include "replicated/group/group.h"
#include "replicated/messages.h"
#include "replicated/node/node.h"
#include "replicated/node/peers.h"
#include "replicated/node/shipper.h"
#include "replicated/surroundings.h"

namespace understudy::replicated {

/// A node that runs: it passes messages to their groups, and what the groups want to the log and to
/// the peers. Shell: decides nothing about a group.
class NodeCore final : public Node,
                       private Surroundings,
                       private Peers::Observer,
                       private journal::NodeLog::Observer {
public:
    NodeCore(Runtime& runtime, Log& log, Options options, consensus::MakeCore make_core);
    ~NodeCore() override;
    NodeCore(const NodeCore&) = delete;
    NodeCore& operator=(const NodeCore&) = delete;

    /// Opens the log, then listens.
    void start(std::function<void(Result<void>)> started);

    std::unique_ptr<journal::Opening> open_journal(GroupOptions options,
                                                   journal::Observer& observer,
                                                   journal::Opened opened) override;
    void add_member(const std::string& service, Member member, Done done) override;
    void remove_member(const std::string& service, const std::string& name, Done done) override;
    void transfer(const std::string& service, const std::string& name, Done done) override;
    Result<void> set_last_resort(const std::string& service, bool allow) override;
    void process_gone(const std::string& name) override;
    void add_peer(Peer peer) override;
    Result<GroupStatus> status(const std::string& service) const override;
    std::vector<std::string> services() const override;
    const Address& address() const override { return peers_->address(); }
    void on_failed(std::function<void(const Error&)> failed) override {
        failed_ = std::move(failed);
    }
    void close(std::function<void()> done) override;

private:
    struct Route {
        ServerId server;
        const Peers::Peer* peer;
    };
    struct Entry {
        std::shared_ptr<Group> group;
        std::vector<Route> routes;  ///< Of the peers that are connected.
    };
    struct Unsynced {
        journal::LogPosition position;
        GroupId group;
        std::uint64_t bytes = 0;
    };

    [[nodiscard]] std::vector<journal::DirectoryWanted> identities() const;
    void log_opened(Result<std::unique_ptr<journal::NodeLog>> log);
    [[nodiscard]] Result<Member> check(const GroupOptions& options) const;
    [[nodiscard]] Result<std::shared_ptr<Group>> find(const std::string& service) const;
    [[nodiscard]] const Peers::Peer* route(ServerId to, GroupId group) const;
    [[nodiscard]] Entry* entry(GroupId group);
    [[nodiscard]] std::vector<std::shared_ptr<Group>> groups() const;
    void later(std::function<void()> task);
    void send(const Peers::Peer& peer, const Chunk& chunk);
    Result<void> consensus_message(const std::string& name, Bytes body);
    Result<void> fetch(const std::string& name, const Fetch& fetch);

    // Surroundings
    void send(ServerId to, GroupId group, const consensus::Message& message) override;
    void send(ServerId to, GroupId group, const consensus::AppendRequest& request,
              std::span<const journal::GroupEntry> entries) override;
    void tell(ServerId to, GroupId group, wire::MessageType type, Bytes body) override;
    void tell_node(std::string_view name, wire::MessageType type, Bytes body) override;
    void tell_all(wire::MessageType type, Bytes body) override;
    bool congested(ServerId to, GroupId group) const override;
    std::optional<std::uint64_t> identity_of(std::string_view name) const override;
    std::string name_of(ServerId server, GroupId group) const override;
    void learn(const Member& member) override;
    [[nodiscard]] std::string trouble_with(std::string_view name) const override;
    Result<journal::LogPosition> write(GroupId group, journal::GroupWrite write,
                                       journal::Urgency urgency) override;
    Bytes state_of(GroupId group) const override;
    bool disk_congested() const override;
    void ended(GroupId group) override;

    // Peers::Observer
    void peer_connected(const std::string& name, std::uint64_t identity) override;
    void peer_lost(const std::string& name) override;
    void peer_gone(const std::string& name) override;
    Result<void> peer_message(const std::string& name, wire::MessageType type, Bytes body) override;

    // journal::NodeLog::Observer
    void durable(journal::LogPosition position) override;
    void space_changed(journal::Space space) override;
    void failed(const Error& error) override;

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    const consensus::MakeCore make_core_;
    std::function<void(Result<void>)> started_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<journal::NodeLog> node_log_;
    std::unique_ptr<Peers> peers_;
    std::map<GroupId, Buffer> states_;  ///< The newest written.
    std::map<GroupId, Entry> entries_;
    std::map<std::string, std::unique_ptr<Shipper>, std::less<>> shippers_;  ///< By peer.
    std::deque<Unsynced> unsynced_;
    std::uint64_t unsynced_bytes_ = 0;
    ConsensusEncoder encoder_;
    std::optional<Error> error_;
    std::function<void(const Error&)> failed_;
    Lifetime life_;
};

}  // namespace understudy::replicated
