// Immortals with certificates: a peer that speaks for a service must show a certificate with its
// name. Real sockets, real TLS; each member and client has its own loop.

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/eventually_test.h"
#include "base/scratch_test.h"
#include "library/engine.h"
#include "platform/free_port.h"
#include "tests/contract/certificates.h"
#include "tests/process/immortal_parts.h"
#include "understudy/immortal_client.h"
#include "understudy/immortal_member.h"

namespace understudy::process {
namespace {

/// The log of a member or client; outlives it.
class Lines {
public:
    [[nodiscard]] LogSink sink() {
        return [this](std::string_view line) {
            const std::lock_guard lock(mutex_);
            all_.append(line).append("\n");
        };
    }
    [[nodiscard]] bool say(const std::string& what) {
        const std::lock_guard lock(mutex_);
        return all_.find(what) != std::string::npos;
    }
    [[nodiscard]] std::string all() {
        const std::lock_guard lock(mutex_);
        return all_;
    }

private:
    std::mutex mutex_;
    std::string all_;
};

class ImmortalTls : public ::testing::Test {
protected:
    [[nodiscard]] static TlsFiles of(const contract::TestAuthority& authority,
                                     const std::string& common_name) {
        const TlsOptions tls = authority.issue(common_name, "IP:127.0.0.1");
        return {.certificate = tls.certificate_file,
                .key = tls.key_file,
                .authority = tls.authority_file};
    }
    [[nodiscard]] TlsFiles of(const std::string& common_name) const {
        return of(authority_, common_name);
    }
    [[nodiscard]] ImmortalOptions options(const std::string& service, const std::string& member,
                                          TlsFiles tls, Lines& lines) {
        return {.service = service,
                .member = member,
                .journal = LocalDirectory{directory_.path + "/" + std::to_string(++journals_)},
                .listen = service == "server" ? server_ : client_,
                .peers = {{"server", {server_}}, {"client", {client_}}},
                .tls = std::move(tls),
                .log = lines.sink()};
    }
    template <class T>
    [[nodiscard]] ImmortalMember open(ImmortalOptions how) {
        auto member = ImmortalMember::open<T>(std::move(how)).value_or_throw();
        member.wait_active().value_or_throw();
        return member;
    }
    [[nodiscard]] ImmortalClient session(TlsFiles tls, Lines& lines) const {
        return ImmortalClient::open({.service = "server",
                                     .members = {server_},
                                     .call_timeout = patience,
                                     .tls = std::move(tls),
                                     .log = lines.sink()})
            .value_or_throw();
    }
    [[nodiscard]] static std::int64_t greetings(ImmortalMember& server) {
        std::int64_t found = -1;
        (void)server.look<Server>([&](const Server& each) { found = each.greetings; });
        return found;
    }
    [[nodiscard]] static std::int64_t answers(ImmortalMember& client) {
        std::int64_t found = -1;
        (void)client.look<Client>([&](const Client& each) { found = each.answers - each.wrong; });
        return found;
    }

