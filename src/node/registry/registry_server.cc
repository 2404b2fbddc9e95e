#include "node/registry/registry_server.h"

#include <algorithm>
#include <utility>

#include "wire/control.h"
#include "wire/registry_log.pb.h"

namespace understudy::node {

namespace pb = wire::pb;
using registry::Applied;
using registry::SessionId;
using registry::Standby;
using wire::MessageType;

namespace {

constexpr std::size_t links_max = registry::Machine::sessions_max + 1000;
constexpr Duration standby_turn =
    50ms;  // How often a node that is not active looks at its journal.
constexpr Duration waiting_patience = 1s;  // Before it is logged.

const Error moved{.code = Errc::not_active, .detail = "this node of the registry is not active"};

[[nodiscard]] ProcessId to_process_id(const pb::Process& process) {
    return {.boot = process.boot(),
            .pid_namespace = process.pid_namespace(),
            .pid = process.pid(),
            .start_ticks = process.start_ticks()};
}

}  // namespace

RegistryServer::RegistryServer(Runtime& runtime, Log& log, Options options, Opened opened)
    : runtime_(runtime),
      log_(log),
      refusals_(runtime, log),
      options_(std::move(options)),
      opened_(std::move(opened)),
      standby_({.name = options_.machine.name, .version = options_.machine.version}, state_) {
    options_.link.compressor = &compressor_;
    standby_.set_heard(runtime_.now());
    if (!options_.several) {
        open_journal();
        return;
    }
    auto port = SharedPort::open(
        runtime_, options_.listen, options_.tls,
        [this](std::unique_ptr<Connection> connection) { accepted(std::move(connection)); });
    if (!port) {
        failing_ =
            runtime_.at(runtime_.now(), [this, error = port.error()] { tell_opened(error); });
        return;
    }
    port_ = *std::move(port);
    if (options_.several->address.port == 0) options_.several->address = port_->address();
    open_journal();
}

RegistryServer::~RegistryServer() = default;

RegistryJournal::Options RegistryServer::journal_options() const {
    RegistryJournal::Options journal;
    journal.name = options_.machine.name;
    journal.platform = options_.machine.platform;
    journal.directory = options_.directory;
    journal.segment_size_bytes = options_.segment_size_bytes;
    journal.tls = options_.tls;
    journal.several = options_.several;
    return journal;
}

void RegistryServer::open_journal() {
    Runtime& runtime = port_ ? port_->for_nodes() : runtime_;
    journal_ = std::make_unique<RegistryJournal>(
        runtime, log_, journal_options(), state_,
        [this](const Result<void>& result) { journal_opened(result); });
    journal_->on_failed([this](const Error& error) { journal_failed(error); });
    journal_->on_standing(
        [this](const journal::Standing& standing) { standing_changed(standing); });
}

/// One of several nodes is of use before it knows who is active: it holds agents, and sends them
/// on.
void RegistryServer::journal_opened(const Result<void>& result) {
    if (!result) return tell_opened(result);
    if (!options_.several) return;
    log_.info("registry.listening",
              {kv("address", to_string(address())), kv("node", options_.machine.name),
               kv("nodes", journal_->nodes().size())});
    look_at_journal();
    arm();
    tell_opened({});
}

void RegistryServer::tell_opened(const Result<void>& result) {
    if (opened_) std::exchange(opened_, nullptr)(result);
}

void RegistryServer::standing_changed(const journal::Standing& standing) {
    if (machine_) end_tenure();
    look_at_journal();
    if (standing.role != Role::active) {
        carry_out(standby_.active_changed(runtime_.now(), standing.active));
        return arm();
    }
    carry_out(standby_.active_changed(runtime_.now(), {}));
    if (options_.restore) return restore();
    begin_tenure();
}

void RegistryServer::restore() {
    pb::RegistryCommand command;
    if (!command.mutable_restore()->ParseFromArray(options_.restore->data(),
                                                   static_cast<int>(options_.restore->size()))) {
        return tell_opened(Error{.code = Errc::corrupt, .detail = "the backup does not parse"});
    }
    if (state_.founded()) {
        return tell_opened(Error{.code = Errc::already_exists,
                                 .detail = options_.directory + " holds platform " +
                                           state_.platform() + "; restore wants a new directory"});
    }
    command.mutable_restore()->set_restored(true);
    Buffer body;
    (void)wire::encode(command, body);
    journal_->replica()->propose(body, replica::Urgency::promotion,
                                 [this](const Result<Index>& done) {
                                     // Members have a lease from when it is in service, not from
                                     // now.
                                     tell_opened(done ? Result<void>() : done.error());
                                 });
}

void RegistryServer::begin_tenure() {
    US_ASSERT(!machine_);
    ++tenure_;
    machine_.emplace(options_.machine, state_, log_, runtime_.now());
    look_at_journal();
    const std::uint64_t registry_id = runtime_.random().next() | 1;
    carry_out(machine_->start(runtime_.now(), runtime_.host().wall_ms(), registry_id));
    if (machine_->serving()) serve();
}

void RegistryServer::serve() {
    if (!options_.several) {
        auto listener = runtime_.network().listen(
            options_.listen, options_.tls,
            [this](std::unique_ptr<Connection> connection) { accepted(std::move(connection)); });
        if (!listener) return tell_opened(listener.error());
        listener_ = *std::move(listener);
    }
    serving_ = true;
    log_.info("registry.serving",
              {kv("address", to_string(address())), kv("platform", state_.platform()),
               kv("revision", state_.revision().value), kv("services", state_.services().size()),
               kv("epoch", journal_->replica()->epoch())});
    for (const auto& [id, hello] : standby_.let_in()) greet(id, hello);
    // Readers come back, and are the Machine's then.
    std::vector<SessionId> readers;
    for (const auto& [id, row] : rows_) {
        if (row.desk == Desk::standby) readers.push_back(id);
    }
    for (const SessionId id : readers) finish(id, moved);
    arm();
    tell_opened({});
}

/// What the Machine still has to say leaves before its sessions end.
void RegistryServer::end_tenure() {
    log_.info("registry.tenure_ended", {kv("sessions", machine_->sessions())});
    serving_ = false;
    timer_.reset();
    watches_.clear();
    for (registry::Effect& effect : machine_->retire(runtime_.now())) {
        if (const auto* message = std::get_if<registry::Send>(&effect)) {
            send(message->to, message->type, message->body);
        } else if (const auto* close = std::get_if<registry::Close>(&effect)) {
            finish(close->session, moved);
        }
    }
    machine_.reset();
}

void RegistryServer::accepted(std::unique_ptr<Connection> connection) {
    if (rows_.size() >= links_max || stopping_) return;
    const SessionId id{++session_last_};
    Row& row = rows_[id];
    row.link =
        std::make_unique<client::Link>(runtime_, std::move(connection), wire::Side::accepting,
                                       options_.link, static_cast<client::Link::Observer&>(*this));
    ids_.emplace(row.link.get(), id);
}

SessionId RegistryServer::id_of(const client::Link& link) const {
    const auto found = ids_.find(&link);
    US_ASSERT(found != ids_.end());
    return found->second;
}

void RegistryServer::link_hello(client::Link& link, Bytes opaque) {
    const auto hello = wire::decode_as<pb::Hello>(opaque);
    if (!hello) return link.refuse(hello.error());
    greet(id_of(link), *hello);
}

void RegistryServer::greet(SessionId id, const pb::Hello& hello) {
    Row& row = rows_.at(id);
    if (!serving_) {
        row.desk = Desk::standby;
        carry_out(standby_.greeted(runtime_.now(), id, hello));
        return arm();
    }
    row.desk = Desk::none;
    const auto welcome = machine_->welcome(hello);
    if (!welcome) return row.link->refuse(welcome.error());
    row.desk = Desk::machine;
    Buffer body;
    row.link->welcome(wire::encode(*welcome, body));
    carry_out(machine_->opened(runtime_.now(), id, hello));
}

/// Says what there is to say, then closes; nobody here answers for the link any more.
void RegistryServer::finish(SessionId id, const Error& reason) {
    const auto row = rows_.find(id);
    if (row == rows_.end()) return;
    if (row->second.desk == Desk::standby) standby_.closed(id);
    row->second.desk = Desk::none;
    row->second.link->finish(reason);
}

void RegistryServer::link_welcome(client::Link&, Bytes) { US_ASSERT(false); }

void RegistryServer::link_message(client::Link& link, MessageType type, Bytes body) {
    const SessionId id = id_of(link);
    switch (rows_.at(id).desk) {
        case Desk::none:
            return;
        case Desk::standby: {
            if (type == MessageType::ask) look_at_journal();
            auto effects = standby_.received(runtime_.now(), id, type, body);
            if (!effects) return finish(id, effects.error());
            return carry_out(*std::move(effects));
        }
        case Desk::machine: {
            if (type == MessageType::ask) look_at_journal();
            auto effects =
                machine_->received(runtime_.now(), runtime_.host().wall_ms(), id, type, body);
            if (!effects) return link.finish(effects.error());
            return carry_out(*std::move(effects));
        }
    }
}

void RegistryServer::link_drained(client::Link&) {}

void RegistryServer::link_closed(client::Link& link, const Error& reason) {
    const auto found = ids_.find(&link);
    if (found == ids_.end()) return;
    const SessionId id = found->second;
    ids_.erase(found);
    const auto row = rows_.extract(id);
    if (link::blames_peer(reason)) refusals_.heard("registry.peer_refused", link.peer(), reason);
    if (row.mapped().desk == Desk::standby) standby_.closed(id);
    if (row.mapped().desk == Desk::machine && machine_ && !stopping_) {
        carry_out(machine_->closed(runtime_.now(), id));
    }
}

void RegistryServer::send(SessionId to, MessageType type, Bytes body) {
    const auto row = rows_.find(to);
    if (row == rows_.end()) return;
    client::Link& link = *row->second.link;
    if (link.send(type, body) || type != MessageType::answer) return;
    // Nobody should wait for an answer that does not fit a message.
    const auto answer = wire::decode_as<pb::Answer>(body);
    US_ASSERT(answer);
    pb::Answer refusal;
    refusal.set_request(answer->request());
    *refusal.mutable_failure() = wire::to_failure(
        {.code = Errc::limit_exceeded, .detail = "the answer is longer than a message may be"});
    Buffer scratch;
    (void)link.send(type, wire::encode(refusal, scratch));
}

void RegistryServer::carry_out(registry::Effects effects) {
    for (registry::Effect& effect : effects) carry_out(effect);
    arm();
}

void RegistryServer::carry_out(registry::Effect& effect) {
    if (auto* message = std::get_if<registry::Send>(&effect)) {
        const auto row = rows_.find(message->to);
        if (row == rows_.end()) return;
        // A peer that does not read cannot make us keep its messages: it comes back for an image.
        if (row->second.link->full()) {
            return carry_out(registry::Effects{registry::Close{message->to}});
        }
        send(message->to, message->type, message->body);
    } else if (const auto* close = std::get_if<registry::Close>(&effect)) {
        const auto row = rows_.find(close->session);
        if (row == rows_.end()) return;
        const bool greeted = row->second.desk == Desk::machine;
        ids_.erase(row->second.link.get());
        rows_.erase(row);
        if (greeted) carry_out(machine_->closed(runtime_.now(), close->session));
    } else if (auto* command = std::get_if<registry::Propose>(&effect)) {
        propose(std::move(*command));
    } else if (const auto* watch = std::get_if<registry::WatchProcess>(&effect)) {
        const Incarnation agent = watch->agent;
        auto handle = runtime_.host().watch(to_process_id(watch->process), [this, agent] {
            watches_.erase(agent);
            carry_out(machine_->process_gone(runtime_.now(), runtime_.host().wall_ms(), agent));
        });
        if (handle == nullptr) return machine_->unprovable(agent);
        watches_[agent] = std::move(handle);
    } else if (const auto* forget = std::get_if<registry::ForgetProcess>(&effect)) {
        watches_.erase(forget->agent);
    } else if (const auto* confirm = std::get_if<registry::Confirm>(&effect)) {
        journal_->replica()->read(
            [this, tenure = tenure_, token = confirm->token](const Result<void>& result) {
                if (stopping_ || !machine_ || tenure != tenure_) return;
                carry_out(machine_->confirmed(runtime_.now(), token, result));
            });
    } else if (const auto* change = std::get_if<registry::ChangeNodes>(&effect)) {
        journal_->change(change->change, [this, tenure = tenure_,
                                          token = change->token](const Result<void>& result) {
            if (stopping_ || !machine_ || tenure != tenure_) return;
            carry_out(machine_->nodes_changed(runtime_.now(), token, result));
            look_at_journal();
        });
    }
}

void RegistryServer::carry_out(Standby::Effects effects) {
    for (Standby::Effect& effect : effects) {
        if (auto* greeting = std::get_if<Standby::Greet>(&effect)) {
            const auto row = rows_.find(greeting->to);
            if (row == rows_.end()) continue;
            Buffer body;
            row->second.link->welcome(wire::encode(greeting->welcome, body));
            if (greeting->last) finish(greeting->to, moved);
        } else if (const auto* refusal = std::get_if<Standby::Refuse>(&effect)) {
            const auto row = rows_.find(refusal->to);
            if (row == rows_.end()) continue;
            row->second.desk = Desk::none;
            row->second.link->refuse(refusal->reason);
        } else if (auto* message = std::get_if<Standby::Send>(&effect)) {
            send(message->to, message->type, message->body);
        }
    }
}

void RegistryServer::propose(registry::Propose propose) {
    journal_->replica()->submit(
        propose.command, propose.urgent ? replica::Urgency::promotion : replica::Urgency::ordinary,
        [this, tenure = tenure_, token = propose.token](const Result<replica::Reply>& reply) {
            if (stopping_ || !machine_ || tenure != tenure_) return;
            if (!reply) return committed(token, reply.error());
            committed(token, Applied::from(reply->index, reply->bytes));
        });
}

void RegistryServer::committed(std::uint64_t token, const Result<Applied>& result) {
    carry_out(machine_->committed(runtime_.now(), runtime_.host().wall_ms(), token, result));
    if (serving_) return;
    if (machine_->serving()) return serve();
    if (!result && !options_.several) tell_opened(result.error());
}

/// What the machines know of the journal is what we tell them.
void RegistryServer::look_at_journal() {
    if (options_.several && journal_->up_to_date()) standby_.set_heard(runtime_.now());
    standby_.set_nodes(journal_->nodes());
    const pb::JournalInfo info = journal_->info();
    standby_.set_journal(info);
    say_waiting(info.waiting());
    if (!machine_) return;
    machine_->set_space(journal_->replica()->space() == replica::Space::ok ? "ok" : "reserve_only");
    machine_->set_journal(info);
    carry_out(machine_->set_nodes(journal_->nodes()));
}

/// Once for each thing, and not what is over in a moment.
void RegistryServer::say_waiting(const std::string& waiting) {
    if (waiting != waiting_) {
        waiting_ = waiting;
        waiting_since_ = runtime_.now();
        return;
    }
    if (waiting.empty() || runtime_.now() < waiting_since_ + waiting_patience) return;
    if (std::exchange(waiting_said_, waiting) == waiting) return;
    log_.warn("registry.no_active_node", {kv("waiting", waiting)});
}

void RegistryServer::arm() {
    if (stopping_ || timer_ != nullptr || (!serving_ && !options_.several)) return;
    const TimePoint now = runtime_.now();
    TimePoint next = serving_ ? machine_->next_deadline(now) : now + standby_turn;
    next = std::min(next, std::max(standby_.next_deadline(), now));
    timer_ = runtime_.at(next, [this] {
        timer_.reset();
        tick();
    });
}

void RegistryServer::tick() {
    look_at_journal();
    journal_->tend();
    carry_out(standby_.tick(runtime_.now()));
    if (serving_) carry_out(machine_->tick(runtime_.now(), runtime_.host().wall_ms()));
    arm();
}

void RegistryServer::journal_failed(const Error& error) {
    log_.error("registry.journal_failed", {kv("error", error)});
    stopping_ = true;
    serving_ = false;
    timer_.reset();
    listener_.reset();
    forget_links();
    if (failed_) failed_(error);
}

void RegistryServer::forget_links() {
    watches_.clear();
    ids_.clear();
    rows_.clear();
}

void RegistryServer::close(std::function<void()> done) {
    failing_.reset();
    if (journal_ == nullptr) {
        stopping_ = true;
        return runtime_.post(std::move(done));
    }
    if (!options_.several) return close_journal(std::move(done));
    // Agents are sent on while the role moves.
    journal_->hand_on([this, done = std::move(done)]() mutable {
        if (stopping_) return done();
        if (machine_) end_tenure();
        close_journal(std::move(done));
    });
}

void RegistryServer::close_journal(std::function<void()> done) {
    stopping_ = true;
    timer_.reset();
    listener_.reset();
    if (!options_.several) forget_links();
    journal_->close([this, done = std::move(done)] {
        forget_links();
        done();
    });
}

}  // namespace understudy::node
