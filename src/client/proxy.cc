#include "client/proxy.h"

#include <utility>

#include <fmt/format.h>

#include "base/plant.h"
#include "understudy/limits.h"
#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;
using wire::MessageType;

namespace {
/// How long answers of a member that gave up its role are awaited.
constexpr Duration leave_limit = 100ms;

[[nodiscard]] std::string place(const Target& target) {
    return target.member.empty()
               ? to_string(target.endpoint)
               : fmt::format("{} at {}", target.member, to_string(target.endpoint));
}
}  // namespace

Proxy::Proxy(Runtime& runtime, Log& log, Options options, Directory& directory,
             ProxyObserver& observer)
    : runtime_(runtime),
      log_(log),
      refusals_(runtime, log),
      options_(std::move(options)),
      directory_(directory),
      heard_(directory.epoch_place(options_.family)),
      observer_(observer),
      backoff_(options_.retry_min, options_.retry_max) {}

/// Each member of a load-balanced service has its own epoch: they cannot be compared.
bool Proxy::fenced() const {
    const pb::ServiceInfo* service = directory_.find(family());
    return service == nullptr ||
           service->config().redundancy() != static_cast<std::uint32_t>(Redundancy::load_balanced);
}

Epoch Proxy::floor() const { return fenced() ? directory_.epoch(family()) : Epoch{}; }

void Proxy::directory_changed(bool registry_up) {
    registry_up_ = registry_up;
    if (closed_) return;
    if (registry_up) hint_.reset();
    if (link_ != nullptr && status_.connected) {
        if (!still_there()) {
            if (may_still_answer()) return leave();
            drop({.code = Errc::unavailable, .detail = status_.member + " is no longer the one"});
        }
    }
    evaluate();
}

/// A member that has given up its role answers or refuses every call that was sent to it. The
/// notices of the registry and of the member may come before those answers.
bool Proxy::may_still_answer() const {
    if (!fenced() || !in_flight()) return false;
    const pb::ServiceInfo* service = directory_.find(family());
    const pb::MemberInfo* info =
        service == nullptr ? nullptr : find_member(*service, status_.member);
    return info != nullptr && Incarnation{info->incarnation()} == incarnation_;
}

bool Proxy::in_flight() const { return calls_.outstanding() > calls_.waiting(); }

void Proxy::leave() {
    if (leaving_ != nullptr) return;
    calls_.pause();
    leaving_ = runtime_.at(runtime_.now() + leave_limit, [this] {
        drop({.code = Errc::unavailable, .detail = status_.member + " is no longer the one"});
        evaluate();
    });
}

/// Whether the connected member is still the right one, as far as this client knows.
bool Proxy::still_there() const {
    if (fenced() && options_.member.empty() && status_.epoch < floor() &&
        !planted(Plant::proxy_ignores_epoch)) {
        return false;
    }
    const pb::ServiceInfo* service = directory_.find(family());
    if (service == nullptr || !registry_up_) return true;
    const pb::MemberInfo* info = find_member(*service, status_.member);
    if (info == nullptr) return fenced() && options_.member.empty();  // The epoch decides there.
    return Incarnation{info->incarnation()} == incarnation_;
}

void Proxy::evaluate() {
    if (closed_ || (link_ != nullptr && status_.connected)) return;
    const auto target = choose_target({.service = directory_.find(family()),
                                       .member = options_.member,
                                       .turn = directory_.turn(family()),
                                       .failures = failures_,
                                       .registry_up = registry_up_,
                                       .hint = hint_});
    if (!target) {
        // There is no member to try. An attempt that is under way goes on: perhaps only the
        // registry cannot be reached.
        return;
    }
    const bool busy = attempt_ != nullptr || link_ != nullptr;
    if (busy && target_ == target) return;
    if (!busy && retry_ != nullptr && target_ == target) return;  // The next attempt is scheduled.
    connect(*target);
}

