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
    if (members_.contains(key) || journaled_.contains(key)) {
        return already_here(key);
    }
    return {};
}

std::unique_ptr<Member> Agent::make_member(MemberOptions options, MemberObserver& observer) {
    return std::make_unique<Member>(runtime_, log_, std::move(options), observer,
                                    Member::Host{.advertised = advertised(),
                                                 .directory = directory_,
                                                 .registry = static_cast<RegistryPort&>(*this)});
}

Result<Member*> Agent::create_member(MemberOptions options, MemberObserver& observer) {
    const Key key{options.family, options.member};
    US_CHECK(check_new(key, options.role.lease));
    if (hosted_.contains(key)) return already_here(key);
    follow(options.family);
    auto& member = members_[key];
    member = make_member(std::move(options), observer);
    member->registry_nodes(registry_.nodes());
    set_heartbeat();
    member->registry_up();
    return member.get();
}

void Agent::remove_member(Member& member, std::function<void()> done) {
    remove({member.family(), member.name()}, std::move(done));
}

Result<Member*> Agent::create_hosted_member(MemberOptions options, MemberObserver& observer) {
    const Key key{options.family, options.member};
    US_CHECK(check_new(key, options.role.lease));
    std::unique_ptr<Member>& member = hosted_[key];
    if (member != nullptr) return already_here(key);
    options.hosted = true;
    member = make_member(std::move(options), observer);
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
                                               static_cast<RegistryPort&>(*this));
    set_heartbeat();
    member->registry_up();
    return member.get();
}

void Agent::remove_journaled(JournaledMember& member, std::function<void()> done) {
    remove({member.family(), member.name()}, std::move(done));
}

void Agent::remove(const Key& key, std::function<void()> done) {
    if (const auto found = members_.find(key); found != members_.end()) {
        endpoint_->forget(*found->second);
        members_.erase(found);
    } else {
        const std::size_t erased = journaled_.erase(key);
        US_ASSERT(erased == 1);
    }
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
    for (const auto& [key, member] : members_) {
        interval = std::min(interval, member->role().options().lease / 6);
    }
    for (const auto& [key, member] : journaled_) {
        interval = std::min(interval, member->options().lease / 6);
    }
    registry_.set_heartbeat(interval);
}

std::optional<std::uint64_t> Agent::next_registration() {
    if (!registry_.up() || closing_) return std::nullopt;
    return ++request_last_;
}

Member* Agent::find_member(const std::string& family, const std::string& member) {
    if (!member.empty()) {
        for (const auto* all : {&members_, &hosted_}) {
            const auto found = all->find({family, member});
            if (found != all->end()) return found->second.get();
        }
        return nullptr;
    }
    Member* found = nullptr;
    for (const auto* all : {&members_, &hosted_}) {
        for (const auto& [key, each] : *all) {
            if (key.first != family) continue;
            if (found == nullptr || each->role().role() == Role::active) found = each.get();
        }
    }
    return found;
}

void Agent::close(Duration limit, std::function<void()> done) {
    US_ASSERT(!closing_);
    closing_ = true;
    closing_done_ = std::move(done);
    closing_left_ = 1;
    closing_timer_ = runtime_.at(runtime_.now() + limit, [this] { finish_close(); });
    std::vector<Key> keys;
    for (const auto& [key, member] : members_) keys.push_back(key);
    for (const auto& [key, member] : journaled_) keys.push_back(key);
    for (const Key& key : keys) {
        if (registry_.up()) {
            ++closing_left_;
            remove(key, [this] { closing_step(); });
        } else {
            remove(key, nullptr);
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
