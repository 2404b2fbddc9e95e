// The messages between an agent and the registry.

#include <algorithm>
#include <utility>

#include "client/agent.h"
#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;
using wire::MessageType;

namespace {

/// Whether a question may be sent twice.
[[nodiscard]] bool may_repeat(const pb::Ask& ask) {
    if (ask.has_switchover()) return false;
    if (ask.has_definition()) return ask.definition().has_define() || ask.definition().has_add();
    if (!ask.has_nodes()) return true;
    return ask.nodes().has_add() || !ask.nodes().transfer().to().empty();
}

}  // namespace

// --- Questions -----------------------------------------------------------------------------------

void Agent::watch(std::uint64_t id) {
    if (registry_.up()) (void)registry_.send(MessageType::watch, directory_.request(id));
}

void Agent::ask(pb::Ask ask, Duration timeout, Answered answered) {
    if (!registry_.up()) {
        runtime_.post([answered = std::move(answered), error = registry_.last_error()]() mutable {
            error.code = Errc::unavailable;
            error.effect = Effect::none;
            answered(std::move(error));
        });
        return;
    }
    const std::uint64_t request = ++request_last_;
    ask.set_request(request);
    Question question{.type = MessageType::ask,
                      .body = {},
                      .repeatable = may_repeat(ask),
                      .answered = std::move(answered)};
    (void)wire::encode(ask, question.body);
    put(request, std::move(question), timeout);
}

void Agent::put(std::uint64_t request, Question question, Duration timeout) {
    Question& row = questions_.emplace(request, std::move(question)).first->second;
    row.timer = runtime_.at(runtime_.now() + timeout, [this, request] {
        const bool sent = !questions_.at(request).waiting;
        settle(request, Error{.code = Errc::timed_out,
                              .effect = sent ? Effect::unknown : Effect::none,
                              .detail = "the registry did not answer in time"});
    });
    (void)registry_.send(row.type, Bytes(row.body));
}

void Agent::look_up(const std::string& family, bool cached, Duration timeout, Found found) {
    pb::Ask question;
    pb::LookupAsk& lookup = *question.mutable_lookup();
    lookup.set_family(family);
    lookup.set_cached(cached);
    auto take = [this, found = std::move(found)](Result<pb::Answer> said) {
        if (!said) return found(std::move(said).error());
        looked_up_.take(said->lookup());
        found(std::move(*said->mutable_lookup()));
    };
    if (cached) return ask_any(std::move(question), timeout, std::move(take));
    ask(std::move(question), timeout, std::move(take));
}

void Agent::ask_any(pb::Ask question, Duration timeout, Answered answered) {
    if (registry_.up()) return ask(std::move(question), timeout, std::move(answered));
    if (reader_ == nullptr) {
        reader_ = std::make_unique<Reader>(
            runtime_, log_,
            RegistryLink::Options{
                .addresses = registry_.known_addresses(),
                .tls = options_.tls,
                .link = {.compressions = options_.compressions, .compressor = &compressor_},
                .heartbeat = options_.heartbeat,
                .any_node = true},
            hello(), looked_up_);
    }
    reader_->ask(std::move(question), timeout, std::move(answered));
}

/// A question that was not taken because another node of the registry becomes active is kept, and
/// sent to that node.
void Agent::settle(std::uint64_t request, Result<pb::Answer> answer) {
    const auto found = questions_.find(request);
    if (found == questions_.end()) return;
    if (answer && answer->has_failure()) answer = wire::from_failure(answer->failure());
    if (!answer && answer.error().code == Errc::not_active && !closing_ &&
        (found->second.repeatable || answer.error().effect == Effect::none)) {
        found->second.waiting = true;
        return;
    }
    const Answered answered = std::move(found->second.answered);
    questions_.erase(found);
    answered(std::move(answer));
}

// --- The connection ------------------------------------------------------------------------------

void Agent::send(const pb::Register& wanted) {
    (void)registry_.send(MessageType::register_member, wanted);
}

void Agent::send(const pb::MemberReport& report) {
    (void)registry_.send(MessageType::member_report, report);
}

void Agent::send(const pb::Drained& drained) {
    (void)registry_.send(MessageType::drained, drained);
}

template <class Act>
void Agent::with_member(const Key& key, Act act) {
    if (const auto found = members_.find(key); found != members_.end()) {
        act(*found->second);
    } else if (const auto journaled = journaled_.find(key); journaled != journaled_.end()) {
        act(*journaled->second);
    }
}

