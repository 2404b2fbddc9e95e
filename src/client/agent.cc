#include "client/agent.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "understudy/limits.h"
#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;
using wire::MessageType;

namespace {

[[nodiscard]] pb::Process to_process(const ProcessId& id) {
    pb::Process process;
    process.set_boot(id.boot);
    process.set_pid_namespace(id.pid_namespace);
    process.set_pid(id.pid);
    process.set_start_ticks(id.start_ticks);
    return process;
}

[[nodiscard]] Error already_here(const std::pair<std::string, std::string>& key) {
    return {.code = Errc::already_exists,
            .detail = fmt::format("this agent has {}/{}", key.first, key.second)};
}

}  // namespace

Agent::Agent(Runtime& runtime, Log& log, AgentOptions options, AgentObserver& observer,
             Incarnation incarnation)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      incarnation_(incarnation),
      registry_(runtime, log,
                {.addresses = options_.registry,
                 .tls = options_.tls,
                 .link = {.compressions = options_.compressions, .compressor = &compressor_},
                 .heartbeat = options_.heartbeat},
                hello(), *this) {}

Agent::~Agent() { US_ASSERT(proxies_.empty()); }

Result<std::unique_ptr<Agent>> Agent::open(Runtime& runtime, Log& log, AgentOptions options,
                                           AgentObserver& observer) {
    US_CHECK(check_identifier("agent", options.name));
    if (options.registry.empty()) {
        return Error{.code = Errc::bad_config, .detail = "no registry address"};
    }
    const Incarnation incarnation{runtime.random().next() | 1};
    std::unique_ptr<Agent> agent(
        new Agent(runtime, log, std::move(options), observer, incarnation));
    agent->endpoint_ = US_TRY(Endpoint::open(
        runtime, log,
        {.listen = agent->options_.listen,
         .tls = agent->options_.tls,
         .link = {.compressions = agent->options_.compressions, .compressor = &agent->compressor_},
         .platform = agent->options_.platform,
         .agent = agent->options_.name,
         .incarnation = incarnation},
        *agent));
    agent->registry_.start();
    return agent;
}

pb::Hello Agent::hello() const {
    pb::Hello hello;
    hello.set_platform(options_.platform);
    hello.set_agent(options_.name);
    hello.set_incarnation(incarnation_.value);
    *hello.mutable_process() = to_process(runtime_.host().self());
    return hello;
}

Address Agent::advertised() const {
    return {options_.advertise.empty() ? endpoint_->address().host : options_.advertise,
            endpoint_->address().port};
}

Result<void> Agent::check_new(const Key& key, Duration lease) const {
    US_CHECK(check_service_name(key.first));
    US_CHECK(check_member_name(key.second));
    if (lease < 100ms || lease > 60s) {
        return Error{.code = Errc::bad_config, .detail = "lease: expected 100 ms to 60 s"};
    }
    if (closing_) return Error{.code = Errc::closed, .detail = "the agent is closing"};
    if (locals_.contains(key) || journaled_.contains(key)) {
        return already_here(key);
    }
    return {};
}

Result<Member*> Agent::create_member(MemberOptions options, MemberObserver& observer) {
    const Key key{options.family, options.member};
    US_CHECK(check_new(key, options.role.lease));
    if (hosted_.contains(key)) return already_here(key);
    follow(options.family);
    Local& local = locals_[key];
    local.member = std::make_unique<Member>(runtime_, log_, std::move(options), observer,
                                            static_cast<Member::Host&>(*this));
    local.member->registry_nodes(registry_.nodes());
    set_heartbeat();
    register_member(local);
    return local.member.get();
}

void Agent::register_member(Local& local) {
    local.retry.reset();
    if (!registry_.up() || closing_) return;
    const Member& member = *local.member;
    pb::Register wanted;
    local.request = ++request_last_;
    local.sent = runtime_.now();
    wanted.set_request(local.request);
    pb::ServiceConfig& config = *wanted.mutable_config();
    config.set_family(member.family());
    config.set_redundancy(static_cast<std::uint32_t>(member.role().options().redundancy));
    config.set_lease_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(member.role().options().lease)
            .count()));
    config.set_on_registry_loss(
        static_cast<std::uint32_t>(member.role().options().on_registry_loss));
    wanted.set_member(member.name());
    *wanted.mutable_endpoint() = wire::to_endpoint(advertised());
    wanted.set_known_registry(local.registry_id);
    wanted.set_known_order(member.order());
    const bool load_balanced = member.role().options().redundancy == Redundancy::load_balanced;
    const Epoch heard =
        load_balanced ? member.role().epoch()
                      : std::max(member.role().epoch_heard(), directory_.epoch(member.family()));
    wanted.set_known_epoch(heard.value);
    wanted.set_holds_role(member.role().role() == Role::active && member.role().epoch() == heard);
    wanted.set_known_active(member.known_active());
    (void)registry_.send(MessageType::register_member, wanted);
}

