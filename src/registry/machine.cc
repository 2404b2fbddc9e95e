#include "registry/machine.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/plant.h"
#include "registry/machine_turn.h"
#include "registry/standby.h"
#include "registry/validate.h"
#include "understudy/limits.h"
#include "wire/control.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;
using wire::MessageType;

namespace {

constexpr std::size_t timings_max = 1024;
constexpr Duration removal_retry = 500ms;
constexpr std::size_t changes_of_nodes_max = 16;

/// Does a member that is known say more than that it is back?
[[nodiscard]] bool tells_news(const Service& service, const Member& member,
                              const pb::Register& wanted) {
    if (member.unheard) return true;
    if (!service.journaled()) return false;
    if (member.node != wire::from_endpoint(wanted.node())) return true;
    pb::MemberReported reported;
    reported.set_has_checkpoint(wanted.has_checkpoint());
    reported.set_role(static_cast<std::uint32_t>(member.role));
    reported.set_epoch(service.epoch.value);
    if (wanted.holds_role()) {
        reported.set_role(static_cast<std::uint32_t>(Role::active));
        reported.set_epoch(wanted.known_epoch());
    }
    return is_news(service, member, reported);
}

[[nodiscard]] std::uint64_t to_us(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

}  // namespace

Machine::Machine(const Options& options, State& state, Log& log, TimePoint now)
    : options_(options),
      state_(state),
      log_(log),
      leases_(now, 2 * options.turn_max),
      started_(now) {
    US_ASSERT(options.turn_max > Duration::zero());
}

Effects Machine::start(TimePoint now, std::uint64_t wall_ms, std::uint64_t registry_id) {
    US_ASSERT(registry_id != 0);
    Turn turn{now, wall_ms};
    state_.go_live();
    if (!state_.founded()) {
        pb::RegistryCommand command;
        command.mutable_found()->set_platform(options_.platform);
        command.mutable_found()->set_registry_id(registry_id);
        propose(turn,
                {.kind = Pending::Kind::found,
                 .session = {},
                 .agent = {},
                 .family = {},
                 .member = {},
                 .since = now},
                std::move(command), true);
    }
    for (const auto& [family, service] : state_.services()) {
        for (const auto& [order, member] : service.line) {
            adopt(turn, {family, member}, member.process);
        }
        arm_waiting(now, family);
        arm_last_resort(now, family);
        if (service.handing) {
            handings_.emplace(family, Handing{.session = {},
                                              .request = 0,
                                              .from = service.handing->from(),
                                              .to = service.handing->to(),
                                              .epoch = Epoch{service.handing->epoch()},
                                              .deadline = now + options_.take_limit,
                                              .proposed = true,
                                              .stage = Handing::Stage::taking,
                                              .ready = true});
        }
    }
    if (state_.restored()) restored_until_ = now + lease_max;
    return std::move(turn.out);
}

Result<pb::Welcome> Machine::welcome(const pb::Hello& hello) const {
    if (!hello.family().empty()) {
        return Error{.code = Errc::refused,
                     .detail = "this is a registry, not a member of " + hello.family()};
    }
    if (!hello.platform().empty() && hello.platform() != state_.platform()) {
        return Error{.code = Errc::refused,
                     .detail = fmt::format("this is platform {}, not {}", state_.platform(),
                                           hello.platform())};
    }
    if (hello.incarnation() == 0) {
        return Error{.code = Errc::bad_config, .detail = "hello without an incarnation"};
    }
    if (sessions_.size() >= sessions_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} connections to this registry", sessions_max)};
    }
    pb::Welcome welcome;
    welcome.set_platform(state_.platform());
    welcome.set_peer(options_.name);
    welcome.set_registry_id(state_.registry_id());
    tell_nodes(nodes_, welcome);
    welcome.set_active_node(options_.name);
    return welcome;
}

Effects Machine::set_nodes(std::vector<Node> nodes) {
    Turn turn{started_, 0};
    if (nodes == nodes_) return {};
    nodes_ = std::move(nodes);
    pb::RegistryNodes message;
    tell_nodes(nodes_, message);
    for (const auto& [id, session] : sessions_) {
        turn.send(id, MessageType::registry_nodes, message);
    }
    return std::move(turn.out);
}

Effects Machine::opened(TimePoint now, SessionId id, const pb::Hello& hello) {
    Turn turn{now, 0};
    leases_.turn(now);
    US_ASSERT(!sessions_.contains(id));
    const Incarnation incarnation{hello.incarnation()};
    sessions_.emplace(id, Session{hello.agent(), incarnation, hello.process()});
    const auto found = agents_.find(incarnation);
    if (found != agents_.end()) {
        // The agent came back before we noticed that its old connection had broken.
        if (found->second.session.value != 0) turn.out.push_back(Close{found->second.session});
        found->second.session = id;
        leases_.heard(incarnation, now);
    }
    log_.debug("registry.session_opened", {kv("agent", hello.agent()), kv("session", id.value)});
    return std::move(turn.out);
}

Effects Machine::closed(TimePoint now, SessionId id) {
    Turn turn{now, 0};
    leases_.turn(now);
    watches_.remove(id);
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return {};
    const auto agent = agents_.find(found->second.incarnation);
    if (agent != agents_.end() && agent->second.session == id) {
        agent->second.session = {};
        log_.info("registry.agent_disconnected",
                  {kv("agent", agent->second.name), kv("members", agent->second.members.size())});
    }
    sessions_.erase(found);
    return std::move(turn.out);
}

