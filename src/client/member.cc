#include "client/member.h"

#include <utility>

#include <fmt/format.h>

#include "understudy/limits.h"
#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;
using wire::MessageType;

Member::Member(Runtime& runtime, Log& log, MemberOptions options, MemberObserver& observer,
               Host& host)
    : runtime_(runtime),
      log_(log),
      refusals_(runtime, log),
      options_(std::move(options)),
      observer_(observer),
      host_(host),
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
            // It ran, but our tenure may be over: only the next active member's word counts.
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

void Member::registered(const pb::Registered& registered, TimePoint sent) {
    role_.set_options({.redundancy = static_cast<Redundancy>(registered.config().redundancy()),
                       .lease = std::chrono::milliseconds(registered.config().lease_ms()),
                       .on_registry_loss = static_cast<OnRegistryLoss>(
                           registered.config().on_registry_loss())});
    order_ = registered.order();
    role_.link_up();
    role_.renewed(sent);
    observer_.registered(order_);
    granted(static_cast<Role>(registered.role()), Epoch{registered.epoch()}, registered.order());
}

void Member::refused(const Error& reason) {
    refusals_.heard("member.refused", kv("member", family() + "/" + name()), reason);
    observer_.refused(reason);
}

void Member::granted(Role role, Epoch epoch, std::uint64_t order) {
    if (role != Role::active && role != Role::standby) return;  // A newer registry's word.
    order_ = order;
    const bool was_draining = role_.draining();
    changed(role_.granted(role, epoch));
    drain_told_ = false;
    if (was_draining) notice_role(false);
}

void Member::revoked(Epoch epoch) {
    order_ = 0;
    changed(role_.revoked(epoch));
    drain_told_ = false;
}

void Member::heard_epoch(Epoch epoch) { changed(role_.heard_epoch(epoch)); }

void Member::renewed(TimePoint sent) {
    role_.renewed(sent);
    (void)acting();
}

void Member::link_up() { role_.link_up(); }

void Member::link_lost() {
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

void Member::drain() {
    if (role_.role() != Role::active) return;
    role_.drain();
    notice_role(true);
    check_drained();
}

void Member::changed(const std::optional<role::MemberMachine::Change>& change) {
    // Before the application hears it, the platform acts on it: what an old tenure still says is
    // held back first, what a new one says goes out under its own epoch.
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
    // Calls that were refused meanwhile wait in the proxies for this word.
    if (std::exchange(acted_in_, role_.epoch()) == role_.epoch()) notice_role(false);
}

void Member::notice_role(bool draining) {
    pb::RoleNotice notice;
    notice.set_role(static_cast<std::uint32_t>(role_.role()));
    notice.set_epoch(role_.epoch_heard().value);
    notice.set_draining(draining);
    if (role_.role() != Role::active) *notice.mutable_active() = host_.active_hint(family());
    Buffer body;
    (void)wire::encode(notice, body);
    for (auto& [id, client] : links_) (void)client.link->send(MessageType::role_notice, body);
}

void Member::check_drained() {
    if (!role_.draining() || drain_told_ || !calls_.empty()) return;
    drain_told_ = true;
    host_.member_drained(*this);
}

Result<pb::Welcome> Member::welcome(const pb::Hello& hello) {
    if (links_.size() >= links_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} clients of this member", links_max)};
    }
    if (Epoch{hello.epoch()} > role_.epoch_heard()) {
        host_.member_heard_epoch(*this, Epoch{hello.epoch()});
    }
    pb::Welcome welcome;
    welcome.set_member(name());
    welcome.set_role(static_cast<std::uint32_t>(acting() ? Role::active : Role::standby));
    welcome.set_epoch(role_.epoch_heard().value);
    *welcome.mutable_active() = host_.active_hint(family());
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
    if (request->epoch > role_.epoch_heard()) host_.member_heard_epoch(*this, request->epoch);
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
