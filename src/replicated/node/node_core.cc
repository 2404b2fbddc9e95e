#include "replicated/node/node_core.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "replicated/group/replicated_journal.h"
#include "understudy/limits.h"

namespace understudy::replicated {

using wire::MessageType;

NodeCore::NodeCore(Runtime& runtime, Log& log, Options options, consensus::MakeCore make_core)
    : runtime_(runtime), log_(log), options_(std::move(options)), make_core_(make_core) {}

NodeCore::~NodeCore() {
    for (const auto& group : groups()) group->detach();
}

// --- Opening ---------------------------------------------------------------------------------

void NodeCore::start(std::function<void(Result<void>)> started) {
    started_ = std::move(started);
    auto checked = check_identifier("node", options_.name);
    if (checked) checked = check_identifier("platform", options_.platform);
    if (checked && options_.directory.empty()) {
        checked = Error{.code = Errc::bad_config, .detail = "a node needs a directory"};
    }
    if (checked && (options_.heartbeat_interval < 1ms ||
                    options_.election_timeout < 2 * options_.heartbeat_interval)) {
        checked = Error{.code = Errc::bad_config,
                        .detail = "an election timeout must be two heartbeats at least"};
    }
    if (!checked) {
        return later([this, checked] { std::exchange(started_, nullptr)(checked); });
    }
    opening_ = journal::NodeLog::open(
        runtime_, log_,
        {.directory = options_.directory + "/log",
         .segment_size_bytes = options_.segment_size_bytes,
         .cache_bytes_max = options_.cache_bytes_max,
         .identities = identities()},
        static_cast<journal::NodeLog::Observer&>(*this),
        [this](Result<std::unique_ptr<journal::NodeLog>> log) { log_opened(std::move(log)); });
}

/// The identities of the directory, and of the log in it, which looks like any local journal.
std::vector<journal::DirectoryWanted> NodeCore::identities() const {
    std::vector<journal::DirectoryWanted> wanted = options_.identities;
    for (journal::DirectoryWanted& one : wanted) one.segment_bytes = options_.segment_size_bytes;
    const auto own = std::find_if(wanted.begin(), wanted.end(), [&](const auto& one) {
        return one.directory == options_.directory;
    });
    if (own == wanted.end()) return wanted;
    journal::DirectoryWanted log = *own;
    log.directory = options_.directory + "/log";
    log.identity.form = journal::DirectoryForm::log;
    log.group.clear();
    wanted.push_back(std::move(log));
    return wanted;
}

void NodeCore::log_opened(Result<std::unique_ptr<journal::NodeLog>> log) {
    if (!log) return std::exchange(started_, nullptr)(std::move(log).error());
    node_log_ = *std::move(log);
    for (const auto& [group, found] : node_log_->groups()) states_[group] = found.state;
    peers_ = std::make_unique<Peers>(runtime_, log_,
                                     Peers::Options{.platform = options_.platform,
                                                    .name = options_.name,
                                                    .family = options_.family,
                                                    .listen = options_.listen,
                                                    .advertise = options_.advertise,
                                                    .tls = options_.tls,
                                                    .identity = node_log_->identity(),
                                                    .connect_timeout = options_.connect_timeout,
                                                    .retry_min = options_.retry_min,
                                                    .retry_max = options_.retry_max},
                                     static_cast<Peers::Observer&>(*this));
    for (const Peer& peer : options_.peers) peers_->learn(peer.name, peer.address);
    auto listening = peers_->start();
    if (listening) {
        log_.info("replicated.node_serving",
                  {kv("node", options_.name), kv("address", to_string(peers_->address())),
                   kv("groups", states_.size())});
    }
    std::exchange(started_, nullptr)(std::move(listening));
}

Result<Member> NodeCore::check(const GroupOptions& options) const {
    US_CHECK(check_service_name(options.service));
    Member self{.name = options_.name, .address = address(), .kind = options.kind};
    std::vector<MemberRow> rows;
    bool founder = false;
    for (const Member& member : options.founders) {
        US_CHECK(check_identifier("node", member.name));
        const bool twice = std::any_of(rows.begin(), rows.end(), [&](const MemberRow& row) {
            return row.member.name == member.name;
        });
        if (twice) {
            return Error{.code = Errc::bad_config,
                         .detail = fmt::format("{} is a founder twice", member.name)};
        }
        rows.push_back({.id = {rows.size() + 1}, .member = member});
        if (member.name != options_.name) continue;
        founder = true;
        if (member.kind != options.kind) {
            return Error{.code = Errc::bad_config,
                         .detail = fmt::format("{} is {} here, and {} among the founders",
                                               member.name, name(options.kind), name(member.kind))};
        }
    }
    const Members founders(std::move(rows));
    US_CHECK(founders.check());
    const bool data =
        std::any_of(founders.rows().begin(), founders.rows().end(),
                    [](const MemberRow& row) { return row.member.kind == MemberKind::data; });
    if (founder && !data) {
        return Error{.code = Errc::bad_config, .detail = "no founder holds data"};
    }
    return self;
}

std::unique_ptr<journal::Opening> NodeCore::open_journal(GroupOptions options,
                                                         journal::Observer& observer,
                                                         journal::Opened opened) {
    class Handle final : public journal::Opening {
    public:
        explicit Handle(std::weak_ptr<Group> group) : group_(std::move(group)) {}
        Handle(const Handle&) = delete;
        Handle& operator=(const Handle&) = delete;
        /// When the journal is open, the group belongs to the owner of the journal.
        ~Handle() override {
            if (const auto group = group_.lock(); group && !group->opened()) group->give_up();
        }

    private:
        const std::weak_ptr<Group> group_;
    };
    const GroupId id = group_of(options.service);
    auto self = check(options);
    if (self && error_) self = *error_;
    if (self && entries_.contains(id)) {
        self = Error{.code = Errc::already_exists,
                     .detail = fmt::format("{} is open on this node", options.service)};
    }
    if (!self) {
        later([opened = std::move(opened), error = std::move(self).error()] { opened(error); });
        return std::make_unique<Handle>(std::weak_ptr<Group>());
    }

    const auto holder = std::make_shared<std::weak_ptr<Group>>();
    auto group = std::make_shared<Group>(
        GroupContext{.runtime = runtime_,
                     .log = log_,
                     .node_log = *node_log_,
                     .surroundings = static_cast<Surroundings&>(*this),
                     .make_core = make_core_,
                     .directory = fmt::format("{}/groups/{}", options_.directory, directory_of(id)),
                     .self = *std::move(self),
                     .options = std::move(options),
                     .node = options_,
                     .observer = observer},
        [holder, opened = std::move(opened)](Result<void> result) {
            if (!result) return opened(std::move(result).error());
            std::unique_ptr<journal::Journal> journal =
                std::make_unique<ReplicatedJournal>(holder->lock());
            opened(std::move(journal));
        });
    *holder = group;
    Entry& entry = entries_[id];
    entry.group = group;
    for (const Peers::Peer* peer : peers_->connected()) {
        entry.routes.push_back({.server = server_of(peer->identity, id), .peer = peer});
    }
    group->start();
    return std::make_unique<Handle>(group);
}

// --- Steering --------------------------------------------------------------------------------

Result<std::shared_ptr<Group>> NodeCore::find(const std::string& service) const {
    const auto found = entries_.find(group_of(service));
    if (found != entries_.end()) return found->second.group;
    return Error{.code = Errc::not_found, .detail = fmt::format("{} is not open here", service)};
}

void NodeCore::add_member(const std::string& service, Member member, Done done) {
    auto group = find(service);
    if (group) return (*group)->add_member(std::move(member), std::move(done));
    later([done = std::move(done), error = group.error()] { done(error); });
}

void NodeCore::remove_member(const std::string& service, const std::string& name, Done done) {
    auto group = find(service);
    if (group) return (*group)->remove_member(name, std::move(done));
    later([done = std::move(done), error = group.error()] { done(error); });
}

void NodeCore::transfer(const std::string& service, const std::string& name, Done done) {
    auto group = find(service);
    if (group) return (*group)->transfer(name, std::move(done));
    later([done = std::move(done), error = group.error()] { done(error); });
}

Result<void> NodeCore::set_last_resort(const std::string& service, bool allow) {
    const auto group = US_TRY(find(service));
    group->set_last_resort(allow);
    return {};
}

void NodeCore::process_gone(const std::string& name) {
    for (const auto& group : groups()) group->process_gone(name);
}

void NodeCore::add_peer(Peer peer) { peers_->learn(peer.name, peer.address); }

Result<GroupStatus> NodeCore::status(const std::string& service) const {
    const auto group = US_TRY(find(service));
    return group->status();
}

std::vector<std::string> NodeCore::services() const {
    std::vector<std::string> names;
    for (const auto& [id, entry] : entries_) names.push_back(entry.group->service());
    std::sort(names.begin(), names.end());
    return names;
}

void NodeCore::close(std::function<void()> done) {
    US_ASSERT(entries_.empty());
    if (peers_ != nullptr) peers_->stop();
    if (error_ || node_log_ == nullptr) return later(std::move(done));
    node_log_->close(std::move(done));
}

// --- Surroundings ----------------------------------------------------------------------------

NodeCore::Entry* NodeCore::entry(GroupId group) {
    const auto found = entries_.find(group);
    return found == entries_.end() ? nullptr : &found->second;
}

const Peers::Peer* NodeCore::route(ServerId to, GroupId group) const {
    const auto found = entries_.find(group);
    if (found == entries_.end()) return nullptr;
    for (const Route& route : found->second.routes) {
        if (route.server == to) return route.peer;
    }
    return nullptr;
}

std::vector<std::shared_ptr<Group>> NodeCore::groups() const {
    std::vector<std::shared_ptr<Group>> result;
    result.reserve(entries_.size());
    for (const auto& [id, entry] : entries_) result.push_back(entry.group);
    return result;
}

void NodeCore::later(std::function<void()> task) { runtime_.post(life_.guarded(std::move(task))); }

void NodeCore::send(ServerId to, GroupId group, const consensus::Message& message) {
    if (const auto* peer = route(to, group)) {
        peer->link->send(MessageType::consensus, encoder_.encode(group, message));
    }
}

void NodeCore::send(ServerId to, GroupId group, const consensus::AppendRequest& request,
                    std::span<const journal::GroupEntry> entries) {
    if (const auto* peer = route(to, group)) {
        peer->link->send(MessageType::consensus, encoder_.encode(group, request, entries));
    }
}

void NodeCore::tell(ServerId to, GroupId group, MessageType type, Bytes body) {
    if (const auto* peer = route(to, group)) peer->link->send(type, body);
}

void NodeCore::tell_node(std::string_view name, MessageType type, Bytes body) {
    if (const auto* peer = peers_->find(name)) peer->link->send(type, body);
}

void NodeCore::tell_all(MessageType type, Bytes body) {
    for (const Peers::Peer* peer : peers_->connected()) peer->link->send(type, body);
}

bool NodeCore::congested(ServerId to, GroupId group) const {
    const auto* peer = route(to, group);
    return peer == nullptr || peer->link->backlog_bytes() > options_.backlog_bytes_max;
}

std::optional<std::uint64_t> NodeCore::identity_of(std::string_view name) const {
    if (name == options_.name) return node_log_->identity();
    const auto* peer = peers_->find(name);
    return peer == nullptr ? std::nullopt : std::optional(peer->identity);
}

std::string NodeCore::name_of(ServerId server, GroupId group) const {
    if (server == server_of(node_log_->identity(), group)) return options_.name;
    const auto* peer = route(server, group);
    return peer == nullptr ? std::string() : peer->name;
}

std::string NodeCore::trouble_with(std::string_view name) const {
    return peers_ == nullptr ? std::string() : peers_->trouble(name);
}

void NodeCore::learn(const Member& member) { peers_->learn(member.name, member.address); }

Result<journal::LogPosition> NodeCore::write(GroupId group, journal::GroupWrite write,
                                             journal::Urgency urgency) {
    std::uint64_t bytes = 0;
    for (const journal::GroupEntry& entry : write.entries) bytes += entry.body.size();
    std::optional<Buffer> state;
    if (write.state) state = *write.state;
    const auto position = US_TRY(node_log_->write(group, std::move(write), urgency));
    if (state) states_[group] = *std::move(state);
    unsynced_.push_back({.position = position, .group = group, .bytes = bytes});
    unsynced_bytes_ += bytes;
    return position;
}

Bytes NodeCore::state_of(GroupId group) const {
    const auto found = states_.find(group);
    return found == states_.end() ? Bytes{} : Bytes(found->second);
}

bool NodeCore::disk_congested() const { return unsynced_bytes_ > options_.unsynced_bytes_max; }

void NodeCore::ended(GroupId group) {
    entries_.erase(group);
    for (auto& [name, shipper] : shippers_) shipper->forget(group);
}

// --- Peers -----------------------------------------------------------------------------------

void NodeCore::peer_connected(const std::string& name, std::uint64_t identity) {
    const Peers::Peer* peer = peers_->find(name);
    US_ASSERT(peer != nullptr);
    shippers_[name] = std::make_unique<Shipper>(runtime_, options_.shipping_bytes_max,
                                                [this, name](const Chunk& chunk) {
                                                    if (const auto* to = peers_->find(name))
                                                        send(*to, chunk);
                                                });
    for (auto& [id, entry] : entries_) {
        entry.routes.push_back({.server = server_of(identity, id), .peer = peer});
    }
    for (const auto& group : groups()) group->node_connected(name);
}

void NodeCore::peer_lost(const std::string& name) {
    shippers_.erase(name);
    for (auto& [id, entry] : entries_) {
        std::erase_if(entry.routes, [&](const Route& route) { return route.peer->name == name; });
    }
    for (const auto& group : groups()) group->node_lost(name);
}

void NodeCore::peer_gone(const std::string& name) { process_gone(name); }

Result<void> NodeCore::peer_message(const std::string& name, MessageType type, Bytes body) {
    switch (type) {
        case MessageType::consensus:
            return consensus_message(name, body);
        case MessageType::found: {
            const auto message = US_TRY(decode_found(body));
            if (Entry* to = entry(message.group)) {
                if (to->group->service() != message.service) return {};
                const auto group = to->group;
                group->found(name, peers_->find(name)->identity);
            }
            return {};
        }
        case MessageType::founded: {
            const auto message = US_TRY(decode_founded(body));
            if (Entry* to = entry(message.group)) {
                const auto group = to->group;
                group->founded(message);
            }
            return {};
        }
        case MessageType::join: {
            const auto message = US_TRY(decode_join(body));
            if (message.member.name != name) {
                return Error{.code = Errc::corrupt, .detail = "joins in another's name"};
            }
            if (Entry* to = entry(message.group)) {
                const auto group = to->group;
                group->join(message.member, peers_->find(name)->identity);
            }
            return {};
        }
        case MessageType::fetch:
            return fetch(name, US_TRY(decode_fetch(body)));
        case MessageType::chunk: {
            const auto message = US_TRY(decode_chunk(body));
            if (Entry* to = entry(message.group)) {
                const auto group = to->group;
                group->chunk(server_of(peers_->find(name)->identity, message.group), message);
            }
            return {};
        }
        case MessageType::chunk_taken: {
            const auto message = US_TRY(decode_chunk_taken(body));
            if (const auto found = shippers_.find(name); found != shippers_.end()) {
                found->second->taken(message);
            }
            return {};
        }
        default:
            return Error{.code = Errc::corrupt,
                         .detail = fmt::format("message of type {}", static_cast<unsigned>(type))};
    }
}

Result<void> NodeCore::consensus_message(const std::string& name, Bytes body) {
    auto message = US_TRY(decode_consensus(body));
    Entry* to = entry(message.group);
    if (to == nullptr) return {};  // The group is not open here, or not any more.
    for (const Route& route : to->routes) {
        if (route.peer->name != name) continue;
        const auto group = to->group;
        group->received(route.server, std::move(message));
        return {};
    }
    return {};
}

Result<void> NodeCore::fetch(const std::string& name, const Fetch& fetch) {
    const auto found = shippers_.find(name);
    if (found == shippers_.end()) return {};
    std::optional<Shipper::Source> source;
    if (const Entry* from = entry(fetch.group)) {
        const auto& newest = from->group->snapshot();
        if (newest && (fetch.index.value != 0 || newest->index > fetch.beyond)) {
            const Index index = fetch.index.value == 0 ? newest->index : fetch.index;
            source = Shipper::Source{.directory = from->group->directory(),
                                     .index = index,
                                     .snapshot = index == newest->index ? newest : std::nullopt};
        }
    }
    found->second->fetch(fetch, std::move(source));
    return {};
}

void NodeCore::send(const Peers::Peer& peer, const Chunk& chunk) {
    const Buffer head = encode_head(chunk);
    const Bytes parts[] = {head, chunk.bytes};
    peer.link->send(MessageType::chunk, std::span<const Bytes>(parts));
}

// --- The log ---------------------------------------------------------------------------------

void NodeCore::durable(journal::LogPosition position) {
    std::vector<GroupId> due;
    while (!unsynced_.empty() && unsynced_.front().position <= position) {
        unsynced_bytes_ -= unsynced_.front().bytes;
        due.push_back(unsynced_.front().group);
        unsynced_.pop_front();
    }
    std::sort(due.begin(), due.end());
    due.erase(std::unique(due.begin(), due.end()), due.end());
    const Lifetime::Watch here = life_.watch();
    for (const GroupId id : due) {
        if (Entry* found = entry(id)) {
            const auto group = found->group;
            group->durable(position);
            if (here.ended()) return;
        }
    }
}

void NodeCore::space_changed(journal::Space space) {
    const Lifetime::Watch here = life_.watch();
    for (const auto& group : groups()) {
        group->space_changed(space);
        if (here.ended()) return;
    }
}

void NodeCore::failed(const Error& error) {
    error_ = error;
    log_.error("replicated.node_failed", {kv("node", options_.name), kv("error", error)});
    const Lifetime::Watch here = life_.watch();
    for (const auto& group : groups()) {
        group->log_failed(error);
        if (here.ended()) return;
    }
    // The other nodes must not wait for this one.
    later([this] {
        if (peers_ != nullptr) peers_->stop();
        if (failed_) failed_(*error_);
    });
}

}  // namespace understudy::replicated
