#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "registry/machine.h"
#include "wire/control.h"
#include "wire/definition.h"

namespace understudy::registry {
namespace {

namespace pb = wire::pb;
using wire::MessageType;

/// A registry without a journal, and members of a journaled service: what is proposed is durable
/// when commit() says so.
class Stage {
public:
    Stage() { restart(); }

    void restart() {
        machine.emplace(Machine::Options{.turn_max = 50ms, .last_resort_wait = 3s}, state, log, now);
        take(machine->start(now, 0, 77));
        commit();
    }

    SessionId connect(std::uint64_t incarnation) {
        const SessionId id{++session_last};
        pb::Hello hello;
        hello.set_agent("agent" + std::to_string(incarnation));
        hello.set_incarnation(incarnation);
        take(machine->opened(now, id, hello));
        return id;
    }

    template <class Message>
    void say(SessionId from, MessageType type, const Message& message) {
        Buffer body;
        auto effects = machine->received(now, 0, from, type, wire::encode(message, body));
        ASSERT_TRUE(effects);
        take(*std::move(effects));
    }

    void enter(SessionId from, std::uint32_t replica, std::uint64_t holds_epoch = 0) {
        pb::Register wanted;
        wanted.set_request(++request_last);
        wanted.mutable_config()->set_family("server");
        wanted.mutable_config()->set_redundancy(3);
        wanted.mutable_config()->set_lease_ms(1000);
        wanted.set_member(wire::replica_member(replica));
        wanted.mutable_endpoint()->set_host("127.0.0.1");
        wanted.mutable_endpoint()->set_port(7000 + replica);
        wanted.set_holds_role(holds_epoch != 0);
        wanted.set_known_epoch(holds_epoch);
        say(from, MessageType::register_member, wanted);
        commit();
    }

    void report(SessionId from, std::uint32_t replica, Role role, std::uint64_t epoch,
                std::uint64_t applied = 0, bool has_checkpoint = false) {
        pb::MemberReport said;
        said.set_family("server");
        said.set_member(wire::replica_member(replica));
        said.set_role(static_cast<std::uint32_t>(role));
        said.set_epoch(epoch);
        said.set_applied(applied);
        said.set_committed(applied + 1);
        said.set_has_checkpoint(has_checkpoint);
        said.set_detail(std::string(1000, 'x'));
        say(from, MessageType::member_report, said);
    }

    pb::Answer ask(SessionId from, pb::Ask ask) {
        ask.set_request(++request_last);
        say(from, MessageType::ask, ask);
        for (const std::uint64_t token : std::exchange(confirms, {})) {
            take(machine->confirmed(now, token, {}));
        }
        commit();
        const auto answer = last<pb::Answer>(from, MessageType::answer);
        EXPECT_TRUE(answer && answer->request() == ask.request());
        return *answer;
    }
    pb::Answer define(SessionId from, std::uint32_t replicas) {
        pb::Ask question;
        pb::DefineAsk& define = *question.mutable_definition()->mutable_define();
        define.set_family("server");
        define.set_kind(1);
        define.set_journal(1);
        define.set_directory("/logs");
        define.set_last_resort(last_resort ? 1 : 0);
        pb::Answer answer = ask(from, question);
        for (std::uint32_t number = 1; number < replicas; ++number) {
            pb::Ask more;
            more.mutable_definition()->mutable_add()->set_family("server");
            more.mutable_definition()->mutable_add()->set_number(number);
            answer = ask(from, more);
        }
        return answer;
    }
    pb::ServiceInfo look_up(SessionId from) {
        pb::Ask question;
        question.mutable_lookup()->set_family("server");
        const pb::Answer answer = ask(from, question);
        return answer.lookup().services_size() == 0 ? pb::ServiceInfo()
                                                    : answer.lookup().services(0);
    }

    void pass(Duration time, const std::vector<SessionId>& beating = {}) {
        const TimePoint end = now + time;
        while (now < end) {
            now += 20ms;
            for (const SessionId id : beating) say(id, MessageType::heartbeat, pb::Heartbeat{});
            take(machine->tick(now, 0));
            commit();
        }
    }

    void take(Effects effects) {
        for (Effect& effect : effects) {
            if (auto* propose = std::get_if<Propose>(&effect)) {
                proposals.push_back(std::move(*propose));
            } else if (auto* send = std::get_if<Send>(&effect)) {
                sent.push_back(std::move(*send));
            } else if (const auto* close = std::get_if<Close>(&effect)) {
                take(machine->closed(now, close->session));
            } else if (const auto* confirm = std::get_if<Confirm>(&effect)) {
                confirms.push_back(confirm->token);
            }
        }
        machine->check_invariants();
    }

    void commit() {
        while (!proposals.empty()) {
            const Propose propose = std::move(proposals.front());
            proposals.erase(proposals.begin());
            index = index.next();
            Buffer reply;
            state.apply({.index = index, .body = propose.command}, reply);
            take(machine->committed(now, 0, propose.token, Applied::from(index, reply)));
        }
    }
    void refuse(Errc code) {
        const Propose propose = std::move(proposals.front());
        proposals.erase(proposals.begin());
        take(machine->committed(now, 0, propose.token, Error{.code = code}));
    }

