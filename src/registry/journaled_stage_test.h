#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "registry/machine.h"
#include "wire/control.h"
#include "wire/definition.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

/// A registry without a journal, and members of a journaled service: what is proposed is durable
/// when commit() says so.
class JournaledStage {
public:
    JournaledStage() { restart(); }

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

[[nodiscard]] inline Role role_of(const pb::Designation& designation) {
    return static_cast<Role>(designation.role());
}

}  // namespace understudy::registry
