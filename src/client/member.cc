#include "client/member.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "understudy/limits.h"
#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;
using wire::MessageType;

Member::Member(Runtime& runtime, Log& log, MemberOptions options, MemberObserver& observer,
               Host host)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      host_(std::move(host)),
      enrolment_(runtime, log,
                 {.family = options_.family,
                  .member = options_.member,
                  .refused_event = "member.refused"},
                 static_cast<Enrolment::Applicant&>(*this), host_.registry),
      role_(options_.role),
      publisher_(*this) {}

Member::~Member() = default;

bool Member::acting() {
    update_acting(role_.may_act(runtime_.now()));
    return acting_;
}

Result<record::RecordId> Member::create(std::string_view name, Bytes image) {
    (void)acting();
    return publisher_.create(name, image);
}

Result<void> Member::commit(record::RecordId record, Bytes delta) {
    (void)acting();
    return publisher_.commit(record, delta);
}

Result<void> Member::remove(record::RecordId record) {
    (void)acting();
    return publisher_.remove(record);
}

void Member::publish_rpc(std::string name) {
    if (!rpcs_.insert(std::move(name)).second) return;
    for (auto& [id, client] : links_) {
        if (client.wants_names) send_rpc_names(client);
    }
}

void Member::unpublish_rpc(const std::string& name) {
    if (rpcs_.erase(name) == 0) return;
    for (auto& [id, client] : links_) {
        if (client.wants_names) send_rpc_names(client);
    }
}

void Member::answer(CallToken token, const Result<Bytes>& outcome) {
    const auto found = calls_.find(token);
    if (found == calls_.end()) return;
    const Call call = found->second;
    calls_.erase(found);
    const auto client = links_.find(call.link);
    if (client != links_.end() && call.answer == record::Answer::wanted) {
        record::RpcReply reply{.call = call.call, .outcome = Bytes{}};
        if (!acting()) {
            // It ran, but our tenure may be over: then only the next active member's answer counts.
            reply.outcome = Error{.code = Errc::not_active,
                                  .effect = Effect::unknown,
                                  .detail = "the member lost its role while the call ran"};
        } else if (!outcome) {
            reply.outcome = outcome.error();
        } else if (outcome->size() > result_size_max) {
            reply.outcome = Error{.code = Errc::limit_exceeded,
                                  .effect = Effect::unknown,
                                  .detail = fmt::format("result of {} bytes", outcome->size())};
        } else {
            reply.outcome = *outcome;
        }
        record::encode(reply, scratch_);
        (void)client->second.link->send(MessageType::rpc_reply, scratch_);
    }
    check_drained();
}

void Member::describe(pb::Register& wanted) {
    pb::ServiceConfig& config = *wanted.mutable_config();
    config.set_redundancy(static_cast<std::uint32_t>(role_.options().redundancy));
    config.set_lease_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(role_.options().lease).count()));
    config.set_on_registry_loss(static_cast<std::uint32_t>(role_.options().on_registry_loss));
    *wanted.mutable_endpoint() = wire::to_endpoint(host_.advertised);
    wanted.set_known_registry(registry_id_);
    wanted.set_known_order(order_);
    const Epoch heard = role_.options().redundancy == Redundancy::load_balanced
                            ? role_.epoch()
                            : std::max(role_.epoch_heard(), host_.directory.epoch(family()));
    wanted.set_known_epoch(heard.value);
    wanted.set_holds_role(role_.role() == Role::active && role_.epoch() == heard);
    wanted.set_known_active(known_active_);
}

void Member::enrolled(const pb::Registered& answer, TimePoint sent) {
    registry_id_ = host_.directory.registry_id();
    const pb::ServiceConfig& config = answer.config();
    role_.set_options(
        {.redundancy = static_cast<Redundancy>(config.redundancy()),
         .lease = std::chrono::milliseconds(config.lease_ms()),
         .on_registry_loss = static_cast<OnRegistryLoss>(config.on_registry_loss())});
    order_ = answer.order();
    role_.link_up();
    role_.renewed(sent);
    observer_.registered(order_);
    granted(static_cast<Role>(answer.role()), Epoch{answer.epoch()}, answer.order());
}

void Member::granted(const pb::RoleGrant& grant) {
    granted(static_cast<Role>(grant.role()), Epoch{grant.epoch()}, grant.order());
}

void Member::granted(Role role, Epoch epoch, std::uint64_t order) {
    // A newer registry may name a role that is not known here.
    if (role != Role::active && role != Role::standby) return;
    order_ = order;
    const bool was_draining = role_.draining();
    changed(role_.granted(role, epoch));
    drain_told_ = false;
    if (was_draining) notice_role(false);
}