void Agent::remove_member(Member& member, std::function<void()> done) {
    const Key key{member.family(), member.name()};
    const auto found = locals_.find(key);
    US_ASSERT(found != locals_.end());
    US_ASSERT(found->second.member.get() == &member);
    endpoint_->forget(member);
    locals_.erase(found);
    unregister(key, std::move(done));
}

Result<Member*> Agent::create_hosted_member(MemberOptions options, MemberObserver& observer) {
    const Key key{options.family, options.member};
    US_CHECK(check_new(key, options.role.lease));
    std::unique_ptr<Member>& member = hosted_[key];
    if (member != nullptr) return already_here(key);
    member = std::make_unique<Member>(runtime_, log_, std::move(options), observer,
                                      static_cast<Member::Host&>(*this));
    return member.get();
}

void Agent::remove_hosted_member(Member& member) {
    endpoint_->forget(member);
    hosted_.erase({member.family(), member.name()});
}

Result<JournaledMember*> Agent::create_journaled(JournaledOptions options,
                                                 JournaledObserver& observer) {
    const Key key{options.family, options.member};
    US_CHECK(check_new(key, options.lease));
    if (options.endpoint.host.empty() || options.endpoint.port == 0) {
        return Error{.code = Errc::bad_config, .detail = "endpoint: host and port wanted"};
    }
    follow(options.family);
    auto& member = journaled_[key];
    member = std::make_unique<JournaledMember>(runtime_, log_, std::move(options), observer,
                                               static_cast<JournaledMember::Host&>(*this));
    set_heartbeat();
    member->registry_up();
    return member.get();
}

void Agent::remove_journaled(JournaledMember& member, std::function<void()> done) {
    const Key key{member.family(), member.name()};
    const auto found = journaled_.find(key);
    US_ASSERT(found != journaled_.end());
    US_ASSERT(found->second.get() == &member);
    journaled_.erase(found);
    unregister(key, std::move(done));
}

void Agent::unregister(const Key& key, std::function<void()> done) {
    if (!closing_) set_heartbeat();
    if (registry_.up()) {
        const std::uint64_t request = ++request_last_;
        pb::Unregister wanted;
        wanted.set_request(request);
        wanted.set_family(key.first);
        wanted.set_member(key.second);
        Question question{.type = MessageType::unregister_member,
                          .body = {},
                          .repeatable = true,
                          .answered = [done = std::move(done)](const Result<pb::Answer>&) {
                              if (done) done();
                          }};
        (void)wire::encode(wanted, question.body);
        put(request, std::move(question), options_.ask_timeout);
    } else if (done) {
        runtime_.post(std::move(done));
    }
    unfollow(key.first);
}

Result<std::unique_ptr<Proxy>> Agent::open_proxy(const std::string& family,
                                                 const std::string& member,
                                                 ProxyObserver& observer) {
    US_CHECK(check_service_name(family));
    if (!member.empty()) US_CHECK(check_member_name(member));
    auto proxy = std::make_unique<Proxy>(
        runtime_, log_,
        Proxy::Options{.family = family,
                       .member = member,
                       .tls = options_.tls,
                       .link = {.compressions = options_.compressions, .compressor = &compressor_},
                       .hello = hello()},
        directory_, observer);
    proxies_.insert(proxy.get());
    follow(family);
    proxy->directory_changed(registry_.up());
    return proxy;
}

void Agent::release_proxy(Proxy& proxy) {
    proxy.close();
    proxies_.erase(&proxy);
    unfollow(proxy.family());
}

void Agent::follow(const std::string& family) {
    auto& [id, users] = followed_[family];
    if (users++ > 0) return;
    id = directory_.add(family);
    watch(id);
}

void Agent::unfollow(const std::string& family) {
    const auto found = followed_.find(family);
    US_ASSERT(found != followed_.end());
    if (--found->second.second > 0) return;
    pb::Unwatch unwatch;
    unwatch.set_watch(found->second.first);
    (void)registry_.send(MessageType::unwatch, unwatch);
    directory_.remove(found->second.first);
    followed_.erase(found);
}

void Agent::set_heartbeat() {
    Duration interval = options_.heartbeat;
    for (const auto& [key, local] : locals_) {
        interval = std::min(interval, local.member->role().options().lease / 6);
    }
    for (const auto& [key, member] : journaled_) {
        interval = std::min(interval, member->options().lease / 6);
    }
    registry_.set_heartbeat(interval);
}

