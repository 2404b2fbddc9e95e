#include "node/registry/registry_server.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "wire/control.h"
#include "wire/registry_log.pb.h"

namespace understudy::node {

namespace pb = wire::pb;
using wire::MessageType;

namespace {

constexpr std::size_t links_max = registry::Sessions::size_max + 1000;
constexpr Duration standby_turn =
    50ms;  // How often a node that is not active looks at its journal.
constexpr Duration waiting_patience = 1s;  // Before it is logged.

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
      options_(std::move(options)),
      opened_(std::move(opened)),
      standby_({.name = options_.tenure.name, .version = options_.tenure.version}, state_),
      sessions_(runtime, log, session_options()),
      desk_(runtime, sessions_, standby_, [this] { look_at_journal(); }),
      driver_(runtime, sessions_, *this) {
    sessions_.serve(desk_);
    standby_.set_heard(runtime_.now());
    if (!options_.several) {
        open_journal();
        return;
    }
    auto port = SharedPort::open(
        runtime_, options_.listen, options_.tls,
        [this](std::unique_ptr<Connection> connection) {
            sessions_.accept(std::move(connection));
        });
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

hosting::SessionServer::Options RegistryServer::session_options() {
    hosting::SessionServer::Options sessions{
        .link = options_.link, .links_max = links_max, .refused_event = "registry.peer_refused"};
    sessions.link.compressor = &compressor_;
    return sessions;
}

RegistryJournal::Options RegistryServer::journal_options() const {
    RegistryJournal::Options journal;
    journal.name = options_.tenure.name;
    journal.platform = options_.tenure.platform;
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

/// One of several nodes is useful before it knows the active node: agents wait here, and are then
/// sent to that node.
void RegistryServer::journal_opened(const Result<void>& result) {
    if (!result) return tell_opened(result);
    if (!options_.several) return;
    log_.info("registry.listening",
              {kv("address", to_string(address())), kv("node", options_.tenure.name),
               kv("nodes", journal_->nodes().size())});
    look_at_journal();
    arm();
    tell_opened({});
}

void RegistryServer::tell_opened(const Result<void>& result) {
    if (opened_) std::exchange(opened_, nullptr)(result);
}

void RegistryServer::standing_changed(const journal::Standing& standing) {
    if (driver_.tenure() != nullptr) end_tenure();
    look_at_journal();
    if (standing.role != Role::active) {
        desk_.active_changed(standing.active);
        return arm();
    }
    desk_.active_changed({});
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
                                     // The leases of members begin when agents are served.
                                     tell_opened(done ? Result<void>() : done.error());
                                 });
}

void RegistryServer::begin_tenure() {
    driver_.begin(*journal_->replica(), options_.tenure, state_, log_, runtime_.now());
    if (driver_.tenure()->serving()) serve();
}

void RegistryServer::serve() {
    if (!options_.several) {
        const auto listening = sessions_.listen(options_.listen, options_.tls);
        if (!listening) return tell_opened(listening.error());
    }
    serving_ = true;
    timer_.reset();
    log_.info("registry.serving",
              {kv("address", to_string(address())), kv("platform", state_.platform()),
               kv("revision", state_.revision().value), kv("services", state_.services().size()),
               kv("epoch", journal_->replica()->epoch())});
    const auto waiting = standby_.let_in();
    sessions_.end_sessions(not_active);  // They connect again, to the tenure.
    sessions_.serve(driver_);
    for (const auto& [session, hello] : waiting) driver_.greet(session, hello);
    tell_opened({});
}

void RegistryServer::end_tenure() {
    log_.info("registry.tenure_ended", {kv("sessions", driver_.tenure()->sessions())});
    serving_ = false;
    watches_.clear();
    driver_.end(not_active);
    sessions_.serve(desk_);
}

// --- What only a registry has --------------------------------------------------------------------

Result<pb::Hello> RegistryServer::read_hello(Bytes opaque) {
    return wire::decode_as<pb::Hello>(opaque);
}

Buffer RegistryServer::write_welcome(const pb::Welcome& welcome) {
    Buffer body;
    (void)wire::encode(welcome, body);
    return body;
}

void RegistryServer::carry_out(registry::Effect& effect) {
    if (const auto* wanted = std::get_if<registry::WatchProcess>(&effect)) return watch(*wanted);
    if (const auto* wanted = std::get_if<registry::ChangeNodes>(&effect)) {
        return change_nodes(*wanted);
    }
    if (const auto* wanted = std::get_if<registry::ForgetProcess>(&effect)) {
        watches_.erase(wanted->agent);
    }
}

void RegistryServer::watch(const registry::WatchProcess& wanted) {
    const Incarnation agent = wanted.agent;
    auto watch = runtime_.host().watch(to_process_id(wanted.process), [this, agent] {
        const auto ended = watches_.extract(agent);
        driver_.tell([&](Tenure& tenure) {
            return tenure.process_gone(runtime_.now(), runtime_.host().wall_ms(), agent);
        });
    });
    if (watch != nullptr) {
        watches_[agent] = std::move(watch);
        return;
    }
    driver_.tell([agent](Tenure& tenure) {
        tenure.unprovable(agent);
        return registry::Effects{};
    });
}

void RegistryServer::change_nodes(const registry::ChangeNodes& wanted) {
    journal_->change(wanted.change,
                     driver_.guarded([this, token = wanted.token](const Result<void>& result) {
                         driver_.tell([&](Tenure& tenure) {
                             return tenure.nodes_changed(runtime_.now(), token, result);
                         });
                         look_at_journal();
                     }));
}

/// An answer that is too long for a message is replaced by a failure, so that the agent does not
/// wait for it.
void RegistryServer::too_long(const replica::Send& message) {
    if (message.type != MessageType::answer) return;
    const auto answer = wire::decode_as<pb::Answer>(message.body);
    US_ASSERT(answer);
    pb::Answer refusal;
    refusal.set_request(answer->request());
    *refusal.mutable_failure() = wire::to_failure(
        {.code = Errc::limit_exceeded, .detail = "the answer is longer than a message may be"});
    Buffer body;
    (void)sessions_.send(message.to, message.type, wire::encode(refusal, body));
}

void RegistryServer::before_message(MessageType type) {
    if (type == MessageType::ask) look_at_journal();
}

void RegistryServer::before_tick() {
    look_at_journal();
    journal_->tend();
}

void RegistryServer::after_commit(const Result<void>& result) {
    if (serving_) return;
    if (driver_.tenure()->serving()) return serve();
    if (!result && !options_.several) tell_opened(result.error());
}

/// Tells the tenure and the standby what they show of the journal.
void RegistryServer::look_at_journal() {
    if (options_.several && journal_->up_to_date()) standby_.set_heard(runtime_.now());
    standby_.set_nodes(journal_->nodes());
    const pb::JournalInfo info = journal_->info();
    standby_.set_journal(info);
    say_waiting(info.waiting());
    if (driver_.tenure() == nullptr) return;
    driver_.tell([&](Tenure& tenure) {
        const bool has_space = journal_->replica()->space() == replica::Space::ok;
        tenure.set_space(has_space ? "ok" : "reserve_only");
        tenure.set_journal(info);
        return tenure.set_nodes(journal_->nodes());
    });
}

/// Logs each reason once, and only if it lasts.
void RegistryServer::say_waiting(const std::string& waiting) {
    if (waiting != waiting_.what) {
        waiting_.what = waiting;
        waiting_.since = runtime_.now();
        return;
    }
    if (waiting.empty() || runtime_.now() < waiting_.since + waiting_patience) return;
    if (std::exchange(waiting_.said, waiting) == waiting) return;
    log_.warn("registry.no_active_node", {kv("waiting", waiting)});
}

/// While agents are not served here. A tenure has a timer of its own.
void RegistryServer::arm() {
    if (stopping_ || serving_ || timer_ != nullptr || !options_.several) return;
    const TimePoint now = runtime_.now();
    const TimePoint next =
        std::min(now + standby_turn, std::max(standby_.next_deadline(), now));
    timer_ = runtime_.at(next, [this] {
        timer_.reset();
        before_tick();
        desk_.tick();
        arm();
    });
}

void RegistryServer::journal_failed(const Error& error) {
    log_.error("registry.journal_failed", {kv("error", error)});
    stop();
    sessions_.clear();
    if (failed_) failed_(error);
}

void RegistryServer::stop() {
    stopping_ = true;
    serving_ = false;
    timer_.reset();
    sessions_.stop_listening();
    if (port_) port_->close_to_agents();
    watches_.clear();
    driver_.abandon();
}

void RegistryServer::close(std::function<void()> done) {
    failing_.reset();
    if (journal_ == nullptr) {
        stopping_ = true;
        return runtime_.post(std::move(done));
    }
    if (!options_.several) return close_journal(std::move(done));
    // While the role moves, agents are sent to the next active node.
    journal_->hand_on([this, done = std::move(done)]() mutable {
        if (stopping_) return done();
        if (driver_.tenure() != nullptr) end_tenure();
        close_journal(std::move(done));
    });
}

void RegistryServer::close_journal(std::function<void()> done) {
    stop();
    if (!options_.several) sessions_.clear();
    journal_->close([this, done = std::move(done)] {
        sessions_.clear();
        done();
    });
}

}  // namespace understudy::node