    const Scratch directory_;
    const contract::TestAuthority authority_{directory_.path, "authority"};
    const contract::TestAuthority stranger_{directory_.path, "stranger"};
    const std::string server_ = platform::free_address();
    const std::string client_ = platform::free_address();
    int journals_ = 0;
};

TEST_F(ImmortalTls, ACopyThatItsCertificateNamesIsTakenAndSoIsAnyClient) {
    Lines lines;
    auto server = open<Server>(options("server", "A", of("server/A"), lines));
    auto client = open<Client>(options("client", "C", of("client/*"), lines));
    ASSERT_TRUE(client.impulse<&Client::begin>(20));
    EXPECT_TRUE(eventually([&] { return answers(client) == 20; })) << lines.all();
    EXPECT_EQ(greetings(server), 20);

    auto anybody = session(of("anybody"), lines);
    EXPECT_EQ(anybody.call<&Server::greet>().value_or_throw(), 21);
    EXPECT_FALSE(lines.say("denied")) << lines.all();
}

// An impostor has the address of the server and a certificate of the right authority with another
// name.
TEST_F(ImmortalTls, AnImpostorIsTakenForNobodysServer) {
    for (const char* const shown : {"client/A", "server/B", "server", "A"}) {
        SCOPED_TRACE(shown);
        Lines impostor_lines;
        Lines client_lines;
        Lines session_lines;
        std::optional<ImmortalMember> impostor =
            open<Server>(options("server", "A", of(shown), impostor_lines));
        auto client = open<Client>(options("client", "C", of("client/C"), client_lines));
        auto outside = session(of("anybody"), session_lines);
        ASSERT_TRUE(client.impulse<&Client::begin>(3));
        std::atomic<std::int64_t> told{0};
        outside.call_async<&Server::note>([&](const Result<void>& done) { told += done ? 1 : 0; });

        const std::string denied = std::string("server/A shows the certificate of ") + shown;
        EXPECT_TRUE(eventually([&] { return client_lines.say(denied); })) << client_lines.all();
        EXPECT_TRUE(eventually([&] { return session_lines.say(denied); })) << session_lines.all();
        EXPECT_EQ(greetings(*impostor), 0);
        EXPECT_EQ(told, 0);

        // The right server takes its place and gets everything.
        impostor.reset();
        Lines lines;
        auto server = open<Server>(options("server", "A", of("server/A"), lines));
        EXPECT_TRUE(eventually([&] { return answers(client) == 3; })) << client_lines.all();
        EXPECT_TRUE(eventually([&] { return told == 1; })) << session_lines.all();
    }
}

TEST_F(ImmortalTls, NobodyCallsInAnothersName) {
    Lines lines;
    auto server = open<Server>(options("server", "A", of("server/A"), lines));
    for (const char* const shown : {"server/A", "client/D", "other/C", "*/*"}) {
        SCOPED_TRACE(shown);
        Lines caller_lines;
        auto caller = open<Client>(options("client", "C", of(shown), caller_lines));
        ASSERT_TRUE(caller.impulse<&Client::begin>(3));
        const std::string denied = std::string("client/C shows the certificate of ") + shown;
        EXPECT_TRUE(eventually([&] { return caller_lines.say(denied); })) << caller_lines.all();
        EXPECT_EQ(answers(caller), 0);
    }
    EXPECT_EQ(greetings(server), 0);
    auto anybody = session(of("anybody"), lines);
    EXPECT_EQ(anybody.call<&Server::greet>().value_or_throw(), 1);
}

TEST_F(ImmortalTls, WhoComesFromAnotherAuthorityIsHeardByNobody) {
    Lines lines;
    Lines intruder_lines;
    Lines spy_lines;
    auto server = open<Server>(options("server", "A", of("server/A"), lines));
    auto intruder =
        open<Client>(options("client", "C", of(stranger_, "client/C"), intruder_lines));
    ASSERT_TRUE(intruder.impulse<&Client::begin>(3));
    // It trusts the right authority, so it accepts our certificate.
    TlsFiles half = of(stranger_, "anybody");
    half.authority = authority_.authority_file();
    auto spy = session(half, spy_lines);
    std::atomic<bool> told{false};
    spy.call_async<&Server::greet>([&](const Result<std::int64_t>& count) {
        if (count) told = true;
    });
    EXPECT_TRUE(eventually([&] { return intruder_lines.say("denied"); })) << intruder_lines.all();
    EXPECT_TRUE(eventually([&] { return spy_lines.say("denied"); })) << spy_lines.all();

    auto anybody = session(of("anybody"), lines);
    EXPECT_EQ(anybody.call<&Server::greet>().value_or_throw(), 1);
    EXPECT_EQ(greetings(server), 1);
    EXPECT_EQ(answers(intruder), 0);
    EXPECT_FALSE(told);
}

// The same certificates serve for the connections of the journal: those of a copy, of the service,
// and bare names.
TEST_F(ImmortalTls, AReplicatedJournalTakesTheSameCertificates) {
    if (library::engine() == nullptr) GTEST_SKIP() << "this build has no replicated journal";
    Lines lines;
    std::vector<ReplicatedGroup::Node> nodes;
    for (const char* const name : {"A", "B", "C"}) {
        nodes.push_back({.name = name, .address = platform::free_address()});
    }
    std::vector<ImmortalMember> members;
    const std::vector<std::string> shown{"server/A", "server/*"};
    for (std::size_t i = 0; i < shown.size(); ++i) {
        ImmortalOptions how = options("server", nodes[i].name, of(shown[i]), lines);
        how.listen = "127.0.0.1:0";
        how.journal = ReplicatedGroup{.directory = directory_.path + "/" + nodes[i].name,
                                      .nodes = nodes,
                                      .tls = of(shown[i])};
        members.push_back(ImmortalMember::open<Server>(std::move(how)).value_or_throw());
    }
    // All three founders are present; a copy of another service is not the third.
    Lines impostor_lines;
    ImmortalOptions how = options("server", "C", of("client/C"), impostor_lines);
    how.listen = "127.0.0.1:0";
    how.journal = ReplicatedGroup{.directory = directory_.path + "/C",
                                  .nodes = nodes,
                                  .tls = of("client/C")};
    std::optional<ImmortalMember> third = ImmortalMember::open<Server>(how).value_or_throw();
    EXPECT_TRUE(eventually([&] { return lines.say("node C shows the certificate of client/C"); }))
        << lines.all();
    EXPECT_FALSE(members[0].wait_active(300ms));
    third.reset();
    how.tls = of("server/C");
    std::get<ReplicatedGroup>(how.journal).tls = of("C");
    third = ImmortalMember::open<Server>(how).value_or_throw();
    const auto active = [&](const ImmortalMember& member) {
        return member.status().role == Role::active;
    };
    EXPECT_TRUE(eventually([&] {
        return active(members[0]) || active(members[1]) || active(*third);
    })) << lines.all();
}

}  // namespace
}  // namespace understudy::process
