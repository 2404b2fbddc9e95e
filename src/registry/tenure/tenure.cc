#include "registry/tenure/tenure.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "registry/state/definition.h"
#include "registry/time.h"
#include "registry/validate.h"
#include "understudy/limits.h"
#include "wire/control.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;
using wire::MessageType;
using Kind = Proposal::Kind;

namespace {

/// Does a known member say more than that it has returned?
[[nodiscard]] bool tells_news(const Service& service, const Member& member,
                              const pb::Register& wanted) {
    if (member.unheard || member.node != wire::from_endpoint(wanted.node())) return true;
    pb::MemberReported reported;
    reported.set_has_checkpoint(wanted.has_checkpoint());
    reported.set_role(static_cast<std::uint32_t>(member.role));
    reported.set_epoch(service.epoch.value);
    if (wanted.holds_role()) {
        reported.set_role(static_cast<std::uint32_t>(Role::active));
        reported.set_epoch(wanted.known_epoch());
    }
    return service.election().is_news(service, member, reported);
}

/// The same process registers again, and nothing has changed.
[[nodiscard]] bool is_known(const Service& service, const Member& member,
                            const pb::Register& wanted) {
    return wanted.known_epoch() <= service.epoch.value &&
           member.endpoint == wire::from_endpoint(wanted.endpoint()) &&
           service.config.redundancy() == wanted.config().redundancy() &&
           !tells_news(service, member, wanted);
}

[[nodiscard]] std::string family_of(const pb::DefinitionAsk& ask) {
    return ask.has_define()   ? ask.define().family()
           : ask.has_add()    ? ask.add().family()
           : ask.has_remove() ? ask.remove().family()
                              : ask.undefine().family();
}

}  // namespace

Tenure::Tenure(const Options& options, State& state, Log& log, TimePoint now)
    : options_(options),
      state_(state),
      log_(log),
      evidence_(state, sessions_, log, now, 2 * options.turn_max),
      grants_(state, sessions_),
      reports_(state),
      waits_(state, log, options.last_resort_wait),
      switchovers_(options.switchover, state, sessions_, reports_, grants_),
      queries_(options.name, options.version, state, sessions_, reports_, now),
      node_changes_(options.name, sessions_),
      watches_(state) {
    US_ASSERT(options.turn_max > Duration::zero());
}

Turn Tenure::begin(TimePoint now, std::uint64_t wall_ms) {
    evidence_.turn(now);
    return {.now = now, .wall_ms = wall_ms, .pending = pending_};
}

Effects Tenure::end(Turn& turn) {
    const auto crowded_out = std::move(turn.crowded_out);
    for (const Proposal& proposal : crowded_out) {
        refuse(turn, proposal,
               {.code = Errc::limit_exceeded, .detail = "too many changes in flight"});
    }
    return std::move(turn.out);
}

Effects Tenure::start(TimePoint now, std::uint64_t wall_ms, std::uint64_t registry_id) {
    US_ASSERT(registry_id != 0);
    Turn turn = begin(now, wall_ms);
    state_.go_live();
    if (!state_.founded()) {
        pb::RegistryCommand command;
        command.mutable_found()->set_platform(options_.platform);
        command.mutable_found()->set_registry_id(registry_id);
        turn.propose({.kind = Kind::found}, std::move(command), Urgency::urgent);
    }
    for (const auto& [family, service] : state_.services()) {
        for (const auto& [order, member] : service.line) adopt(turn, {family, member});
        waits_.arm(now, family);
    }
    switchovers_.start(now);
    waits_.start(now);
    return end(turn);
}

// --- Connections ---------------------------------------------------------------------------------

Result<pb::Welcome> Tenure::welcome(const pb::Hello& hello) const {
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
    US_CHECK(sessions_.may_open());
    pb::Welcome welcome;
    welcome.set_platform(state_.platform());
    welcome.set_peer(options_.name);
    welcome.set_registry_id(state_.registry_id());
    tell_nodes(node_changes_.nodes(), welcome);
    welcome.set_active_node(options_.name);
    return welcome;
}

Effects Tenure::set_nodes(std::vector<Node> nodes) {
    Turn turn{.now = {}, .wall_ms = 0, .pending = pending_};
    node_changes_.set_nodes(turn, std::move(nodes));
    return end(turn);
}

Effects Tenure::opened(TimePoint now, SessionId id, const pb::Hello& hello) {
    Turn turn = begin(now);
    sessions_.opened(turn, id, hello);
    evidence_.heard(Incarnation{hello.incarnation()}, now);
    log_.debug("registry.session_opened", {kv("agent", hello.agent()), kv("session", id.value)});
    return end(turn);
}