void Proxy::connect(const Target& target) {
    retry_.reset();
    link_.reset();
    target_ = target;
    attempt_ = runtime_.network().connect(
        target.endpoint, options_.tls, options_.connect_timeout,
        [this](Result<std::unique_ptr<Connection>> connected) {
            attempt_.reset();
            if (!connected) return retry_later(connected.error());
            link_ = std::make_unique<Link>(runtime_, *std::move(connected), wire::Side::connecting,
                                           options_.link, static_cast<Link::Observer&>(*this));
            pb::Hello hello = options_.hello;
            hello.set_family(family());
            hello.set_member(options_.member);
            hello.set_epoch(floor().value);
            Buffer body;
            link_->hello(wire::encode(hello, body));
        });
}

std::string Proxy::trouble() const {
    if (status_.connected) return {};
    if (!last_trouble_.empty()) return last_trouble_;
    if (target_) return place(*target_) + " has not answered yet";
    const pb::ServiceInfo* service = directory_.find(family());
    if (service == nullptr) {
        return registry_up_ ? "the registry knows no service " + family()
                            : "the registry is away, and nobody said who is active";
    }
    return service->active().empty() ? "no member is active"
                                     : service->active() + " is active and not connected yet";
}

void Proxy::note_trouble(const Target& target, const Error& reason) {
    last_trouble_ = fmt::format("{}: {}", place(target),
                                reason.detail.empty() ? name(reason.code) : reason.detail);
    if (link::blames_peer(reason)) {
        refusals_.heard("proxy.member_refused", kv("member", place(target)), reason);
    }
}

void Proxy::retry_later(const Error& reason) {
    if (closed_) return;
    if (target_) note_trouble(*target_, reason);
    ++failures_;
    hint_.reset();
    retry_ = runtime_.at(runtime_.now() + backoff_.wait(runtime_.random()), [this] {
        retry_.reset();
        target_.reset();
        evaluate();
    });
}

/// Ends the connection. Calls that were sent and not answered have an unknown outcome.
void Proxy::drop(const Error& reason) {
    leaving_.reset();
    link_.reset();
    attempt_.reset();
    target_.reset();
    if (status_.connected) {
        log_.debug("proxy.disconnected",
                   {kv("service", family()), kv("member", status_.member), kv("reason", reason)});
        ProxyStatus status = status_;
        status.connected = false;
        set_status(std::move(status));
    }
    record::CallEffects effects;
    calls_.lost(runtime_.now(), effects);
    carry_out(effects);
}

void Proxy::set_status(ProxyStatus status) {
    if (status == status_) return;
    status_ = std::move(status);
    observer_.status_changed(status_);
}

void Proxy::link_hello(Link&, Bytes) { US_ASSERT(false); }

void Proxy::link_welcome(Link& link, Bytes opaque) {
    const auto welcome = wire::decode_as<pb::Welcome>(opaque);
    if (!welcome) return link.finish(welcome.error());
    greet(*welcome);
}

void Proxy::greet(const pb::Welcome& welcome) {
    const Epoch epoch{welcome.epoch()};
    const auto role = static_cast<Role>(welcome.role());
    if (options_.member.empty() && fenced()) {
        if (role != Role::active) {
            const auto before = hint_;
            take_hint(welcome.active());
            link_.reset();
            const auto asked = std::exchange(target_, std::nullopt);
            if (hint_ && hint_ != before && failures_ < 3) {
                ++failures_;
                return evaluate();
            }
            if (asked) last_trouble_ = place(*asked) + " is not active";
            return retry_later({.code = Errc::not_active});
        }
        if (epoch < floor()) {  // Its tenure is over, and it does not know that yet.
            link_.reset();
            if (const auto asked = std::exchange(target_, std::nullopt)) {
                last_trouble_ = place(*asked) + " does not know yet that it is no longer active";
            }
            return retry_later({.code = Errc::stale_epoch});
        }
        (void)directory_.heard_epoch(family(), epoch);
    }
    failures_ = 0;
    last_trouble_.clear();
    hint_.reset();
    backoff_.succeeded();
    incarnation_ = Incarnation{welcome.incarnation()};
    set_status({.connected = true,
                .member = welcome.member(),
                .epoch = epoch,
                .role = role,
                .epochs_comparable = fenced()});
    become_ready();
}

void Proxy::take_hint(const pb::ActiveHint& hint) {
    hint_.reset();
    if (hint.epoch() == 0) return;
    if (Epoch{hint.epoch()} < floor()) return;
    (void)directory_.heard_epoch(family(), Epoch{hint.epoch()});
    if (hint.member().empty() || hint.endpoint().port() == 0) return;
    hint_ = Target{hint.member(), wire::from_endpoint(hint.endpoint())};
}