Result<Effects> Machine::received(TimePoint now, std::uint64_t wall_ms, SessionId id,
                                  MessageType type, Bytes body) {
    Turn turn{now, wall_ms};
    complaints_.tell(now);
    leases_.turn(now);
    const auto session = sessions_.find(id);
    if (session == sessions_.end()) return Effects{};  // Closed in this very turn.
    leases_.heard(session->second.incarnation, now);
    switch (type) {
        case MessageType::heartbeat:
            turn.out.push_back(
                Send{id, MessageType::heartbeat_ack, Buffer(body.begin(), body.end())});
            break;
        case MessageType::register_member:
            on(turn, id, US_TRY(wire::decode_as<pb::Register>(body)));
            break;
        case MessageType::unregister_member:
            on(turn, id, US_TRY(wire::decode_as<pb::Unregister>(body)));
            break;
        case MessageType::watch:
            on(turn, id, US_TRY(wire::decode_as<pb::Watch>(body)));
            break;
        case MessageType::unwatch:
            watches_.remove(id, US_TRY(wire::decode_as<pb::Unwatch>(body)).watch());
            break;
        case MessageType::member_report:
            on(turn, id, US_TRY(wire::decode_as<pb::MemberReport>(body)));
            break;
        case MessageType::drained:
            on(turn, id, US_TRY(wire::decode_as<pb::Drained>(body)));
            break;
        case MessageType::ask:
            on(turn, id, US_TRY(wire::decode_as<pb::Ask>(body)));
            break;
        default:
            return Error{.code = Errc::corrupt,
                         .detail = fmt::format("message type {} to a registry",
                                               static_cast<unsigned>(type))};
    }
    return std::move(turn.out);
}

void Machine::on(Turn& turn, SessionId id, const pb::Register& wanted) {
    const Session& session = sessions_.at(id);
    Pending pending{.kind = Pending::Kind::add,
                    .session = id,
                    .request = wanted.request(),
                    .agent = session.incarnation,
                    .family = wanted.config().family(),
                    .member = wanted.member(),
                    .since = turn.now};
    if (auto valid = check(wanted); !valid) return refuse(turn, pending, valid.error());

    pb::RegistryCommand command;
    pb::AddMember& add = *command.mutable_add();
    const Service* service = state_.find(pending.family);
    const Member* old = service == nullptr ? nullptr : service->find(pending.member);
    if (old != nullptr && old->incarnation != session.incarnation) {
        std::string evidence;
        if (auto gone = may_replace(*old, evidence); !gone) {
            return refuse(turn, pending, gone.error());
        }
        add.set_replaces(old->incarnation.value);
        add.set_evidence(evidence);
    } else if (old != nullptr && wanted.known_epoch() <= service->epoch.value &&
               old->endpoint == wire::from_endpoint(wanted.endpoint()) &&
               service->config.redundancy() == wanted.config().redundancy() &&
               !tells_news(*service, *old, wanted)) {
        // It was only away for a moment: nothing changes, so nothing is written, and a registry
        // on a full disk takes its members back all the same.
        agent_of(session, id).members.emplace(pending.family, pending.member);
        const Grant grant{pending.family, *old};
        adopt(turn, grant, session.process);
        return confirm(turn, pending, grant);
    }
    *add.mutable_wanted() = wanted;
    add.set_agent(session.agent);
    add.set_incarnation(session.incarnation.value);
    *add.mutable_process() = session.process;
    add.set_unconfirmed(unconfirmed(pending.family));
    (void)agent_of(session, id);
    propose(turn, std::move(pending), std::move(command), add.replaces() != 0);
}

/// A second process with a live member's name is refused; one whose predecessor is gone is not.
Result<void> Machine::may_replace(const Member& old, std::string& evidence) const {
    const auto found = agents_.find(old.incarnation);
    if (found == agents_.end() || found->second.gone) {
        evidence = "registered anew, the old process is gone";
        return {};
    }
    const Agent& agent = found->second;
    if (agent.session.value == 0 && !agent.watched) {
        evidence = "registered anew from a new process while the old one was disconnected";
        return {};
    }
    return Error{.code = Errc::already_exists,
                 .detail = fmt::format("member {} is held by agent {} (pid {}), which is alive",
                                       old.name, agent.name, agent.process.pid())};
}

Machine::Agent& Machine::agent_of(const Session& session, SessionId id) {
    Agent& agent = agents_[session.incarnation];
    agent.name = session.agent;
    agent.process = session.process;
    agent.session = id;
    return agent;
}

void Machine::on(Turn& turn, SessionId id, const pb::Unregister& wanted) {
    const Session& session = sessions_.at(id);
    const Service* service = state_.find(wanted.family());
    const Member* member = service == nullptr ? nullptr : service->find(wanted.member());
    if (member == nullptr || member->incarnation != session.incarnation) {
        pb::Answer answer;
        answer.set_request(wanted.request());
        turn.send(id, MessageType::answer, answer);  // It is not here: that is what was asked.
        return;
    }
    const bool urgent = promotes(*service, *member);
    propose(turn,
            {.kind = Pending::Kind::remove,
             .session = id,
             .request = wanted.request(),
             .agent = session.incarnation,
             .family = wanted.family(),
             .member = wanted.member(),
             .since = turn.now},
            removal(turn, wanted.family(), *member, Cause::left, "it unregistered"), urgent);
}

