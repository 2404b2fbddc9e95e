#include "node/registry/registry_journal.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "journal/local/local_journal.h"
#include "wire/control.h"

namespace understudy::node {

namespace pb = wire::pb;

namespace {

constexpr const char* group_service = "understudy.registry";  // The group of the registry's nodes.
constexpr Duration transfer_max = 1s;  // Then this node ends although the role has not moved.
constexpr Duration reach_max = 3s;     // To reach a node that is added. The caller waits.

[[nodiscard]] std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t at = 0; at < names.size(); ++at) {
        if (at > 0) text += at + 1 == names.size() ? " and " : ", ";
        text += names[at];
    }
    return text;
}

/// "r1 answers", "r1 and r2 answer".
[[nodiscard]] std::string with_verb(const std::vector<std::string>& names, const char* one,
                                    const char* many) {
    return listed(names) + (names.size() == 1 ? one : many);
}

/// What must happen before a node of the registry can be active, as a text for people. Empty if
/// nothing must.
[[nodiscard]] std::string waiting_of(const replicated::GroupStatus& status) {
    const std::size_t founders = status.founders_here.size() + status.founders_missing.size();
    if (!status.founders_missing.empty()) {
        return fmt::format("{}; {} never been there: all {} must be up once",
                           with_verb(status.founders_here, " answers", " answer"),
                           with_verb(status.founders_missing, " has", " have"), founders);
    }
    if (status.removed) {
        return fmt::format("{0} is no node of this registry any more: it was removed", status.self);
    }
    if (status.outside) {
        return fmt::format("{} is no node of this registry yet: it waits to be added", status.self);
    }
    if (!status.leader.empty()) return {};
    std::vector<std::string> here;
    std::vector<std::string> missing;
    for (const replicated::MemberStatus& row : status.members) {
        if (row.votes) (row.connected ? here : missing).push_back(row.member.name);
    }
    if (missing.empty() || here.size() > missing.size()) return {};
    return fmt::format("{} not reached by {}: more than half of the nodes must be there",
                       with_verb(missing, " is", " are"), status.self);
}

/// Why a node was not added, in the words of the registry.
[[nodiscard]] Error explain_add(Error error, const std::string& name) {
    if (error.code != Errc::unavailable) return error;
    if (error.effect == Effect::none) {
        error.code = Errc::timed_out;
        error.detail = fmt::format("{} was not added: {}\ntry: start it, then add it again", name,
                                   error.detail);
        return error;
    }
    error.detail = fmt::format("{} is added, and does not count yet: {}", name, error.detail);
    return error;
}

}  // namespace

RegistryJournal::RegistryJournal(Runtime& runtime, Log& log, Options options,
                                 replica::StateMachine& machine, Opened opened)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      machine_(machine),
      opened_(std::move(opened)) {
    if (options_.several) {
        open_node();
    } else {
        open_local();
    }
}

RegistryJournal::~RegistryJournal() = default;

void RegistryJournal::open_local() {
    open_replica([this](journal::Observer& observer, journal::Opened done) {
        return journal::LocalJournal::open(
            runtime_, log_,
            {.directory = options_.directory,
             .segment_size_bytes = options_.segment_size_bytes,
             .identities = {identity(journal::DirectoryForm::alone)}},
            observer, std::move(done));
    });
}

void RegistryJournal::open_node() {
    const Several& several = *options_.several;
    replicated::Node::Options node;
    node.platform = options_.platform;
    node.name = options_.name;
    node.listen = several.address;
    node.advertise = several.address;
    for (const registry::Node& founder : several.founders) {
        if (founder.name != options_.name) node.peers.push_back({founder.name, founder.address});
    }
    node.tls = options_.tls;
    node.directory = options_.directory;
    node.identities = {identity(journal::DirectoryForm::node)};
    node.reach_timeout = reach_max;
    node.election_timeout = several.election_timeout;
    node.heartbeat_interval = several.heartbeat_interval;
    node.segment_size_bytes = options_.segment_size_bytes;
    opening_node_ = replicated::Node::open(
        runtime_, log_, std::move(node), several.make_core,
        [this](Result<std::unique_ptr<replicated::Node>> result) {
            if (!result) return opened_(std::move(result).error());
            node_ = *std::move(result);
            node_->on_failed([this](const Error& error) { fail(error); });
            replicated::GroupOptions group;
            group.service = group_service;
            for (const registry::Node& founder : options_.several->founders) {
                group.founders.push_back({.name = founder.name, .address = founder.address});
            }
            opened_({});
            open_replica(node_->journal(std::move(group)));
        });
}

