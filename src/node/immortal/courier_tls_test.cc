// A peer that answers for a service with the certificate of another service is not believed,
// whatever it says.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "link/link.h"
#include "node/immortal/immortal_client.h"
#include "node/immortal/immortal_handshake.h"
#include "sim/test_programs.h"
#include "sim/world.h"

namespace understudy::node {
namespace {

constexpr std::uint16_t trap_port = sim::Server::port;
constexpr std::uint16_t speaker_port = 7001;

/// In the simulator a certificate's file is named after its owner.
[[nodiscard]] TlsOptions certificate(const std::string& file) {
    return {"/tls/" + file + ".pem", "/tls/" + file + ".key", "/tls/ca.pem"};
}

/// Answers every hello in the same way.
class Speaker final : public link::Link::Observer {
public:
    Speaker(Runtime& runtime, TlsOptions tls, ImmortalAnswer answer) : answer_(std::move(answer)) {
        auto opened = runtime.network().listen(
            {"", speaker_port}, tls, [this, &runtime](std::unique_ptr<Connection> connection) {
                links_.push_back(std::make_unique<link::Link>(
                    runtime, std::move(connection), wire::Side::accepting, link::Link::Options{},
                    static_cast<link::Link::Observer&>(*this)));
            });
        US_ASSERT(opened);
        listener_ = *std::move(opened);
    }
    int heard = 0;
    int messages = 0;

private:
    void link_hello(link::Link& link, Bytes) override {
        ++heard;
        link.welcome(encode(answer_));
    }
    void link_welcome(link::Link&, Bytes) override {}
    void link_message(link::Link&, wire::MessageType, Bytes) override { ++messages; }
    void link_drained(link::Link&) override {}
    void link_closed(link::Link&, const Error&) override {}

    const ImmortalAnswer answer_;
    std::unique_ptr<Listener> listener_;
    std::vector<std::unique_ptr<link::Link>> links_;
};

/// A client with messages for the service.
struct Caller {
    Caller(Runtime& runtime, Log& log) : places(runtime) {
        places.set("bank", {{.member = {}, .address = {"speaker", speaker_port}}});
        client = ImmortalClient::make(
            runtime, log, {.service = "bank", .tls = certificate("anybody")}, places);
        (void)client->send("pay", {});
    }
    hosting::StaticLocator places;
    std::unique_ptr<ImmortalClient> client;
};

class CourierTls : public ::testing::Test {
protected:
    CourierTls() {
        for (const char* const name : {"speaker", "trap", "caller"}) world.add_node(name);
        trap_ = &world.node("trap").start("trap", [](Runtime& runtime, Log&) {
            return std::make_unique<sim::Server>(runtime, "", certificate("bank:b2"));
        });
    }
    /// A caller reaches a peer that shows this certificate and gives this answer.
    void play(const std::string& shown, const ImmortalAnswer& answer) {
        speaker_ = &world.node("speaker").start("s", [&](Runtime& runtime, Log&) {
            return std::make_unique<Speaker>(runtime, certificate(shown), answer);
        });
        world.node("caller").start("c", [](Runtime& runtime, Log& log) {
            return std::make_unique<Caller>(runtime, log);
        });
        world.run_for(5s);
        EXPECT_GT(speaker().heard, 0);
    }
    [[nodiscard]] Speaker& speaker() { return speaker_->app<Speaker>(); }
    [[nodiscard]] std::size_t trapped() { return trap_->app<sim::Server>().ends.size(); }

    static ImmortalAnswer elsewhere() {
        return ImmortalElsewhere{
            .member = "b2", .epoch = {9}, .address = {"trap", trap_port}};
    }
    static ImmortalAnswer welcome() {
        return ImmortalWelcome{.member = "b1", .epoch = {3}, .instance = 7};
    }

    sim::World world;

private:
    sim::Process* trap_ = nullptr;
    sim::Process* speaker_ = nullptr;
};

TEST_F(CourierTls, AMemberOfTheServiceMaySayWhoIsActive) {
    play("bank:b1", elsewhere());
    EXPECT_GT(trapped(), 0U);
}

TEST_F(CourierTls, ACertificateOfTheWholeServiceDoesToo) {
    play("bank:*", elsewhere());
    EXPECT_GT(trapped(), 0U);
}

TEST_F(CourierTls, NobodyElseSendsACallerAway) {
    play("shop:b1", elsewhere());
    EXPECT_EQ(trapped(), 0U);
}

TEST_F(CourierTls, TheMemberThatTheCertificateNamesIsTold) {
    play("bank:b1", welcome());
    EXPECT_GT(speaker().messages, 0);
}

TEST_F(CourierTls, AnotherMemberAndAnotherServiceAreToldNothing) {
    play("bank:b2", welcome());
    EXPECT_EQ(speaker().messages, 0);
}

TEST_F(CourierTls, ABareNameIsNoCertificateOfAMember) {
    play("b1", welcome());
    EXPECT_EQ(speaker().messages, 0);
}

}  // namespace
}  // namespace understudy::node