Effects Tenure::closed(TimePoint now, SessionId id) {
    Turn turn = begin(now);
    watches_.remove(id);
    const Sessions::Session* session = sessions_.find(id);
    if (session == nullptr) return {};
    const std::string name = session->agent;
    if (const auto agent = sessions_.closed(id)) {
        log_.info("registry.agent_disconnected",
                  {kv("agent", name), kv("members", evidence_.members_of(*agent))});
    }
    return end(turn);
}

Result<Effects> Tenure::received(TimePoint now, std::uint64_t wall_ms, SessionId id,
                                 MessageType type, Bytes body) {
    Turn turn = begin(now, wall_ms);
    complaints_.tell(now);
    const Sessions::Session* session = sessions_.find(id);
    if (session == nullptr) return Effects{};  // It was closed in this turn.
    evidence_.heard(session->incarnation, now);
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
            switchovers_.ready(turn, id, US_TRY(wire::decode_as<pb::Drained>(body)));
            break;
        case MessageType::ask:
            on(turn, id, US_TRY(wire::decode_as<pb::Ask>(body)));
            break;
        default:
            return Error{.code = Errc::corrupt,
                         .detail = fmt::format("message type {} to a registry",
                                               static_cast<unsigned>(type))};
    }
    return end(turn);
}

// --- What agents say -----------------------------------------------------------------------------

void Tenure::on(Turn& turn, SessionId id, const pb::Register& wanted) {
    const Sessions::Session& session = sessions_.at(id);
    Proposal proposal{.kind = Kind::add,
                      .session = id,
                      .request = wanted.request(),
                      .agent = session.incarnation,
                      .family = wanted.config().family(),
                      .member = wanted.member()};
    if (auto valid = check(wanted); !valid) return refuse(turn, proposal, valid.error());

    pb::RegistryCommand command;
    pb::AddMember& add = *command.mutable_add();
    const Service* service = state_.find(proposal.family);
    const Member* old = service == nullptr ? nullptr : service->find(proposal.member);
    if (old != nullptr && old->incarnation != session.incarnation) {
        auto gone = evidence_.replaceable(*old);
        if (!gone) return refuse(turn, proposal, gone.error());
        add.set_replaces(old->incarnation.value);
        add.set_evidence(*std::move(gone));
    } else if (old != nullptr && is_known(*service, *old, wanted)) {
        // It was only disconnected. Nothing is written, so this works on a full disk, too.
        const Grant grant{proposal.family, *old};
        sessions_.bind(id);
        adopt(turn, grant);
        return grants_.confirm(turn, proposal, grant);
    }
    *add.mutable_wanted() = wanted;
    add.set_agent(session.agent);
    add.set_incarnation(session.incarnation.value);
    *add.mutable_process() = session.process;
    add.set_unconfirmed(grants_.unconfirmed(proposal.family));
    sessions_.bind(id);
    const Urgency urgency = add.replaces() != 0 ? Urgency::urgent : Urgency::usual;
    turn.propose(std::move(proposal), std::move(command), urgency);
}

void Tenure::on(Turn& turn, SessionId id, const pb::Unregister& wanted) {
    const Incarnation agent = sessions_.at(id).incarnation;
    const Member* member = state_.find(wanted.family(), wanted.member());
    if (member == nullptr || member->incarnation != agent) {
        return turn.succeed(id,
                            wanted.request());  // It is not in line, as was requested.
    }
    turn.propose(
        {.kind = Kind::remove,
         .session = id,
         .request = wanted.request(),
         .agent = agent,
         .family = wanted.family(),
         .member = wanted.member()},
        evidence_.removal(turn.now, wanted.family(), *member, Cause::left, "it unregistered"),
        Evidence::urgency(*state_.find(wanted.family()), *member));
}

void Tenure::on(Turn& turn, SessionId id, const pb::Watch& watch) {
    const bool valid = watch.family().empty() || check_family(watch.family());
    if (!valid || !watches_.open(turn, id, watch.watch(), watch.family())) {
        turn.out.push_back(Close{id});
        return;
    }
    for (const pb::KnownEpoch& known : watch.known()) raise_epoch(turn, id, known);
}