void Machine::on(Turn& turn, SessionId id, const pb::Watch& watch) {
    if (!watch.family().empty() && !check_family(watch.family())) {
        turn.out.push_back(Close{id});
        return;
    }
    if (auto added = watches_.add(id, watch.watch(), watch.family()); !added) {
        turn.out.push_back(Close{id});
        return;
    }
    pb::WatchImage image;
    image.set_watch(watch.watch());
    image.set_registry_id(state_.registry_id());
    image.set_revision(state_.revision().value);
    if (watch.family().empty()) {
        for (const auto& [family, service] : state_.services()) {
            *image.add_services() = to_info(service);
        }
    } else if (const Service* service = state_.find(watch.family())) {
        *image.add_services() = to_info(*service);
        image.set_turn(turns_[watch.family()]++);
    }
    turn.send(id, MessageType::watch_image, image);

    for (const pb::KnownEpoch& known : watch.known()) {
        if (!check_family(known.family()) || known.epoch() >= epoch_max) continue;
        const Service* service = state_.find(known.family());
        if (service != nullptr && service->epoch.value >= known.epoch()) continue;
        if (service != nullptr && service->journaled()) continue;  // Its journal knows.
        pb::RegistryCommand command;
        command.mutable_raise()->set_family(known.family());
        command.mutable_raise()->set_epoch(known.epoch());
        const std::string& reporter = sessions_.at(id).agent;
        command.mutable_raise()->set_reporter(reporter.empty() ? "without a name" : reporter);
        command.mutable_raise()->set_unconfirmed(unconfirmed(known.family()));
        propose(turn,
                {.kind = Pending::Kind::raise,
                 .session = {},
                 .agent = {},
                 .family = known.family(),
                 .member = {},
                 .since = turn.now},
                std::move(command), true);
    }
}

void Machine::on(Turn& turn, SessionId id, const pb::Ask& ask) {
    pb::Answer answer;
    answer.set_request(ask.request());
    switch (ask.what_case()) {
        case pb::Ask::kSwitchover:
            return ask_switchover(turn, id, ask.request(), ask.switchover());
        case pb::Ask::kExplain: {
            const Service* service = state_.find(ask.explain().family());
            if (service == nullptr) {
                *answer.mutable_failure() = wire::to_failure(
                    {.code = Errc::not_found, .detail = "no service " + ask.explain().family()});
                break;
            }
            for (const pb::Promotion& promotion : service->story) {
                pb::Promotion& row = *answer.add_promotions();
                row = promotion;
                const auto timed = decided_us_.find({row.family(), row.epoch()});
                if (timed != decided_us_.end()) row.set_decided_us(timed->second);
            }
            break;
        }
        case pb::Ask::kPlatform: {
            pb::PlatformInfo& info = *answer.mutable_platform();
            fill_platform(state_, info);
            info.set_agents(agents_.size());
            info.set_sessions(sessions_.size());
            info.set_space(space_);
            info.set_uptime_ms(to_us(turn.now - started_) / 1000);
            info.set_version(options_.version);
            info.set_journal_index(journal_.committed());
            *info.mutable_journal() = journal_;
            break;
        }
        case pb::Ask::kLookup:
            return ask_lookup(turn, id, ask.request(), ask.lookup());
        case pb::Ask::kNodes:
            return ask_nodes(turn, id, ask.request(), ask.nodes());
        case pb::Ask::kDefinition:
            return ask_definition(turn, id, ask.request(), ask.definition());
        case pb::Ask::kBackup: {
            Buffer image;
            state_.snapshot(image);
            answer.set_backup(image.data(), image.size());
            break;
        }
        case pb::Ask::WHAT_NOT_SET:
            *answer.mutable_failure() =
                wire::to_failure({.code = Errc::bad_config, .detail = "a question unknown here"});
            break;
    }
    turn.send(id, MessageType::answer, answer);
}

void Machine::ask_switchover(Turn& turn, SessionId id, std::uint64_t request,
                             const pb::SwitchoverAsk& ask) {
    const auto refuse_with = [&](Errc code, std::string detail) {
        fail(turn, id, request, {.code = code, .detail = std::move(detail)});
    };
    const Service* service = state_.find(ask.family());
    if (service == nullptr || service->line.empty()) {
        return refuse_with(Errc::not_found, "no service " + ask.family());
    }
    if (service->journaled()) return switch_journaled(turn, id, request, ask);
    if (service->redundancy() != Redundancy::fault_tolerant) {
        return refuse_with(Errc::refused, ask.family() + " is load_balanced: all are active");
    }
    const Member* from = service->active_member();
    if (from == nullptr) return refuse_with(Errc::unavailable, "nobody is active");
    if (handings_.contains(ask.family())) {
        return refuse_with(Errc::refused, "a switchover of it is under way");
    }
    const Member* to = nullptr;
    if (!ask.to().empty()) {
        to = service->find(ask.to());
        if (to == nullptr) return refuse_with(Errc::not_found, "no member " + ask.to());
        if (to == from) return refuse_with(Errc::refused, ask.to() + " is active already");
        if (!connected(to->incarnation)) {
            return refuse_with(Errc::unavailable, ask.to() + " is not connected");
        }
    } else {
        for (const auto& [order, member] : service->line) {
            if (&member != from && connected(member.incarnation)) {
                to = &member;
                break;
            }
        }
        if (to == nullptr) return refuse_with(Errc::unavailable, "no standby is connected");
    }
    const auto agent = agents_.find(from->incarnation);
    if (agent == agents_.end() || agent->second.session.value == 0) {
        return refuse_with(Errc::unavailable, from->name + ", which is active, is not connected");
    }
    handings_.emplace(ask.family(), Handing{.session = id,
                                            .request = request,
                                            .from = from->name,
                                            .to = to->name,
                                            .epoch = service->epoch,
                                            .deadline = turn.now + options_.drain_limit});
    pb::Drain drain;
    drain.set_family(ask.family());
    drain.set_member(from->name);
    drain.set_epoch(service->epoch.value);
    drain.set_limit_ms(to_us(options_.drain_limit) / 1000);
    drain.set_successor(to->name);
    turn.send(agent->second.session, MessageType::drain, drain);
}