void Member::revoked(const pb::Revoked& revoked) {
    order_ = 0;
    changed(role_.revoked(Epoch{revoked.epoch()}));
    drain_told_ = false;
    enrolment_.enter();
}

// A client knows a higher epoch than ours. Another registry granted it, or ours has lost it.
void Member::heard_epoch(Epoch epoch) {
    if (epoch.value >= std::uint64_t{1} << 62) return;  // Invalid: no epoch is that high.
    if (options_.hosted || role_.options().redundancy == Redundancy::load_balanced) return;
    if (!host_.directory.heard_epoch(family(), epoch)) return;
    log_.warn("member.higher_epoch",
              {kv("service", family()), kv("member", name()), kv("epoch", epoch)});
    changed(role_.heard_epoch(epoch));
    enrolment_.enter();
}

// A journal tells the active member sooner than the registry, and also without it.
pb::ActiveHint Member::active_hint() const {
    pb::ActiveHint hint = host_.directory.active_hint(family());
    const pb::ServiceInfo* service = host_.directory.find(family());
    if (!options_.hosted || known_active_.empty() || service == nullptr) return hint;
    if (role_.epoch_heard() <= Epoch{service->epoch()} && !hint.member().empty()) return hint;
    hint.set_epoch(role_.epoch_heard().value);
    if (const pb::MemberInfo* active = find_member(*service, known_active_)) {
        hint.set_member(active->member());
        *hint.mutable_endpoint() = active->endpoint();
    }
    return hint;
}

void Member::renewed(TimePoint sent) {
    if (!enrolment_.in_line()) return;
    role_.renewed(sent);
    (void)acting();
}

void Member::registry_down() {
    enrolment_.registry_down();
    role_.link_lost();
    (void)acting();
    arm_step_down();
}

void Member::arm_step_down() {
    const auto when = role_.steps_down_at();
    if (!when) return step_down_timer_.reset();
    step_down_timer_ = runtime_.at(*when, [this] {
        changed(role_.check_lease(runtime_.now()));
        arm_step_down();
    });
}

void Member::drain(const pb::Drain& drain) {
    if (role_.role() != Role::active || role_.epoch() != Epoch{drain.epoch()}) return;
    role_.drain();
    notice_role(true);
    check_drained();
}

void Member::changed(const std::optional<role::MemberMachine::Change>& change) {
    // First the publisher learns of the change, then the application: what the application
    // publishes for the old tenure is held back, and what it publishes now has the new epoch.
    update_acting(role_.may_act(runtime_.now()));
    if (!change) return;
    log_.info("member.role",
              {kv("service", family()), kv("member", name()),
               kv("role", understudy::name(change->role)), kv("epoch", change->epoch)});
    notice_role(false);
    observer_.role_changed(change->role, change->epoch);
}

void Member::update_acting(bool acting) {
    const bool new_epoch = acting && publisher_.epoch() != role_.epoch();
    if (acting == acting_ && !new_epoch) return;
    acting_ = acting;
    if (!acting) {
        publisher_.stand_by();
        return;
    }
    if (publisher_.epoch().value != 0) publisher_.stand_by();
    publisher_.activate(role_.epoch());
    // Proxies keep the calls that were refused in the meantime until this notice.
    if (std::exchange(acted_in_, role_.epoch()) == role_.epoch()) notice_role(false);
}

void Member::notice_role(bool draining) {
    pb::RoleNotice notice;
    notice.set_role(static_cast<std::uint32_t>(role_.role()));
    notice.set_epoch(role_.epoch_heard().value);
    notice.set_draining(draining);
    if (role_.role() != Role::active) *notice.mutable_active() = active_hint();
    Buffer body;
    (void)wire::encode(notice, body);
    for (auto& [id, client] : links_) (void)client.link->send(MessageType::role_notice, body);
}

void Member::check_drained() {
    if (!role_.draining() || drain_told_ || !calls_.empty()) return;
    drain_told_ = true;
    pb::Drained drained;
    drained.set_family(family());
    drained.set_member(name());
    drained.set_epoch(role_.epoch().value);
    host_.registry.send(drained);
}

Result<pb::Welcome> Member::welcome(const pb::Hello& hello) {
    if (links_.size() >= links_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} clients of this member", links_max)};
    }
    if (Epoch{hello.epoch()} > role_.epoch_heard()) heard_epoch(Epoch{hello.epoch()});
    pb::Welcome welcome;
    welcome.set_member(name());
    welcome.set_role(static_cast<std::uint32_t>(acting() ? Role::active : Role::standby));
    welcome.set_epoch(role_.epoch_heard().value);
    *welcome.mutable_active() = active_hint();
    return welcome;
}

