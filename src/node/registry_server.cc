#include "node/registry_server.h"

#include <utility>

#include "journal/local_journal.h"
#include "wire/control.h"
#include "wire/registry_log.pb.h"

namespace understudy::node {

namespace pb = wire::pb;
using registry::SessionId;

namespace {

[[nodiscard]] ProcessId to_process_id(const pb::Process& process) {
    return {.boot = process.boot(),
            .pid_namespace = process.pid_namespace(),
            .pid = process.pid(),
            .start_ticks = process.start_ticks()};
}

constexpr std::uint64_t checkpoint_every_commands = 10'000;
constexpr std::size_t links_max = registry::Machine::sessions_max + 1000;

}  // namespace

RegistryServer::RegistryServer(Runtime& runtime, Log& log, Options options, Opened opened)
    : runtime_(runtime), log_(log), options_(std::move(options)), opened_(std::move(opened)) {
    options_.link.compressor = &compressor_;
    const journal::Open open = [this](journal::Observer& observer, journal::Opened done) {
        return journal::LocalJournal::open(runtime_, log_,
                                           {.directory = options_.directory,
                                            .segment_size_bytes = options_.segment_size_bytes},
                                           observer, std::move(done));
    };
    opening_ = replica::Replica::open(
        runtime_, log_, {.checkpoints = {.every_commands = checkpoint_every_commands}}, open, state_,
        [this](auto replica) { recovered(std::move(replica)); });
}

RegistryServer::~RegistryServer() = default;

void RegistryServer::recovered(Result<std::unique_ptr<replica::Replica>> replica) {
    if (!replica) return opened_(std::move(replica).error());
    replica_ = *std::move(replica);
    replica_->on_failed([this](const Error& error) { journal_failed(error); });
    if (options_.restore) return restore();
    begin();
}

void RegistryServer::restore() {
    pb::RegistryCommand command;
    if (!command.mutable_restore()->ParseFromArray(options_.restore->data(),
                                                   static_cast<int>(options_.restore->size()))) {
        return opened_(Error{.code = Errc::corrupt, .detail = "the backup does not parse"});
    }
    if (state_.founded()) {
        return opened_(Error{.code = Errc::already_exists,
                             .detail = options_.directory + " holds platform " + state_.platform() +
                                       "; restore wants a new directory"});
    }
    Buffer body;
    (void)wire::encode(command, body);
    replica_->propose(std::move(body), replica::Urgency::promotion,
                      [this](const Result<Index>& done) {
                          if (!done) return opened_(done.error());
                          begin();
                      });
}

void RegistryServer::begin() {
    machine_.emplace(options_.machine, state_, log_, runtime_.now());
    const std::uint64_t registry_id = runtime_.random().next() | 1;
    carry_out(machine_->start(runtime_.now(), runtime_.host().wall_ms(), registry_id));
    if (machine_->serving()) serve();
}

void RegistryServer::serve() {
    auto listener = runtime_.network().listen(
        options_.listen, options_.tls,
        [this](std::unique_ptr<Connection> connection) { accepted(std::move(connection)); });
    if (!listener) return opened_(std::move(listener).error());
    listener_ = *std::move(listener);
    log_.info("registry.serving",
              {kv("address", to_string(listener_->address())), kv("platform", state_.platform()),
               kv("revision", state_.revision().value), kv("services", state_.services().size())});
    arm();
    opened_({});
}

void RegistryServer::accepted(std::unique_ptr<Connection> connection) {
    if (rows_.size() >= links_max) return;
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
    const auto welcome = machine_->welcome(*hello);
    if (!welcome) return link.refuse(welcome.error());
    const SessionId id = id_of(link);
    rows_.at(id).greeted = true;
    Buffer body;
    link.welcome(wire::encode(*welcome, body));
    carry_out(machine_->opened(runtime_.now(), id, *hello));
}

void RegistryServer::link_welcome(client::Link&, Bytes) { US_ASSERT(false); }

void RegistryServer::link_message(client::Link& link, wire::MessageType type, Bytes body) {
    auto effects =
        machine_->received(runtime_.now(), runtime_.host().wall_ms(), id_of(link), type, body);
    if (!effects) return link.finish(effects.error());
    carry_out(*std::move(effects));
}

void RegistryServer::link_drained(client::Link&) {}

void RegistryServer::link_closed(client::Link& link, const Error& reason) {
    const auto found = ids_.find(&link);
    if (found == ids_.end()) return;
    const SessionId id = found->second;
    ids_.erase(found);
    const auto row = rows_.extract(id);
    if (reason.code == Errc::corrupt || reason.code == Errc::limit_exceeded) {
        log_.warn("registry.peer_refused",
                  {kv("peer", to_string(link.peer())), kv("error", reason)});
    }
    if (row.mapped().greeted && !stopping_) carry_out(machine_->closed(runtime_.now(), id));
}

void RegistryServer::carry_out(registry::Effects effects) {
    for (registry::Effect& effect : effects) carry_out(effect);
    arm();
}

void RegistryServer::carry_out(registry::Effect& effect) {
    if (auto* send = std::get_if<registry::Send>(&effect)) {
        const auto row = rows_.find(send->to);
        if (row == rows_.end()) return;
        // A peer that does not read cannot make us keep its messages: it comes back for an image.
        if (row->second.link->full()) {
            carry_out(registry::Effects{registry::Close{send->to}});
            return;
        }
        (void)row->second.link->send(send->type, send->body);
    } else if (const auto* close = std::get_if<registry::Close>(&effect)) {
        const auto row = rows_.find(close->session);
        if (row == rows_.end()) return;
        const bool greeted = row->second.greeted;
        ids_.erase(row->second.link.get());
        rows_.erase(row);
        if (greeted) carry_out(machine_->closed(runtime_.now(), close->session));
    } else if (auto* propose = std::get_if<registry::Propose>(&effect)) {
        machine_->set_space(replica_->space() == replica::Space::ok ? "ok" : "reserve_only");
        replica_->propose(
            std::move(propose->command),
            propose->urgent ? replica::Urgency::promotion : replica::Urgency::ordinary,
            [this, token = propose->token](const Result<Index>& result) {
                committed(token, result);
            });
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
    }
}

void RegistryServer::committed(std::uint64_t token, const Result<Index>& result) {
    if (stopping_) return;
    const bool was_serving = listener_ != nullptr;
    carry_out(machine_->committed(runtime_.now(), runtime_.host().wall_ms(), token, result));
    machine_->set_space(replica_->space() == replica::Space::ok ? "ok" : "reserve_only");
    if (was_serving) return;
    if (!result) return opened_(result.error());
    if (machine_->serving()) serve();
}

void RegistryServer::arm() {
    if (machine_ && listener_ != nullptr && !stopping_ && timer_ == nullptr) {
        const TimePoint now = runtime_.now();
        timer_ = runtime_.at(machine_->next_deadline(now), [this] {
            timer_.reset();
            tick();
        });
    }
}

void RegistryServer::tick() {
    machine_->set_space(replica_->space() == replica::Space::ok ? "ok" : "reserve_only");
    carry_out(machine_->tick(runtime_.now(), runtime_.host().wall_ms()));
}

void RegistryServer::journal_failed(const Error& error) {
    log_.error("registry.journal_failed", {kv("error", error)});
    stopping_ = true;
    timer_.reset();
    listener_.reset();
    ids_.clear();
    rows_.clear();
    watches_.clear();
    if (failed_) failed_(error);
}

void RegistryServer::close(std::function<void()> done) {
    stopping_ = true;
    timer_.reset();
    listener_.reset();
    watches_.clear();
    ids_.clear();
    rows_.clear();
    if (replica_ == nullptr) {
        opening_.reset();
        runtime_.post(std::move(done));
        return;
    }
    replica_->close(std::move(done));
}

}  // namespace understudy::node