void Machine::fail(Turn& turn, SessionId session, std::uint64_t request, const Error& error) {
    pb::Answer answer;
    answer.set_request(request);
    *answer.mutable_failure() = wire::to_failure(error);
    turn.send(session, MessageType::answer, answer);
}

void Machine::look_up(TimePoint now, const std::string& family, pb::Answer& answer) const {
    pb::LookupAnswer& lookup = *answer.mutable_lookup();
    fill_lookup(state_, family, lookup);
    add_positions(now, lookup);
    lookup.set_node(options_.name);
}

/// A lookup answered at once could be that of a node which does not know yet that it was replaced.
void Machine::ask_lookup(Turn& turn, SessionId id, std::uint64_t request,
                         const pb::LookupAsk& ask) {
    if (ask.cached()) {
        pb::Answer answer;
        answer.set_request(request);
        look_up(turn.now, ask.family(), answer);
        answer.mutable_lookup()->set_cached(true);
        return turn.send(id, MessageType::answer, answer);
    }
    if (lookups_.size() >= lookups_max) {
        return fail(turn, id, request,
                    {.code = Errc::limit_exceeded, .detail = "too many lookups in flight"});
    }
    const std::uint64_t token = ++token_last_;
    lookups_.emplace(token, Question{.session = id, .request = request, .family = ask.family()});
    turn.out.push_back(Confirm{token});
}

Effects Machine::confirmed(TimePoint now, std::uint64_t token, const Result<void>& result) {
    Turn turn{now, 0};
    const auto found = lookups_.extract(token);
    US_ASSERT(!found.empty());
    const Question& question = found.mapped();
    if (!result) {
        fail(turn, question.session, question.request, result.error());
        return std::move(turn.out);
    }
    pb::Answer answer;
    answer.set_request(question.request);
    look_up(now, question.family, answer);
    turn.send(question.session, MessageType::answer, answer);
    return std::move(turn.out);
}