void Member::link_added(LinkId id, Link& link) {
    US_ASSERT(!links_.contains(id));
    links_.emplace(id, Client{&link});
    publisher_.link_added(id);
    observer_.clients_changed(links_.size());
}

void Member::link_message(LinkId id, MessageType type, Bytes body) {
    const auto found = links_.find(id);
    if (found == links_.end()) return;
    Client& client = found->second;
    const auto broken = [&](const Error& error) { client.link->finish(error); };
    switch (type) {
        case MessageType::subscribe: {
            const auto subscribe = record::decode_subscribe(body);
            if (!subscribe) return broken(subscribe.error());
            if (auto denied = observer_.permit(subscribe->record, subscribe->token)) {
                return publisher_.refuse(id, subscribe->subscription, *denied);
            }
            return publisher_.subscribe(id, subscribe->subscription, subscribe->record);
        }
        case MessageType::unsubscribe: {
            const auto unsubscribe = record::decode_unsubscribe(body);
            if (!unsubscribe) return broken(unsubscribe.error());
            return publisher_.unsubscribe(id, unsubscribe->subscription);
        }
        case MessageType::resync: {
            const auto resync = record::decode_resync(body);
            if (!resync) return broken(resync.error());
            (void)acting();
            return publisher_.resync(id, resync->subscription);
        }
        case MessageType::notices_wanted:
            return publisher_.want_notices(id);
        case MessageType::rpc_names_wanted:
            client.wants_names = true;
            return send_rpc_names(client);
        case MessageType::rpc_request:
            return rpc_request(id, client, body);
        default:
            return broken({.code = Errc::corrupt,
                           .detail = fmt::format("message type {} to a member",
                                                 static_cast<unsigned>(type))});
    }
}

void Member::rpc_request(LinkId id, Client& client, Bytes body) {
    const auto request = record::decode_rpc_request(body);
    if (!request) return client.link->finish(request.error());
    if (request->epoch > role_.epoch_heard()) heard_epoch(request->epoch);
    if (!acting() || role_.draining()) {
        return refuse_call(client, request->call, request->answer,
                           {.code = Errc::not_active,
                            .detail = fmt::format("{}/{} is not active", family(), name())});
    }
    if (!rpcs_.contains(std::string(request->name))) {
        return refuse_call(client, request->call, request->answer,
                           {.code = Errc::not_found,
                            .detail = fmt::format("{} has no call {}", family(), request->name)});
    }
    if (calls_.size() >= calls_max) {
        return refuse_call(client, request->call, request->answer,
                           {.code = Errc::limit_exceeded,
                            .detail = fmt::format("{} calls in progress", calls_max)});
    }
    const CallToken token{++token_last_};
    calls_.emplace(token, Call{id, request->call, request->answer});
    const TimePoint deadline =
        request->timeout_ms == 0
            ? TimePoint::max()
            : runtime_.now() + std::chrono::milliseconds(
                                   std::min<std::uint64_t>(request->timeout_ms, 86'400'000));
    observer_.call(token, request->name, request->arguments, deadline);
}

void Member::refuse_call(Client& client, CallId call, record::Answer answer, const Error& reason) {
    if (answer != record::Answer::wanted) return;
    record::encode(record::RpcReply{.call = call, .outcome = reason}, scratch_);
    (void)client.link->send(MessageType::rpc_reply, scratch_);
}

void Member::send_rpc_names(Client& client) {
    record::Names names{.restarts = true, .completes = true};
    for (const std::string& name : rpcs_) names.added.push_back(name);
    record::encode(names, scratch_);
    (void)client.link->send(MessageType::rpc_names, scratch_);
}

void Member::link_drained(LinkId id) { publisher_.drained(id); }

void Member::link_gone(LinkId id) {
    if (links_.erase(id) == 0) return;
    publisher_.link_gone(id);
    for (auto call = calls_.begin(); call != calls_.end();) {
        if (call->second.link != id) {
            ++call;
            continue;
        }
        observer_.call_abandoned(call->first);
        call = calls_.erase(call);
    }
    observer_.clients_changed(links_.size());
    check_drained();
}

record::Flow Member::send(LinkId id, MessageType type, std::span<const Bytes> parts) {
    const auto found = links_.find(id);
    if (found == links_.end()) return record::Flow::open;
    Link& link = *found->second.link;
    (void)link.send(type, parts);
    return link.full() ? record::Flow::full : record::Flow::open;
}

void Member::subscriptions_changed(std::string_view record, std::size_t previous,
                                   std::size_t current) {
    observer_.subscriptions_changed(record, previous, current);
}

}  // namespace understudy::client