journal::DirectoryWanted RegistryJournal::identity(journal::DirectoryForm form) const {
    journal::DirectoryWanted wanted;
    wanted.directory = options_.directory;
    wanted.identity = {.use = journal::DirectoryUse::registry, .form = form};
    // A registry that runs alone may have any name, and its platform is in its journal.
    if (form == journal::DirectoryForm::node) {
        wanted.identity.platform = options_.platform;
        wanted.identity.node = options_.name;
    }
    wanted.segment_bytes = options_.segment_size_bytes;
    wanted.group = replicated::directory_of(replicated::group_of(group_service));
    return wanted;
}

void RegistryJournal::open_replica(const journal::Open& open) {
    replica::Replica::Options options;
    options.checkpoints.every_commands = options_.checkpoint_every_commands;
    if (options_.several) options.checkpoint_duty = replica::CheckpointDuty::standbys;
    opening_ = replica::Replica::open(
        runtime_, log_, options, open, machine_,
        [this](Result<std::unique_ptr<replica::Replica>> result) { opened(std::move(result)); });
}

void RegistryJournal::opened(Result<std::unique_ptr<replica::Replica>> replica) {
    if (!replica) return options_.several ? fail(replica.error()) : opened_(replica.error());
    replica_ = *std::move(replica);
    replica_->on_failed([this](const Error& error) { fail(error); });
    replica_->on_standing([this](const journal::Standing& standing) {
        if (const auto changed = on_standing_) changed(standing);
    });
    const Lifetime::Watch here = life_.watch();
    if (!options_.several) opened_({});
    if (here.ended()) return;
    if (const auto changed = on_standing_) changed(replica_->standing());
}

void RegistryJournal::on_standing(std::function<void(const journal::Standing&)> changed) {
    on_standing_ = std::move(changed);
}

void RegistryJournal::on_failed(std::function<void(const Error&)> failed) {
    on_failed_ = std::move(failed);
}

void RegistryJournal::fail(const Error& error) {
    if (on_failed_) std::exchange(on_failed_, {})(error);
}

std::vector<registry::Node> RegistryJournal::nodes() const {
    if (!options_.several) return {};
    std::vector<registry::Node> nodes;
    if (node_ != nullptr) {
        if (const auto status = node_->status(group_service)) {
            for (const replicated::MemberStatus& row : status->members) {
                nodes.push_back({row.member.name, row.member.address});
            }
        }
    }
    return nodes.empty() ? options_.several->founders : nodes;
}

bool RegistryJournal::up_to_date() const {
    if (replica_ == nullptr || node_ == nullptr) return false;
    const auto status = node_->status(group_service);
    if (!status || status->leader.empty() || status->applied < status->commit) return false;
    for (const replicated::MemberStatus& row : status->members) {
        if (row.member.name == status->leader) return row.connected;
    }
    return false;
}

pb::JournalInfo RegistryJournal::info() const {
    pb::JournalInfo info;
    info.set_node(options_.name);
    if (replica_ != nullptr) {
        info.set_active_node(replica_->standing().active);
        info.set_epoch(replica_->epoch().value);
        info.set_committed(replica_->applied().value);
        info.set_checkpoint(replica_->checkpoint().value);
    }
    if (!options_.several) info.set_active_node(options_.name);
    if (node_ == nullptr) return info;
    const auto status = node_->status(group_service);
    if (!status) return info;
    info.set_waiting(waiting_of(*status));
    for (const registry::Node& founder : options_.several->founders) {
        const auto is_among = [&](const std::vector<std::string>& names) {
            return std::find(names.begin(), names.end(), founder.name) != names.end();
        };
        const bool here = is_among(status->founders_here);
        if (!here && !is_among(status->founders_missing)) continue;
        pb::NodeInfo& node = *info.add_nodes();
        node.set_name(founder.name);
        *node.mutable_endpoint() = wire::to_endpoint(founder.address);
        node.set_role(static_cast<std::uint32_t>(Role::joining));
        node.set_connected(here);
    }
    info.set_epoch(status->term.value);
    for (const replicated::MemberStatus& row : status->members) {
        pb::NodeInfo& node = *info.add_nodes();
        node.set_name(row.member.name);
        *node.mutable_endpoint() = wire::to_endpoint(row.member.address);
        const Role role = row.leader   ? Role::active
                          : row.joined ? (row.votes ? Role::standby : Role::joining)
                                       : Role::joining;
        node.set_role(static_cast<std::uint32_t>(role));
        node.set_connected(row.connected);
        node.set_index(row.match.value);
        node.set_lag(row.lag);
    }
    return info;
}