    template <class Message>
    std::optional<Message> last(SessionId to, MessageType type) {
        for (auto row = sent.rbegin(); row != sent.rend(); ++row) {
            if (row->to == to && row->type == type) return *wire::decode_as<Message>(row->body);
        }
        return std::nullopt;
    }
    [[nodiscard]] std::string active() const {
        const Member* member = state.find("server")->active_member();
        return member == nullptr ? "" : member->name;
    }

    TimePoint now{std::chrono::hours(1)};
    NullLog log;
    State state;
    std::optional<Machine> machine;
    std::vector<Propose> proposals;
    std::vector<Send> sent;
    std::vector<std::uint64_t> confirms;
    Index index;
    std::uint64_t session_last = 0;
    std::uint64_t request_last = 0;
    bool last_resort = false;
};

[[nodiscard]] Role role_of(const pb::Designation& designation) {
    return static_cast<Role>(designation.role());
}

TEST(MachineJournaled, AReportThatFoundNoRoomIsOfferedAgain) {
    Stage stage;
    const SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 4);
    stage.refuse(Errc::no_space);
    EXPECT_EQ(stage.active(), "");
    EXPECT_TRUE(stage.proposals.empty()) << "not at once";

    stage.pass(600ms, {session});

    EXPECT_EQ(stage.active(), "replica-0");
}

TEST(MachineJournaled, ReportsThatAreNoneChangeNothing) {
    Stage stage;
    const SessionId session = stage.connect(1);
    const SessionId other = stage.connect(2);
    stage.define(session, 2);
    stage.report(session, 0, Role::active, 4);  // Not registered yet.
    stage.enter(session, 0);
    stage.report(other, 0, Role::active, 4);  // Not its member.
    stage.report(session, 0, static_cast<Role>(9), 4);
    stage.report(session, 0, Role::active, std::uint64_t{1} << 62);
    EXPECT_TRUE(stage.proposals.empty());
    EXPECT_EQ(stage.active(), "");
}

TEST(MachineJournaled, MembersHearWhatTheyAreDesignated) {
    Stage stage;
    const SessionId zero = stage.connect(1);
    const SessionId one = stage.connect(2);
    stage.define(zero, 3);
    stage.enter(zero, 0);
    const auto registered = stage.last<pb::Registered>(zero, MessageType::registered);
    EXPECT_EQ(role_of(registered->designation()), Role::active);
    EXPECT_TRUE(registered->designation().takes_checkpoints());

    stage.enter(one, 1);

    EXPECT_EQ(role_of(stage.last<pb::Registered>(one, MessageType::registered)->designation()),
              Role::checkpointer);
    const auto grant = stage.last<pb::RoleGrant>(zero, MessageType::role_grant);
    ASSERT_TRUE(grant);
    EXPECT_EQ(role_of(grant->designation()), Role::active);
    EXPECT_FALSE(grant->designation().takes_checkpoints());
}

TEST(MachineJournaled, PositionsAreSeenInLookupsAndWrittenNowhere) {
    Stage stage;
    const SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 1, 10, true);
    stage.commit();
    const Index before = stage.index;
    stage.report(session, 0, Role::active, 1, 20, true);
    EXPECT_TRUE(stage.proposals.empty());
    stage.pass(200ms, {session});

    const pb::MemberPosition position = stage.look_up(session).members(0).position();

    EXPECT_EQ(position.applied(), 20u);
    EXPECT_EQ(position.committed(), 21u);
    EXPECT_EQ(position.heard_ms(), 200u);
    EXPECT_EQ(position.detail().size(), Machine::detail_max);
    EXPECT_EQ(stage.index, before);
}

TEST(MachineJournaled, TheLastOfSeveralReportsCounts) {
    Stage stage;
    const SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 4);
    stage.report(session, 0, Role::standby, 4);
    stage.report(session, 0, Role::active, 6);
    EXPECT_EQ(stage.proposals.size(), 1u) << "one at a time";
    stage.commit();
    EXPECT_EQ(stage.active(), "replica-0");
    EXPECT_EQ(stage.state.find("server")->epoch, Epoch{6});
}

TEST(MachineJournaled, AHungMemberStopsAndTheNextIsDesignated) {
    Stage stage;
    const SessionId zero = stage.connect(1);
    const SessionId one = stage.connect(2);
    const SessionId two = stage.connect(3);
    stage.define(zero, 3);
    stage.enter(zero, 0);
    stage.enter(one, 1);
    stage.enter(two, 2);
    stage.report(zero, 0, Role::active, 1, 5, true);
    stage.commit();

    stage.pass(1200ms, {one, two});

    EXPECT_EQ(stage.active(), "");
    EXPECT_EQ(role_of(stage.last<pb::RoleGrant>(two, MessageType::role_grant)->designation()),
              Role::active);
    EXPECT_TRUE(stage.last<pb::Revoked>(zero, MessageType::revoked));
    stage.report(two, 2, Role::active, 2);
    stage.commit();
    EXPECT_EQ(stage.active(), "replica-2");

    stage.enter(zero, 0, 1);
    EXPECT_EQ(stage.active(), "replica-2") << "its epoch is over";
}