void Proxy::become_ready() {
    for (const auto& [id, subscription] : subscriptions_) {
        send_subscribe(id, subscription.record, subscription.token);
    }
    if (names_wanted_) ask_for_names();
    if (status_.role != Role::active) return;
    record::CallEffects effects;
    calls_.ready(status_.epoch, runtime_.now(), effects);
    carry_out(effects);
}

void Proxy::role_notice(const pb::RoleNotice& notice) {
    const auto role = static_cast<Role>(notice.role());
    const Epoch epoch{notice.epoch()};
    if (notice.draining()) return calls_.pause();  // Until this member or its successor is ready.
    if (role == Role::active) {
        if (epoch < floor()) return;
        leaving_.reset();
        if (fenced()) (void)directory_.heard_epoch(family(), epoch);
        ProxyStatus status = status_;
        status.epoch = epoch;
        status.role = role;
        set_status(std::move(status));
        record::CallEffects effects;
        calls_.ready(epoch, runtime_.now(), effects);
        return carry_out(effects);
    }
    if (!options_.member.empty()) {
        ProxyStatus status = status_;
        status.role = role;
        status.epoch = epoch;
        return set_status(std::move(status));
    }
    take_hint(notice.active());
    if (in_flight()) return leave();  // It answers or refuses the calls that were sent to it.
    drop({.code = Errc::not_active, .detail = status_.member + " stepped down"});
    evaluate();
}

void Proxy::link_message(Link& link, MessageType type, Bytes body) {
    switch (type) {
        case MessageType::role_notice: {
            const auto notice = wire::decode_as<pb::RoleNotice>(body);
            if (!notice) return link.finish(notice.error());
            return role_notice(*notice);
        }
        case MessageType::rpc_reply: {
            const auto reply = record::decode_rpc_reply(body);
            if (!reply) return link.finish(reply.error());
            record::CallEffects effects;
            calls_.reply(*reply, runtime_.now(), effects);
            carry_out(effects);
            if (leaving_ != nullptr && !in_flight()) {
                drop({.code = Errc::not_active, .detail = status_.member + " stepped down"});
                evaluate();
            }
            return;
        }
        case MessageType::notices:
        case MessageType::rpc_names: {
            const auto names = record::decode_names(body);
            if (!names) return link.finish(names.error());
            return type == MessageType::notices ? observer_.records_named(*names)
                                                : observer_.rpcs_named(*names);
        }
        case MessageType::image:
        case MessageType::delta:
        case MessageType::absent:
        case MessageType::removed:
        case MessageType::subscribe_refused:
            return record_message(type, body);
        default:
            link.finish(
                {.code = Errc::corrupt,
                 .detail = fmt::format("message type {} to a proxy", static_cast<unsigned>(type))});
    }
}

bool Proxy::stale(Epoch epoch) {
    if (epoch >= heard_) return false;  // The usual case: it is not below the floor.
    if (epoch >= floor() || planted(Plant::proxy_ignores_epoch)) return false;
    if (leaving_ != nullptr) return true;
    drop({.code = Errc::stale_epoch, .detail = status_.member + " published under an old epoch"});
    retry_later({.code = Errc::stale_epoch});
    return true;
}

void Proxy::record_message(MessageType type, Bytes body) {
    const auto event = record::decode_event(type, body);
    if (!event) return link_->finish(event.error());
    if (type != MessageType::subscribe_refused && stale(event->epoch)) return;
    if (!subscriptions_.contains(event->subscription)) return;  // It was unsubscribed.
    observer_.record_event(*event);
}

void Proxy::link_drained(Link&) {}

void Proxy::link_closed(Link&, const Error& reason) {
    const bool was_connected = status_.connected;
    const auto target = target_;
    drop(reason);
    if (was_connected && failures_ == 0) {
        // The member may have ended: the registry will tell. Until then, try it again.
        ++failures_;
        return evaluate();
    }
    if (target) note_trouble(*target, reason);
    retry_later(reason);
}