void Machine::ask_nodes(Turn& turn, SessionId id, std::uint64_t request, const pb::NodesAsk& ask) {
    const auto bad = [&](std::string detail) {
        fail(turn, id, request, {.code = Errc::bad_config, .detail = std::move(detail)});
    };
    if (nodes_.empty()) {
        return fail(
            turn, id, request,
            {.code = Errc::refused, .detail = "this registry runs alone, on a journal of its own"});
    }
    if (ask.what_case() == pb::NodesAsk::WHAT_NOT_SET) return bad("a change unknown here");
    const std::string& name = ask.has_add()      ? ask.add().name()
                              : ask.has_remove() ? ask.remove().name()
                                                 : ask.transfer().to();
    if (!ask.has_transfer() || !name.empty()) {
        if (auto valid = check_identifier("registry node", name); !valid) {
            return fail(turn, id, request, valid.error());
        }
    }
    if (ask.has_add() && (ask.add().endpoint().host().empty() || ask.add().endpoint().port() == 0 ||
                          ask.add().endpoint().port() > 65'535)) {
        return bad("a node's address has a host and a port");
    }
    if (ask.has_transfer() && name == options_.name) {
        pb::Answer answer;  // It may be asked again after it was done.
        answer.set_request(request);
        return turn.send(id, MessageType::answer, answer);
    }
    if (changing_nodes_.size() >= changes_of_nodes_max) {
        return fail(turn, id, request,
                    {.code = Errc::limit_exceeded, .detail = "other changes are under way"});
    }
    const std::uint64_t token = ++token_last_;
    changing_nodes_.emplace(token, Question{.session = id,
                                            .request = request,
                                            .family = {},
                                            .ends_tenure = ask.has_transfer() && name.empty()});
    turn.out.push_back(ChangeNodes{token, ask});
}

Effects Machine::nodes_changed(TimePoint now, std::uint64_t token, const Result<void>& result) {
    Turn turn{now, 0};
    const auto found = changing_nodes_.extract(token);
    US_ASSERT(!found.empty());
    const Question& question = found.mapped();
    if (!result) {
        fail(turn, question.session, question.request, result.error());
    } else {
        pb::Answer answer;
        answer.set_request(question.request);
        turn.send(question.session, MessageType::answer, answer);
    }
    return std::move(turn.out);
}

void Machine::on(Turn& turn, SessionId id, const pb::Drained& drained) {
    const Service* service = state_.find(drained.family());
    if (service != nullptr && service->journaled()) return drained_journaled(turn, id, drained);
    const auto found = handings_.find(drained.family());
    if (found == handings_.end() || found->second.epoch.value != drained.epoch() ||
        found->second.proposed) {
        return;
    }
    found->second.proposed = true;
    pb::RegistryCommand command;
    pb::HandOver& hand_over = *command.mutable_hand_over();
    hand_over.set_family(drained.family());
    hand_over.set_from(found->second.from);
    hand_over.set_to(found->second.to);
    hand_over.set_epoch(drained.epoch());
    // Planned, so not urgent: the room kept on a full disk is for failovers.
    propose(turn,
            {.kind = Pending::Kind::hand_over,
             .session = {},
             .agent = {},
             .family = drained.family(),
             .member = {},
             .since = turn.now},
            std::move(command), false);
}

void Machine::propose(Turn& turn, Pending pending, pb::RegistryCommand command, bool urgent) {
    if (pending_.size() >= proposals_max) {
        return refuse(turn, pending,
                      {.code = Errc::limit_exceeded, .detail = "too many changes in flight"});
    }
    command.set_wall_ms(turn.wall_ms);
    Buffer body;
    (void)wire::encode(command, body);
    const std::uint64_t token = ++token_last_;
    pending_.emplace(token, std::move(pending));
    turn.out.push_back(Propose{token, std::move(body), urgent});
}

/// Only what leads to a promotion may use the room that a full disk keeps for promotions.
bool Machine::promotes(const Service& service, const Member& member) {
    return service.active == member.order && service.line.size() > 1;
}

pb::RegistryCommand Machine::removal(const Turn& turn, const std::string& family,
                                     const Member& member, Cause cause,
                                     const std::string& evidence) const {
    pb::RegistryCommand command;
    pb::RemoveMember& remove = *command.mutable_remove();
    remove.set_family(family);
    remove.set_member(member.name);
    remove.set_incarnation(member.incarnation.value);
    remove.set_cause(static_cast<std::uint32_t>(cause));
    remove.set_evidence(evidence);
    if (const auto silence = leases_.silence(member.incarnation, turn.now)) {
        remove.set_noticed_us(to_us(*silence));
    }
    for (const auto& [order, other] : state_.find(family)->line) {
        if (!connected(other.incarnation)) remove.add_suspects(other.name);
    }
    return command;
}

void Machine::propose_removal(Turn& turn, const std::string& family, const Member& member,
                              Cause cause, const std::string& evidence) {
    const auto refused = refused_removals_.find({family, member.name});
    if (refused != refused_removals_.end() && turn.now < refused->second) return;
    if (!removing_.emplace(family, member.name).second) return;
    propose(turn,
            {.kind = Pending::Kind::remove,
             .session = {},
             .agent = member.incarnation,
             .family = family,
             .member = member.name,
             .since = turn.now},
            removal(turn, family, member, cause, evidence), promotes(*state_.find(family), member));
}

void Machine::remove_all_of(Turn& turn, Incarnation incarnation, Cause cause,
                            const std::string& evidence) {
    const auto found = agents_.find(incarnation);
    if (found == agents_.end()) return;
    for (const auto& [family, name] : found->second.members) {
        const Service* service = state_.find(family);
        const Member* member = service == nullptr ? nullptr : service->find(name);
        if (member == nullptr || member->incarnation != incarnation) continue;
        propose_removal(turn, family, *member, cause, evidence);
    }
}

Effects Machine::process_gone(TimePoint now, std::uint64_t wall_ms, Incarnation incarnation) {
    Turn turn{now, wall_ms};
    leases_.turn(now);
    const auto found = agents_.find(incarnation);
    if (found == agents_.end()) return {};
    Agent& agent = found->second;
    agent.gone = true;
    agent.watched = false;
    log_.info("registry.process_gone", {kv("agent", agent.name), kv("pid", agent.process.pid())});
    // A forked child may hold the sockets of the dead open for ever.
    if (agent.session.value != 0) turn.out.push_back(Close{agent.session});
    agent.session = {};
    remove_all_of(turn, incarnation, Cause::process_gone,
                  fmt::format("process {} has ended", agent.process.pid()));
    return std::move(turn.out);
}

void Machine::unprovable(Incarnation incarnation) {
    const auto found = agents_.find(incarnation);
    if (found != agents_.end()) found->second.watched = false;
}

Effects Machine::tick(TimePoint now, std::uint64_t wall_ms) {
    Turn turn{now, wall_ms};
    leases_.turn(now);
    for (const Incarnation lapsed : leases_.lapsed(now)) {
        const auto agent = agents_.find(lapsed);
        if (agent != agents_.end() && agent->second.gone) {
            // Proven dead, but its removal found no room so far.
            remove_all_of(turn, lapsed, Cause::process_gone,
                          fmt::format("process {} has ended", agent->second.process.pid()));
            continue;
        }
        const auto silence = leases_.silence(lapsed, now).value_or(Duration::zero());
        remove_all_of(turn, lapsed, Cause::silence,
                      fmt::format("no sign of life for {} ms", to_us(silence) / 1000));
    }
    std::vector<std::string> overdue;
    for (const auto& [family, handing] : handings_) {
        const Service* service = state_.find(family);
        const bool journaled = service != nullptr && service->journaled();
        if ((!handing.proposed || journaled) && now >= handing.deadline) overdue.push_back(family);
    }
    for (const std::string& family : overdue) {
        const Service* service = state_.find(family);
        if (service != nullptr && service->journaled()) {
            overdue_journaled(turn, family);
            continue;
        }
        end_handing(turn, family,
                    Error{.code = Errc::timed_out,
                          .detail = "the active member did not drain in time; nothing changed"});
        // Our word that it is still active ends its draining.
        if (const Member* active = service == nullptr ? nullptr : service->active_member()) {
            tell(turn, {family, *active});
        }
    }
    for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
        const auto current = waiting++;
        if (now < current->second) continue;
        const Service* service = state_.find(current->first);
        const std::string family = current->first;
        waiting_.erase(current);
        if (service != nullptr && service->waits()) stop_waiting(turn, family, service->epoch);
    }
    if (now >= restored_until_) {
        restored_until_ = TimePoint::max();
        stop_waiting(turn, {}, {});
    }
    tick_journaled(turn);
    return std::move(turn.out);
}