void Tenure::raise_epoch(Turn& turn, SessionId id, const pb::KnownEpoch& known) {
    if (!check_family(known.family()) || known.epoch() >= epoch_max) return;
    const Service* service = state_.find(known.family());
    if (service != nullptr && service->epoch.value >= known.epoch()) return;
    if (service != nullptr && !service->election().believes_hearsay()) return;
    pb::RegistryCommand command;
    command.mutable_raise()->set_family(known.family());
    command.mutable_raise()->set_epoch(known.epoch());
    const std::string& reporter = sessions_.at(id).agent;
    command.mutable_raise()->set_reporter(reporter.empty() ? "without a name" : reporter);
    command.mutable_raise()->set_unconfirmed(grants_.unconfirmed(known.family()));
    turn.propose({.kind = Kind::raise, .family = known.family()}, std::move(command),
                 Urgency::urgent);
}

void Tenure::on(Turn& turn, SessionId id, pb::MemberReport report) {
    const Member* member = state_.find(report.family(), report.member());
    // The member reports again when it is registered.
    if (member == nullptr || member->incarnation != sessions_.at(id).incarnation) return;
    const std::string family = report.family();
    if (reports_.heard(turn, report)) return switchovers_.reported(turn, family);
    log_.warn("registry.report_ignored", {kv("service", family), kv("member", report.member()),
                                          kv("role", report.role()), kv("epoch", report.epoch())});
}

void Tenure::on(Turn& turn, SessionId id, const pb::Ask& ask) {
    const std::uint64_t request = ask.request();
    Result<void> taken;
    switch (ask.what_case()) {
        case pb::Ask::kSwitchover:
            taken = switchovers_.ask(turn, id, request, ask.switchover());
            break;
        case pb::Ask::kNodes:
            taken = node_changes_.ask(turn, id, request, ask.nodes());
            break;
        case pb::Ask::kDefinition:
            taken = ask_definition(turn, id, request, ask.definition());
            break;
        default:
            return queries_.ask(turn, id, ask);
    }
    if (!taken) turn.fail(id, request, taken.error());
}

Result<void> Tenure::ask_definition(Turn& turn, SessionId id, std::uint64_t request,
                                    const pb::DefinitionAsk& ask) {
    US_CHECK(check(ask));
    pb::RegistryCommand command;
    *command.mutable_definition() = ask;
    turn.propose(
        {.kind = Kind::define, .session = id, .request = request, .family = family_of(ask)},
        std::move(command), Urgency::usual);
    return {};
}

// --- Time and the end ----------------------------------------------------------------------------

Effects Tenure::process_gone(TimePoint now, std::uint64_t wall_ms, Incarnation agent) {
    Turn turn = begin(now, wall_ms);
    if (!evidence_.knows(agent)) return {};
    // A forked child may keep the sockets of the dead process open.
    sessions_.cut(turn, agent);
    evidence_.process_gone(turn, agent);
    return end(turn);
}

Effects Tenure::confirmed(TimePoint now, std::uint64_t token, const Result<void>& result) {
    Turn turn{.now = now, .wall_ms = 0, .pending = pending_};
    queries_.confirmed(turn, token, result);
    return end(turn);
}

Effects Tenure::nodes_changed(TimePoint now, std::uint64_t token, const Result<void>& result) {
    Turn turn{.now = now, .wall_ms = 0, .pending = pending_};
    node_changes_.changed(turn, token, result);
    return end(turn);
}

Effects Tenure::tick(TimePoint now, std::uint64_t wall_ms) {
    Turn turn = begin(now, wall_ms);
    evidence_.tick(turn);
    switchovers_.tick(turn);
    waits_.tick(turn);
    reports_.tick(turn);
    return end(turn);
}

TimePoint Tenure::next_deadline(TimePoint now) const {
    TimePoint next = now + options_.turn_max;
    if (const auto lapse = evidence_.next_lapse()) {
        next = std::min(next, std::max(*lapse, now + 1ms));
    }
    return next;
}

/// A request that was proposed may have been carried out: its effect is unknown. Members are not
/// answered: they register with the next active node and hear their role there.
Effects Tenure::retire(TimePoint now) {
    Turn turn{.now = now, .wall_ms = 0, .pending = pending_};
    const Error without{
        .code = Errc::not_active,
        .detail = fmt::format("registry node {} is not active any more", options_.name)};
    Error unknown = without;
    unknown.effect = understudy::Effect::unknown;
    for (const auto& [token, proposal] : pending_.all()) {
        if (proposal.is_asked()) turn.fail(proposal.session, proposal.request, unknown);
    }
    switchovers_.retire(turn, without);
    queries_.retire(turn, without);
    node_changes_.retire(turn, unknown);
    for (const auto& [id, session] : sessions_.all()) turn.out.push_back(Close{id});
    state_.go_quiet();
    return std::move(turn.out);
}

void Tenure::check_invariants() const {
    state_.check_invariants();
    sessions_.check_invariants();
}

}  // namespace understudy::registry
