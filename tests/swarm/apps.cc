#include "tests/swarm/apps.h"

#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "raft/raft_core.h"

namespace understudy::swarm {

namespace {

constexpr std::int64_t marks = 4;

[[nodiscard]] client::AgentOptions options_of(const AgentPlan& plan) {
    client::AgentOptions options;
    options.name = plan.name;
    options.registry = {plan.registry};
    options.registry.insert(options.registry.end(), plan.further_nodes.begin(),
                            plan.further_nodes.end());
    options.listen = {plan.host, 0};
    if (plan.compress) options.compressions = {wire::Compression::zstd};
    return options;
}

}  // namespace

RegistryApp::RegistryApp(Runtime& runtime, Log& log, const std::string& host,
                         const std::string& directory,
                         const std::vector<registry::Node>& founders) {
    node::RegistryServer::Options options;
    options.listen = {host, registry_port};
    options.directory = directory;
    options.segment_size_bytes = 64 * KiB;
    if (!founders.empty()) {
        options.segment_size_bytes = 256 * KiB;
        options.tenure.name = host;
        options.tenure.platform = "swarm";
        options.several.emplace();
        options.several->founders = founders;
        options.several->address = {host, registry_port};
        options.several->make_core = raft::make_core;
    }
    server_ = std::make_unique<node::RegistryServer>(runtime, log, std::move(options),
                                                     [this](const Result<void>& opened) {
                                                         opened_ = static_cast<bool>(opened);
                                                         if (opened) return;
                                                         refusal_ = opened.error();
                                                         ended_ = true;
                                                     });
    server_->on_failed([this](const Error& error) {
        opened_ = false;
        refusal_ = error;
        ended_ = true;
    });
}

MemberApp::MemberApp(Runtime& runtime, Log& log, Oracle& oracle, AgentPlan plan)
    : runtime_(runtime), oracle_(oracle), plan_(std::move(plan)) {
    auto agent = client::Agent::open(runtime, log, options_of(plan_), *this);
    US_ASSERT(agent);
    agent_ = *std::move(agent);
    auto member = agent_->create_member({.family = family,
                                         .member = plan_.name,
                                         .role = {.redundancy = Redundancy::fault_tolerant,
                                                  .lease = plan_.lease,
                                                  .on_registry_loss = plan_.on_registry_loss}},
                                        *this);
    US_ASSERT(member);
    member_ = *member;
    member_->publish_rpc("run");
    auto record = member_->create(record_name, {});
    US_ASSERT(record);
    record_ = *record;
    publish();
}

MemberApp::~MemberApp() = default;

void MemberApp::publish() {
    ++count_;
    const std::string writer = fmt::format("writer:{}-{}", plan_.name, incarnation().value);
    US_ASSERT(draft_.put("n", count_));
    US_ASSERT(draft_.put("twice", 2 * count_));
    US_ASSERT(draft_.put(writer, count_));
    // Each change sets one of a few fields, so that a missed change shows later.
    US_ASSERT(draft_.put(fmt::format("mark{}", count_ % marks), count_));
    if (plan_.pad_bytes > 0) {
        std::string pad(plan_.pad_bytes, static_cast<char>('a' + count_ % 26));
        US_ASSERT(draft_.put("pad", std::move(pad)));
    }
    if (count_ % 7 == 0) US_ASSERT(draft_.put("sub", fmt::format("k{}", count_ % 5), count_));
    if (count_ % 11 == 0) (void)draft_.remove_submap("sub");
    if (const auto delta = draft_.commit()) US_ASSERT(member_->commit(*record_, *delta));
    publish_timer_ =
        runtime_.at(runtime_.now() + runtime_.random().between(2ms, 60ms), [this] { publish(); });
}

void MemberApp::role_changed(Role role, Epoch epoch) {
    oracle_.role_told(family, plan_.name, incarnation(), role, epoch);
}

/// A predecessor whose death was not noticed yet still holds the name; a supervisor tries again.
void MemberApp::refused(const Error& reason) {
    if (reason.code != Errc::already_exists && reason.code != Errc::no_space &&
        reason.code != Errc::limit_exceeded && reason.code != Errc::disk_failed &&
        reason.code != Errc::closed) {
        oracle_.broken(fmt::format("{} refused: {}", plan_.name, to_string(reason)));
    }
}

void MemberApp::call(client::CallToken token, std::string_view, Bytes arguments, TimePoint) {
    ByteReader reader(arguments);
    const auto id = reader.fixed<std::uint64_t>();
    US_ASSERT(id.has_value());
    const bool must_have_stopped =
        plan_.on_registry_loss == OnRegistryLoss::step_down && plan_.epochs_are_final;
    oracle_.executed(*id, member_->role().epoch(), must_have_stopped);
    Buffer reply(arguments.begin(), arguments.end());
    if (runtime_.random().chance(3, 4)) return member_->answer(token, Bytes(reply));
    answers_[token] = runtime_.at(runtime_.now() + runtime_.random().between(0ms, 50ms),
                                  [this, token, reply = std::move(reply)] {
                                      const auto timer = answers_.extract(token);
                                      member_->answer(token, Bytes(reply));
                                  });
}

ClientApp::ClientApp(Runtime& runtime, Log& log, Oracle& oracle, AgentPlan plan,
                     std::uint64_t& next_call)
    : runtime_(runtime), oracle_(oracle), plan_(std::move(plan)), next_call_(next_call) {
    auto agent = client::Agent::open(runtime, log, options_of(plan_), *this);
    US_ASSERT(agent);
    agent_ = *std::move(agent);
    auto proxy = agent_->open_proxy(family, {}, *this);
    US_ASSERT(proxy);
    proxy_ = *std::move(proxy);
    auto subscription = proxy_->subscribe(record_name);
    US_ASSERT(subscription);
    subscription_ = *subscription;
    call_later();
    if (plan_.switchover_every > Duration::zero()) switch_over_later();
}

void ClientApp::switch_over_later() {
    const Duration wait =
        runtime_.random().between(plan_.switchover_every / 2, 2 * plan_.switchover_every);
    switchover_timer_ = runtime_.at(runtime_.now() + wait, [this] {
        if (!*plan_.chaos) return;
        wire::pb::Ask ask;
        ask.mutable_switchover()->set_family(family);
        agent_->ask(std::move(ask), 10s, [](const Result<wire::pb::Answer>&) {});
        switch_over_later();
    });
}

ClientApp::~ClientApp() {
    agent_->release_proxy(*proxy_);
    proxy_.reset();
}

void ClientApp::call_later() {
    call_timer_ = runtime_.at(runtime_.now() + runtime_.random().between(1ms, 100ms), [this] {
        make_call();
        call_later();
    });
}

void ClientApp::make_call() {
    const std::uint64_t id = ++next_call_;
    Buffer arguments;
    ByteWriter(arguments).fixed(id);
    const Duration patience = runtime_.random().between(5ms, 3s);
    auto call = proxy_->call(
        {.name = "run", .arguments = std::move(arguments), .deadline = runtime_.now() + patience});
    if (!call) return oracle_.call_refused(id);
    calls_.emplace(*call, id);
}

void ClientApp::call_finished(CallId call, Result<Buffer> outcome) {
    const auto found = calls_.find(call);
    // A call may be over before call() has returned its number, but only a call without an answer.
    US_ASSERT(found != calls_.end());
    const std::uint64_t id = found->second;
    calls_.erase(found);
    if (outcome) {
        ++calls_done_;
        done_last_ = runtime_.now();
        return oracle_.call_done(id);
    }
    if (outcome.error().effect == Effect::none) return oracle_.call_refused(id);
    oracle_.call_unknown(id);
}

/// I5 and S5: revisions and epochs never decrease while the registry is the same.
void ClientApp::service_changed(const std::string& name) {
    const client::Directory& directory = agent_->directory();
    if (directory.registry_id() == registry_id_ && directory.revision() < revision_) {
        oracle_.broken(fmt::format("S5: {} saw revision {} after {}", plan_.name,
                                   directory.revision().value, revision_.value));
    }
    if (directory.registry_id() != registry_id_) {
        service_epoch_ = {};  // It may have to learn it again.
        line_.clear();
        order_max_ = 0;
    }
    registry_id_ = directory.registry_id();
    revision_ = directory.revision();
    const auto* service = directory.find(name);
    if (service == nullptr) return;
    const Epoch epoch{service->epoch()};
    if (epoch < service_epoch_) {
        oracle_.broken(fmt::format("I1: {} saw the service's epoch {} after {}", plan_.name,
                                   epoch.value, service_epoch_.value));
    }
    service_epoch_ = epoch;
    std::size_t active = 0;
    std::uint64_t order = 0;
    for (const auto& member : service->members()) {
        active += member.role() == static_cast<std::uint32_t>(Role::active) ? 1 : 0;
        if (member.order() <= order) oracle_.broken("I2: members out of joining order");
        order = member.order();
    }
    check_order(*service);
    if (active > 1) oracle_.broken(fmt::format("I1: {} sees {} active", plan_.name, active));
}

/// I2: a member that joins, or returns after its removal, comes after all members that ever joined.
void ClientApp::check_order(const wire::pb::ServiceInfo& service) {
    const std::uint64_t before = order_max_;
    std::map<std::uint64_t, std::uint64_t> line;
    for (const auto& member : service.members()) {
        line.emplace(member.incarnation(), member.order());
        order_max_ = std::max(order_max_, member.order());
        const auto known = line_.find(member.incarnation());
        if (!plan_.epochs_are_final || before == 0) continue;
        if (known == line_.end() ? member.order() <= before : member.order() < known->second) {
            oracle_.broken(fmt::format("I2: {} came back before others", member.member()));
        }
    }
    line_ = std::move(line);
}

void ClientApp::status_changed(const client::ProxyStatus& status) {
    if (status.connected != status_.connected || status.member != status_.member) {
        mirror_.disconnected();
        image_due_ = true;
    }
    status_ = status;
}

void ClientApp::record_event(const record::Event& event) {
    const bool is_image = event.type == wire::MessageType::image;
    // It is absent or was removed; this member does neither while it is active.
    if (!is_image && event.type != wire::MessageType::delta) return;
    const Epoch epoch = event.epoch;
    RecordChange change;
    const Result<record::Applied> applied = mirror_.apply(event, &change);
    if (!applied) return oracle_.broken("a record message does not decode");
    if (image_due_ && !is_image) {
        oracle_.broken(fmt::format("I4: {} got a delta before an image", plan_.name));
    }
    if (*applied == record::Applied::gap) {
        // Links keep the order and publishers coalesce into images, so nothing can be missing.
        oracle_.broken(fmt::format("I5: {} met a gap in epoch {}", plan_.name, epoch.value));
        return proxy_->resync(subscription_);
    }
    if (*applied == record::Applied::stale_epoch) {
        return oracle_.broken(fmt::format("I1: {} was sent a stale epoch", plan_.name));
    }
    const Epoch heard = agent_->directory().epoch(family);
    if (epoch < heard) {
        oracle_.broken(fmt::format("I1: {} took a change of epoch {} though it had heard of {}",
                                   plan_.name, epoch.value, heard.value));
    }
    image_due_ = false;
    oracle_.applied(plan_.name, agent_->incarnation(), epoch, is_image ? "an image" : "a delta");
    check_state(change);
}

/// Whatever a client sees is the state of one member at one moment.
void ClientApp::check_state(const RecordChange&) {
    const RecordImage& image = mirror_.image();
    std::size_t writers = 0;
    const auto count = image.integer("n");
    for (const auto& [name, value] : image.fields) {
        if (!name.starts_with("writer:")) continue;
        ++writers;
        if (value.to_integer() != count) {
            oracle_.broken(fmt::format("I4: {} sees a field of two moments", plan_.name));
        }
    }
    if (writers > 1) {
        oracle_.broken(fmt::format("I4: {} sees fields of {} writers", plan_.name, writers));
    }
    for (std::int64_t i = 0; count && i < marks && i < *count; ++i) {
        const std::int64_t last = *count - i;
        if (image.integer(fmt::format("mark{}", last % marks)) != last) {
            oracle_.broken(fmt::format("I5: {} missed change {}", plan_.name, last));
        }
    }
    if (count && image.integer("twice") != 2 * *count) {
        oracle_.broken(fmt::format("I4: {} sees half a change", plan_.name));
    }
}

}  // namespace understudy::swarm