Result<SubscriptionId> Proxy::subscribe(std::string record, std::string token) {
    US_CHECK(check_record_name(record));
    if (subscriptions_.size() >= subscriptions_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} subscriptions of one proxy", subscriptions_max)};
    }
    const SubscriptionId id{++subscription_last_};
    const auto& row =
        subscriptions_.emplace(id, Subscription{std::move(record), std::move(token)}).first->second;
    if (status_.connected) send_subscribe(id, row.record, row.token);
    return id;
}

void Proxy::send_subscribe(SubscriptionId id, const std::string& record, const std::string& token) {
    record::encode(record::Subscribe{.subscription = id, .record = record, .token = token},
                   scratch_);
    (void)link_->send(MessageType::subscribe, scratch_);
}

void Proxy::unsubscribe(SubscriptionId subscription) {
    if (subscriptions_.erase(subscription) == 0 || !status_.connected) return;
    record::encode(record::Unsubscribe{subscription}, scratch_);
    (void)link_->send(MessageType::unsubscribe, scratch_);
}

void Proxy::resync(SubscriptionId subscription) {
    if (!subscriptions_.contains(subscription) || !status_.connected) return;
    record::encode(record::Resync{subscription}, scratch_);
    (void)link_->send(MessageType::resync, scratch_);
}

void Proxy::want_names() {
    if (std::exchange(names_wanted_, true) || !status_.connected) return;
    ask_for_names();
}

void Proxy::ask_for_names() {
    (void)link_->send(MessageType::notices_wanted, Bytes{});
    (void)link_->send(MessageType::rpc_names_wanted, Bytes{});
}

Result<CallId> Proxy::call(record::CallTable::Call call) {
    record::CallEffects effects;
    const CallId id = US_TRY(calls_.begin(std::move(call), runtime_.now(), effects));
    carry_out(effects);
    return id;
}

void Proxy::cancel(CallId call) {
    calls_.cancel(call);
    arm_calls();
}

void Proxy::carry_out(record::CallEffects& effects) {
    for (auto& effect : effects) {
        if (const auto* send = std::get_if<record::SendCall>(&effect)) {
            if (link_ == nullptr) continue;
            record::RpcRequest request = calls_.request(send->call, runtime_.now());
            if (!fenced()) request.epoch = Epoch{};
            record::encode_head(request, scratch_);
            const Bytes parts[] = {scratch_, request.arguments};
            if (!link_->send(MessageType::rpc_request, parts)) {
                // It was not sent: the caller is told so, in the order of the effects.
                const record::RpcReply refusal{
                    .call = send->call,
                    .outcome = Error{.code = Errc::limit_exceeded,
                                     .detail = "too much is waiting for this link"}};
                record::CallEffects more;
                calls_.reply(refusal, runtime_.now(), more);
                for (auto& next : more) {
                    if (auto* finish = std::get_if<record::FinishCall>(&next)) {
                        observer_.call_finished(finish->call, std::move(finish->outcome));
                    }
                }
            }
        } else {
            auto& finish = std::get<record::FinishCall>(effect);
            if (!finish.outcome && finish.outcome.error().code == Errc::timed_out) {
                if (const std::string why = trouble(); !why.empty()) {
                    Error error = finish.outcome.error();
                    error.detail += ": " + why;
                    finish.outcome = std::move(error);
                }
            }
            observer_.call_finished(finish.call, std::move(finish.outcome));
        }
    }
    arm_calls();
}

void Proxy::arm_calls() {
    const auto next = calls_.next_deadline();
    if (!next) {
        call_timer_.reset();
        call_timer_at_.reset();
        return;
    }
    // A timer that goes off too early arms the next one: that costs less than a timer for each
    // call.
    if (call_timer_at_ && *call_timer_at_ <= *next) return;
    call_timer_at_ = *next;
    call_timer_ = runtime_.at(*next, [this] {
        call_timer_at_.reset();
        record::CallEffects effects;
        calls_.expire(runtime_.now(), effects);
        carry_out(effects);
    });
}

void Proxy::close() {
    closed_ = true;
    retry_.reset();
    attempt_.reset();
    record::CallEffects effects;
    calls_.close(effects);
    carry_out(effects);
    if (link_ != nullptr) link_->finish({.code = Errc::closed, .detail = "proxy closed"});
}

}  // namespace understudy::client