TEST(MachineJournaled, AfterARestartTheActiveIsStillSoAndWritesNothingByComingBack) {
    Stage stage;
    SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 4, 0, true);
    stage.commit();
    const Index before = stage.index;

    stage.restart();
    session = stage.connect(1);
    stage.enter(session, 0, 4);
    stage.report(session, 0, Role::active, 4, 0, true);
    stage.commit();

    EXPECT_EQ(stage.active(), "replica-0");
    EXPECT_EQ(stage.index, before);
}

TEST(MachineJournaled, ALastResortIsTakenWhenNobodyElseComes) {
    Stage stage;
    stage.last_resort = true;
    const SessionId session = stage.connect(1);
    stage.define(session, 2);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 1, 0, true);
    stage.commit();
    pb::Unregister leave;
    leave.set_family("server");
    leave.set_member("replica-0");
    stage.say(session, MessageType::unregister_member, leave);
    stage.commit();
    stage.enter(session, 0);
    const auto designation = [&] {
        return stage.state.find("server")->find("replica-0")->designation.role;
    };
    EXPECT_EQ(designation(), Role::checkpointer);
    stage.pass(2900ms, {session});
    EXPECT_EQ(designation(), Role::checkpointer);
    stage.pass(300ms, {session});
    EXPECT_EQ(designation(), Role::active);
}

TEST(MachineJournaled, DefinitionsAreAnsweredWhenTheyAreDurable) {
    Stage stage;
    const SessionId session = stage.connect(1);
    pb::Ask question;
    question.set_request(99);
    pb::DefineAsk& define = *question.mutable_definition()->mutable_define();
    define.set_family("server");
    define.set_kind(1);
    define.set_journal(1);
    define.set_directory("relative");
    EXPECT_EQ(stage.ask(session, question).failure().code(),
              static_cast<std::uint32_t>(Errc::bad_config));
    define.set_directory("/logs");
    question.set_request(100);
    stage.say(session, MessageType::ask, question);
    EXPECT_NE(stage.last<pb::Answer>(session, MessageType::answer)->request(), 100u);
    stage.refuse(Errc::no_space);
    EXPECT_EQ(stage.last<pb::Answer>(session, MessageType::answer)->failure().code(),
              static_cast<std::uint32_t>(Errc::no_space));
    EXPECT_FALSE(stage.define(session, 3).has_failure());
    EXPECT_EQ(stage.look_up(session).definition().replicas_size(), 3);

    question.mutable_definition()->mutable_undefine()->set_family("server");
    EXPECT_FALSE(stage.ask(session, question).has_failure());
    EXPECT_EQ(stage.ask(session, question).failure().code(),
              static_cast<std::uint32_t>(Errc::not_found));
}

TEST(MachineJournaled, WhoDefinedWhileTheTenureEndedDoesNotKnow) {
    Stage stage;
    const SessionId session = stage.connect(1);
    pb::Ask question;
    question.set_request(100);
    pb::DefineAsk& define = *question.mutable_definition()->mutable_define();
    define.set_family("server");
    define.set_kind(1);
    define.set_journal(2);
    stage.say(session, MessageType::ask, question);
    stage.take(stage.machine->retire(stage.now));
    const auto answer = stage.last<pb::Answer>(session, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->failure().code(), static_cast<std::uint32_t>(Errc::not_active));
    EXPECT_EQ(answer->failure().effect(), static_cast<std::uint32_t>(understudy::Effect::unknown));
}

TEST(MachineJournaled, ASwitchoverIsRefused) {
    Stage stage;
    const SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    pb::Ask question;
    question.mutable_switchover()->set_family("server");
    EXPECT_EQ(stage.ask(session, question).failure().code(),
              static_cast<std::uint32_t>(Errc::refused));
}

TEST(MachineJournaled, WatchersHearOfDefinitionsAndOfTheirEnd) {
    Stage stage;
    const SessionId session = stage.connect(1);
    const SessionId watcher = stage.connect(2);
    pb::Watch watch;
    watch.set_watch(1);
    stage.say(watcher, MessageType::watch, watch);
    stage.define(session, 2);
    auto change = stage.last<pb::WatchChange>(watcher, MessageType::watch_change);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->definition().replicas_size(), 2);
    pb::Ask question;
    question.mutable_definition()->mutable_undefine()->set_family("server");
    stage.ask(session, question);
    change = stage.last<pb::WatchChange>(watcher, MessageType::watch_change);
    EXPECT_TRUE(change->removed());
    EXPECT_EQ(change->previous() + 1, change->revision());
}

}  // namespace
}  // namespace understudy::registry