/// Without a family: for members of services that the backup does not know.
void Machine::stop_waiting(Turn& turn, const std::string& family, Epoch epoch) {
    pb::RegistryCommand command;
    command.mutable_stop_waiting()->set_family(family);
    command.mutable_stop_waiting()->set_epoch(epoch.value);
    propose(turn,
            {.kind = Pending::Kind::stop_waiting,
             .session = {},
             .agent = {},
             .family = family,
             .member = {},
             .since = turn.now},
            std::move(command), true);
}

/// A question that was on its way may have been carried out: the effect is unknown. Members ask
/// nothing again, they register with the next active node and hear their role there.
Effects Machine::retire(TimePoint now) {
    Turn turn{now, 0};
    const auto over = [&](understudy::Effect effect) {
        return Error{
            .code = Errc::not_active,
            .effect = effect,
            .detail = fmt::format("registry node {} is not active any more", options_.name)};
    };
    for (const auto& [token, pending] : pending_) {
        const bool asked =
            pending.kind == Pending::Kind::remove || pending.kind == Pending::Kind::define;
        if (asked && pending.session.value != 0) {
            fail(turn, pending.session, pending.request, over(understudy::Effect::unknown));
        }
    }
    for (const auto& [family, handing] : handings_) {
        if (handing.session.value == 0) continue;
        fail(turn, handing.session, handing.request,
             over(handing.proposed ? understudy::Effect::unknown : understudy::Effect::none));
    }
    for (const auto& [token, question] : lookups_) {
        fail(turn, question.session, question.request, over(understudy::Effect::none));
    }
    for (const auto& [token, question] : changing_nodes_) {
        if (question.ends_tenure) {
            pb::Answer answer;
            answer.set_request(question.request);
            turn.send(question.session, MessageType::answer, answer);
            continue;
        }
        fail(turn, question.session, question.request, over(understudy::Effect::unknown));
    }
    for (const auto& [id, session] : sessions_) turn.out.push_back(Close{id});
    state_.go_quiet();
    return std::move(turn.out);
}

TimePoint Machine::next_deadline(TimePoint now) const {
    TimePoint next = now + options_.turn_max;
    if (const auto lapse = leases_.next_lapse()) next = std::min(next, std::max(*lapse, now + 1ms));
    return next;
}

Effects Machine::committed(TimePoint now, std::uint64_t wall_ms, std::uint64_t token,
                           const Result<Applied>& result) {
    Turn turn{now, wall_ms};
    leases_.turn(now);
    const auto found = pending_.find(token);
    US_ASSERT(found != pending_.end());
    const Pending pending = std::move(found->second);
    pending_.erase(found);
    if (pending.kind == Pending::Kind::remove) {
        removing_.erase({pending.family, pending.member});
    }
    if (!result) {
        // A member whose joining has lost its tenure was not refused: it asks the next one.
        const bool over = result.error().code == Errc::not_active;
        if (!over || pending.kind != Pending::Kind::add) refuse(turn, pending, result.error());
        return std::move(turn.out);
    }
    Outcome outcome = state_.take_outcome(*result);
    if (outcome.error) {
        refuse(turn, pending, *outcome.error);
        return std::move(turn.out);
    }
    settle(turn, pending, std::move(outcome));
    return std::move(turn.out);
}

void Machine::refuse(Turn& turn, const Pending& pending, const Error& error) {
    if (pending.kind == Pending::Kind::add) {
        complaints_.heard(turn.now, "registry.member_refused",
                          kv("member", pending.family + "/" + pending.member), error);
        pb::Registered answer;
        answer.set_request(pending.request);
        answer.mutable_config()->set_family(pending.family);
        answer.set_member(pending.member);
        *answer.mutable_failure() = wire::to_failure(error);
        turn.send(pending.session, MessageType::registered, answer);
        const auto agent = agents_.find(pending.agent);
        if (agent != agents_.end() && agent->second.members.empty()) {
            agents_.erase(agent);
        }
        return;
    }
    if (pending.kind == Pending::Kind::define) {
        return fail(turn, pending.session, pending.request, error);
    }
    if (pending.kind == Pending::Kind::report) {
        settle_report(turn, pending, turn.now + removal_retry);
    }
    if (pending.kind == Pending::Kind::last_resort) arm_last_resort(turn.now, pending.family);
    if (pending.kind == Pending::Kind::stop_waiting && !pending.family.empty()) {
        arm_waiting(turn.now, pending.family);
    }
    if (pending.kind == Pending::Kind::stop_waiting && pending.family.empty()) {
        restored_until_ = turn.now + lease_max;
    }
    if (pending.kind == Pending::Kind::hand_over || pending.kind == Pending::Kind::call_off) {
        return end_handing(turn, pending.family, error);
    }
    if (pending.kind == Pending::Kind::remove && pending.session.value != 0) {
        pb::Answer answer;
        answer.set_request(pending.request);
        *answer.mutable_failure() = wire::to_failure(error);
        turn.send(pending.session, MessageType::answer, answer);
    }
    // A removal that found no room is proposed again after a while: the lease stays lapsed.
    if (pending.kind == Pending::Kind::remove) {
        const bool news =
            refused_removals_
                .insert_or_assign({pending.family, pending.member}, turn.now + removal_retry)
                .second;
        if (!news) return;
    }
    log_.warn("registry.change_refused", {kv("service", pending.family), kv("error", error)});
}