void RegistryJournal::change(const pb::NodesAsk& change, Done done) {
    if (node_ == nullptr) {
        later([done = std::move(done)] {
            done(Error{.code = Errc::refused, .detail = "this registry runs alone"});
        });
    } else if (change.has_add()) {
        node_->add_member(
            group_service,
            {.name = change.add().name(), .address = wire::from_endpoint(change.add().endpoint())},
            [name = change.add().name(), done = std::move(done)](const Result<void>& added) {
                done(added ? added : explain_add(added.error(), name));
            });
    } else if (change.has_remove()) {
        node_->remove_member(group_service, change.remove().name(), std::move(done));
    } else {
        const std::string to = change.transfer().to().empty() ? heir() : change.transfer().to();
        if (!to.empty()) return node_->transfer(group_service, to, std::move(done));
        later([done = std::move(done)] {
            done(Error{.code = Errc::unavailable, .detail = "no other node is there to take over"});
        });
    }
}

/// The engine notices that a member has caught up when the member acknowledges an entry. An idle
/// registry appends none, so this appends one that changes nothing: it closes a session that does
/// not exist.
void RegistryJournal::tend() {
    if (replica_ != nullptr) replica_->look();
    if (node_ == nullptr || closing_ || replica_ == nullptr || !replica_->active()) return;
    const auto status = node_->status(group_service);
    if (!status) return;
    const bool waiting = std::any_of(status->members.begin(), status->members.end(),
                                     [](const replicated::MemberStatus& row) {
                                         return row.connected && row.joined && !row.votes;
                                     });
    if (waiting) replica_->close_session({}, nullptr);
}

/// The connected node with the most entries; of equals the first. Empty if there is none.
std::string RegistryJournal::heir() const {
    std::string best;
    if (node_ == nullptr) return best;
    const auto status = node_->status(group_service);
    if (!status) return best;
    Index most;
    for (const replicated::MemberStatus& row : status->members) {
        const bool can = row.connected && row.votes && row.joined && !row.leader &&
                         row.member.kind == replicated::MemberKind::data;
        if (!can || (!best.empty() && row.match <= most)) continue;
        best = row.member.name;
        most = row.match;
    }
    return best;
}

void RegistryJournal::hand_on(std::function<void()> done) {
    const std::string to = replica_ != nullptr && replica_->active() ? heir() : std::string();
    if (to.empty()) return later(std::move(done));
    log_.info("registry.handing_on", {kv("to", to)});
    handed_on_ = std::move(done);
    const auto end = [this] {
        transfer_limit_.reset();
        if (handed_on_) std::exchange(handed_on_, nullptr)();
    };
    transfer_limit_ = runtime_.at(runtime_.now() + transfer_max, [this, end] {
        log_.warn("registry.handing_on_failed", {});
        later(end);  // Not now: it destroys the timer whose callback this is.
    });
    node_->transfer(group_service, to, [this, end](const Result<void>& result) {
        if (!result) log_.warn("registry.handing_on_failed", {kv("error", result.error())});
        end();
    });
}

void RegistryJournal::close(std::function<void()> done) {
    US_ASSERT(!closing_);
    closing_ = true;
    closed_ = std::move(done);
    opening_.reset();
    opening_node_.reset();
    transfer_limit_.reset();
    on_failed_ = nullptr;
    on_standing_ = nullptr;
    if (replica_ == nullptr) return close_node();
    replica_->close([this] {
        later([this] {  // Not now: the caller would be destroyed within its own call.
            replica_.reset();
            close_node();
        });
    });
}

void RegistryJournal::later(std::function<void()> task) {
    runtime_.post(life_.guarded(std::move(task)));
}

void RegistryJournal::close_node() {
    if (node_ == nullptr) return runtime_.post(std::exchange(closed_, nullptr));
    node_->close([this] { std::exchange(closed_, nullptr)(); });
}

}  // namespace understudy::node