void Agent::registry_up(const pb::Welcome& welcome) {
    registry_nodes_changed();
    // In the order of the calls: a member that left may have been created again since.
    for (auto& [request, question] : questions_) {
        if (std::exchange(question.waiting, false)) {
            (void)registry_.send(question.type, Bytes(question.body));
        }
    }
    for (auto& [key, member] : members_) member->registry_up();
    for (auto& [key, member] : journaled_) member->registry_up();
    for (const std::uint64_t id : directory_.watches()) watch(id);
    observer_.registry_changed(true, welcome.platform());
    for (Proxy* proxy : std::set<Proxy*>(proxies_)) proxy->directory_changed(true);
}

void Agent::registry_down(const Error& reason) {
    for (auto& [key, member] : members_) member->registry_down();
    for (auto& [key, member] : journaled_) member->registry_down();
    std::vector<std::uint64_t> lost;
    for (auto& [request, question] : questions_) {
        if (question.repeatable) question.waiting = true;
        if (!question.waiting) lost.push_back(request);
    }
    for (const std::uint64_t request : lost) {
        settle(request, Error{.code = Errc::unavailable,
                              .effect = Effect::unknown,
                              .detail = "the connection to the registry broke"});
    }
    observer_.registry_changed(false, to_string(reason));
    for (Proxy* proxy : std::set<Proxy*>(proxies_)) {
        if (proxies_.contains(proxy)) proxy->directory_changed(false);
    }
}

void Agent::registry_nodes_changed() {
    for (auto& [key, member] : members_) member->registry_nodes(registry_.nodes());
}

void Agent::registry_heard(TimePoint sent) {
    for (auto& [key, member] : members_) member->renewed(sent);
}

void Agent::registry_beat() {
    for (auto& [key, member] : members_) member->beat();
}

void Agent::registry_message(MessageType type, Bytes body) {
    switch (type) {
        case MessageType::registered: {
            const auto registered = wire::decode_as<pb::Registered>(body);
            if (!registered) break;
            with_member({registered->config().family(), registered->member()},
                        [&](auto& member) { member.registered(*registered); });
            return set_heartbeat();
        }
        case MessageType::role_grant: {
            const auto grant = wire::decode_as<pb::RoleGrant>(body);
            if (!grant) break;
            return with_member({grant->family(), grant->member()},
                               [&](auto& member) { member.granted(*grant); });
        }
        case MessageType::revoked: {
            const auto revoked = wire::decode_as<pb::Revoked>(body);
            if (!revoked) break;
            return with_member({revoked->family(), revoked->member()},
                               [&](auto& member) { member.revoked(*revoked); });
        }
        case MessageType::drain: {
            const auto drain = wire::decode_as<pb::Drain>(body);
            if (!drain) break;
            return with_member({drain->family(), drain->member()},
                               [&](auto& member) { member.drain(*drain); });
        }
        case MessageType::watch_image: {
            const auto image = wire::decode_as<pb::WatchImage>(body);
            if (!image) break;
            std::vector<std::string> families;
            (void)directory_.apply(*image, families);
            return families_changed(families);
        }
        case MessageType::watch_change: {
            const auto change = wire::decode_as<pb::WatchChange>(body);
            if (!change) break;
            std::vector<std::string> families;
            if (directory_.apply(*change, families) == Directory::Taken::gap) {
                watch(change->watch());
            }
            return families_changed(families);
        }
        case MessageType::registry_nodes:
            return registry_nodes_changed();
        case MessageType::answer: {
            auto answer = wire::decode_as<pb::Answer>(body);
            if (!answer) break;
            const std::uint64_t request = answer->request();
            return settle(request, std::move(answer));
        }
        default:
            break;  // A newer registry may send messages that this version does not know.
    }
    log_.warn("agent.registry_message_ignored", {kv("type", static_cast<unsigned>(type))});
}

void Agent::families_changed(std::vector<std::string>& families) {
    std::sort(families.begin(), families.end());
    families.erase(std::unique(families.begin(), families.end()), families.end());
    for (const std::string& family : families) {
        for (auto& [key, member] : members_) {
            if (key.first != family) continue;
            const pb::ServiceInfo* service = directory_.find(family);
            if (service != nullptr && !service->active().empty()) {
                member->set_known_active(service->active());
            }
        }
        for (Proxy* proxy : std::set<Proxy*>(proxies_)) {
            if (proxies_.contains(proxy) && proxy->family() == family) {
                proxy->directory_changed(registry_.up());
            }
        }
        observer_.service_changed(family);
    }
}

}  // namespace understudy::client