void Machine::settle(Turn& turn, const Pending& pending, Outcome outcome) {
    for (const Member& gone : outcome.removed) note_removed(turn, pending.family, gone);
    for (const Grant& grant : outcome.grants) {
        if (pending.kind == Pending::Kind::add && grant.member.name == pending.member &&
            grant.member.incarnation == pending.agent) {
            const auto agent = agents_.find(pending.agent);
            adopt(turn, grant,
                  agent == agents_.end() ? grant.member.process : agent->second.process);
            confirm(turn, pending, grant);
        } else {
            tell(turn, grant);
        }
    }
    if (outcome.change) {
        const pb::WatchChange& change = *outcome.change;
        const auto took = to_us(turn.now - pending.since);
        const Service* service = state_.find(change.family());
        if (service != nullptr && !service->story.empty() &&
            service->story.back().revision() == change.revision()) {
            const pb::Promotion& row = service->story.back();
            decided_us_[{row.family(), row.epoch()}] = took;
            if (decided_us_.size() > timings_max) decided_us_.erase(decided_us_.begin());
            log_.info(
                "registry.promoted",
                {kv("service", row.family()), kv("member", row.member()), kv("epoch", row.epoch()),
                 kv("cause", role::name(static_cast<Cause>(row.cause()))),
                 kv("evidence", row.evidence()), kv("decided_us", took)});
        }
        publish(turn, change);
    }
    arm_waiting(turn.now, pending.family);
    say_waiting(pending.family);
    const bool asked =
        pending.kind == Pending::Kind::remove || pending.kind == Pending::Kind::define;
    if (asked && pending.session.value != 0) {
        pb::Answer answer;
        answer.set_request(pending.request);
        turn.send(pending.session, MessageType::answer, answer);
    }
    if (pending.kind == Pending::Kind::report) settle_report(turn, pending, {});
    arm_last_resort(turn.now, pending.family);
    if (const Service* service = state_.find(pending.family);
        service != nullptr && service->journaled()) {
        return settle_journaled(turn, pending);
    }
    if (pending.kind == Pending::Kind::hand_over) end_handing(turn, pending.family, std::nullopt);
    const auto handing = handings_.find(pending.family);
    if (handing != handings_.end()) {
        const Service* service = state_.find(pending.family);
        if (service == nullptr || service->epoch != handing->second.epoch) {
            end_handing(turn, pending.family,
                        Error{.code = Errc::refused,
                              .detail = "the active member failed during the switchover"});
        }
    }
}

void Machine::confirm(Turn& turn, const Pending& pending, const Grant& grant) {
    confirmed_active(grant);
    const Service& service = *state_.find(pending.family);
    pb::Registered answer;
    answer.set_request(pending.request);
    *answer.mutable_config() = service.config;
    answer.set_member(pending.member);
    answer.set_order(grant.member.order.value);
    answer.set_role(static_cast<std::uint32_t>(grant.member.role));
    const bool active = grant.member.role == Role::active;
    answer.set_epoch((active ? grant.member.epoch : service.epoch).value);
    if (service.journaled()) {
        answer.set_role(static_cast<std::uint32_t>(grant.member.designation.role));
        answer.set_epoch(service.epoch.value);
        *answer.mutable_designation() = to_designation(grant.member.designation);
    }
    turn.send(pending.session, MessageType::registered, answer);
}

void Machine::end_handing(Turn& turn, const std::string& family,
                          const std::optional<Error>& error) {
    const auto found = handings_.find(family);
    if (found == handings_.end()) return;
    const Handing handing = std::move(found->second);
    handings_.erase(found);
    pb::Answer answer;
    answer.set_request(handing.request);
    if (error) {
        *answer.mutable_failure() = wire::to_failure(*error);
        const Service* service = state_.find(family);
        const Member* active = service == nullptr ? nullptr : service->active_member();
        if (active != nullptr && active->name == handing.from) tell(turn, {family, *active});
        // Who was to be next on a journaled service need not hold itself ready any more.
        const Member* to = service == nullptr ? nullptr : service->find(handing.to);
        if (to != nullptr && service->journaled()) tell(turn, {family, *to});
    } else {
        const Service& service = *state_.find(family);
        answer.set_epoch(service.epoch.value);
        if (const Member* active = service.active_member()) answer.set_member(active->name);
    }
    // Begun under an earlier tenure: who asked was told then that it does not know.
    if (handing.session.value == 0) return;
    turn.send(handing.session, MessageType::answer, answer);
}

