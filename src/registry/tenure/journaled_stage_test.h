#pragma once

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "registry/tenure/stage_test.h"
#include "wire/definition.h"

namespace understudy::registry {

/// A registry with members of a journaled service.
class JournaledStage final : public RegistryStage {
public:
    JournaledStage() : RegistryStage("server") {}

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
            take(tenure->confirmed(now, token, {}));
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

    bool last_resort = false;
};

[[nodiscard]] inline Role role_of(const pb::Designation& designation) {
    return static_cast<Role>(designation.role());
}

}  // namespace understudy::registry