Agent::Local* Agent::find(const std::string& family, const std::string& member) {
    const auto found = locals_.find({family, member});
    return found == locals_.end() ? nullptr : &found->second;
}

JournaledMember* Agent::find_journaled(const std::string& family, const std::string& member) {
    const auto found = journaled_.find({family, member});
    return found == journaled_.end() ? nullptr : found->second.get();
}

std::optional<std::uint64_t> Agent::next_registration() {
    if (!registry_.up() || closing_) return std::nullopt;
    return ++request_last_;
}

Member* Agent::find_member(const std::string& family, const std::string& member) {
    if (!member.empty()) {
        if (Local* local = find(family, member)) return local->member.get();
        const auto hosted = hosted_.find({family, member});
        return hosted == hosted_.end() ? nullptr : hosted->second.get();
    }
    Member* found = nullptr;
    const auto look_at = [&](const Key& key, Member& each) {
        if (key.first != family) return;
        if (found == nullptr || each.role().role() == Role::active) found = &each;
    };
    for (auto& [key, local] : locals_) look_at(key, *local.member);
    for (auto& [key, hosted] : hosted_) look_at(key, *hosted);
    return found;
}

void Agent::member_drained(Member& member) {
    pb::Drained drained;
    drained.set_family(member.family());
    drained.set_member(member.name());
    drained.set_epoch(member.role().epoch().value);
    (void)registry_.send(MessageType::drained, drained);
}

pb::ActiveHint Agent::active_hint(const std::string& family) {
    pb::ActiveHint hint;
    const pb::ServiceInfo* service = directory_.find(family);
    if (service == nullptr) return hint;
    hint.set_epoch(service->epoch());
    const pb::MemberInfo* active = directory_.active(family);
    // A journal is heard of sooner than the registry's word, and without it.
    for (const auto& [key, hosted] : hosted_) {
        if (key.first != family || hosted->known_active().empty()) continue;
        if (hosted->role().epoch_heard() <= Epoch{service->epoch()} && active != nullptr) continue;
        for (const pb::MemberInfo& each : service->members()) {
            if (each.member() == hosted->known_active()) active = &each;
        }
        hint.set_epoch(hosted->role().epoch_heard().value);
    }
    if (active != nullptr) {
        hint.set_member(active->member());
        *hint.mutable_endpoint() = active->endpoint();
    }
    return hint;
}

/// A client knows a higher epoch than ours. Another registry granted it, or ours has lost it.
void Agent::member_heard_epoch(Member& member, Epoch epoch) {
    if (epoch.value >= std::uint64_t{1} << 62) return;  // Invalid: no epoch is that high.
    if (member.role().options().redundancy == Redundancy::load_balanced) return;
    Local* local = find(member.family(), member.name());
    if (local == nullptr) return;  // A journal decides its role.
    if (!directory_.heard_epoch(member.family(), epoch)) return;
    log_.warn("member.higher_epoch",
              {kv("service", member.family()), kv("member", member.name()), kv("epoch", epoch)});
    member.heard_epoch(epoch);
    register_member(*local);
}

void Agent::close(Duration limit, std::function<void()> done) {
    US_ASSERT(!closing_);
    closing_ = true;
    closing_done_ = std::move(done);
    closing_left_ = 1;
    closing_timer_ = runtime_.at(runtime_.now() + limit, [this] { finish_close(); });
    std::vector<Member*> members;
    for (auto& [key, local] : locals_) members.push_back(local.member.get());
    for (Member* member : members) {
        if (registry_.up()) {
            ++closing_left_;
            remove_member(*member, [this] { closing_step(); });
        } else {
            remove_member(*member, nullptr);
        }
    }
    std::vector<JournaledMember*> journaled;
    for (auto& [key, member] : journaled_) journaled.push_back(member.get());
    for (JournaledMember* member : journaled) {
        if (registry_.up()) {
            ++closing_left_;
            remove_journaled(*member, [this] { closing_step(); });
        } else {
            remove_journaled(*member, nullptr);
        }
    }
    closing_first_ = runtime_.at(runtime_.now(), [this] { closing_step(); });
}

void Agent::closing_step() {
    US_ASSERT(closing_left_ > 0);
    if (--closing_left_ == 0) finish_close();
}

void Agent::finish_close() {
    if (!closing_done_) return;
    const auto done = std::exchange(closing_done_, nullptr);
    closing_timer_.reset();
    closing_first_.reset();
    registry_.stop();
    if (reader_ != nullptr) reader_->stop();
    endpoint_->close();
    done();
}

}  // namespace understudy::client