void Machine::tell(Turn& turn, const Grant& grant) {
    const auto agent = agents_.find(grant.member.incarnation);
    if (agent == agents_.end() || agent->second.session.value == 0) return;  // Hears it on return.
    confirmed_active(grant);
    pb::RoleGrant message;
    message.set_family(grant.family);
    message.set_member(grant.member.name);
    message.set_role(static_cast<std::uint32_t>(grant.member.role));
    message.set_epoch(grant.member.epoch.value);
    message.set_order(grant.member.order.value);
    const Service* service = state_.find(grant.family);
    if (service != nullptr && service->journaled()) {
        if (planted(Plant::two_designated) && grant.member.designation.role == Role::standby) {
            return;
        }
        message.set_role(static_cast<std::uint32_t>(grant.member.designation.role));
        *message.mutable_designation() = to_designation(grant.member.designation);
    }
    turn.send(agent->second.session, MessageType::role_grant, message);
}

void Machine::publish(Turn& turn, const pb::WatchChange& change) {
    if (planted(Plant::watch_gap_ignored) && change.revision() % 4 == 0) return;
    pb::WatchChange message = change;
    const std::uint64_t previous = change.previous();
    for (const Watches::Row& row : watches_.of(change.family())) {
        message.set_watch(row.watch);
        message.set_previous(row.all ? change.revision() - 1 : previous);
        turn.send(row.session, MessageType::watch_change, message);
    }
}

void Machine::adopt(Turn& turn, const Grant& grant, const pb::Process& process) {
    Agent& agent = agents_[grant.member.incarnation];
    if (agent.name.empty()) {
        agent.name = grant.member.agent;
        agent.process = process;
    }
    agent.members.emplace(grant.family, grant.member.name);
    leases_.open(grant.member.incarnation, lease_of(grant.family), turn.now);
    if (!agent.asked && !agent.gone) {
        agent.asked = true;
        agent.watched = true;  // Until the shell says that nothing can be proven from here.
        turn.out.push_back(WatchProcess{grant.member.incarnation, agent.process});
    }
}

void Machine::note_removed(Turn& turn, const std::string& family, const Member& member) {
    refused_removals_.erase({family, member.name});
    reported_.erase({family, member.name});
    const auto found = agents_.find(member.incarnation);
    if (found == agents_.end()) return;
    Agent& agent = found->second;
    if (agent.session.value != 0) {
        const Service* service = state_.find(family);
        pb::Revoked revoked;
        revoked.set_family(family);
        revoked.set_member(member.name);
        revoked.set_epoch(service == nullptr ? 0 : service->epoch.value);
        revoked.set_reason("removed from the line");
        turn.send(agent.session, MessageType::revoked, revoked);
    }
    agent.members.erase({family, member.name});
    if (!agent.members.empty()) return;
    leases_.close(member.incarnation);
    if (agent.watched) turn.out.push_back(ForgetProcess{member.incarnation});
    agents_.erase(found);
}

/// From the first member on: before that there is nobody to be promoted.
void Machine::arm_waiting(TimePoint now, const std::string& family) {
    const Service* service = state_.find(family);
    if (service != nullptr && service->waits() && !service->line.empty()) {
        waiting_.emplace(family, now + lease_of(family));
    } else {
        waiting_.erase(family);
    }
}

void Machine::confirmed_active(const Grant& grant) {
    if (grant.member.role == Role::active) confirmed_[grant.family] = grant.member.name;
}

/// The member that the state takes for the active one, if it does not know so from this tenure: a
/// state that is older than what has happened since names the wrong one.
std::string Machine::unconfirmed(const std::string& family) const {
    if (planted(Plant::backup_believed)) return {};
    const Service* service = state_.find(family);
    if (service == nullptr || service->redundancy() != Redundancy::fault_tolerant) return {};
    const Member* const active = service->active_member();
    if (active == nullptr) return {};
    const auto known = confirmed_.find(family);
    return known != confirmed_.end() && known->second == active->name ? "" : active->name;
}

/// Once for each thing that is waited for.
void Machine::say_waiting(const std::string& family) {
    const Service* service = state_.find(family);
    std::string waiting = service == nullptr ? "" : waiting_of(*service);
    if (waiting.empty()) {
        said_waiting_.erase(family);
        return;
    }
    std::string& said = said_waiting_[family];
    if (std::exchange(said, std::move(waiting)) == said) return;
    const bool stuck = service->journaled() && service->start_order->active().empty();
    log_.write(stuck ? LogLevel::warn : LogLevel::info, "registry.nobody_active",
               {kv("service", family), kv("waiting", said)});
}

bool Machine::connected(Incarnation agent) const {
    const auto found = agents_.find(agent);
    return found != agents_.end() && found->second.session.value != 0;
}

Duration Machine::lease_of(const std::string& family) const {
    const Service* service = state_.find(family);
    const Duration lease = service == nullptr
                               ? lease_max
                               : Duration(std::chrono::milliseconds(service->config.lease_ms()));
    return std::clamp(lease, lease_min, lease_max);
}

void Machine::check_invariants() const {
    state_.check_invariants();
    for (const auto& [id, session] : sessions_) US_ASSERT(id.value != 0);
    for (const auto& [incarnation, agent] : agents_) {
        if (agent.session.value != 0) US_ASSERT(sessions_.contains(agent.session));
    }
    US_ASSERT(pending_.size() <= proposals_max);
}

}  // namespace understudy::registry
