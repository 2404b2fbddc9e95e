// Hostile peers at the ports of a registry and of a member: whatever they send or do not send,
// their connections are closed, and the service goes on with bounded memory.

#include "tests/process/hostile.h"

#include <list>

#include <signal.h>

#include "tests/contract/certificates.h"
#include "tests/process/stage.h"

namespace understudy::process {

namespace {

constexpr std::size_t strangers = 500;
// Includes the share of a sanitizer: shadow memory is up to four times the memory that it
// describes.
#ifdef __SANITIZE_THREAD__
constexpr std::size_t growth_max = 160ULL << 20;
#else
constexpr std::size_t growth_max = 32ULL << 20;
#endif

class Hostile : public Stage {
protected:
    void begin() {
        start_registry(registry_options);
        member = &start_member("m1", {"--compression", "any"});
        member->expect("role Foo m1 active");
        member_port = port_of(member->lines("started").at(0).value("address"));
        client = &start_client("client", {"--calls", "20"});
        client->expect("delta Ticks");
        client->expect("done");
        registry_bytes = registry().resident_bytes();
        member_bytes = member->resident_bytes();
        registry_open = registry().descriptors().size();
        member_open = member->descriptors().size();
    }
    void still_serves() {
        client->skip();
        client->expect("delta Ticks from=m1");
        client->expect("done");
    }
    void end() {
        still_serves();
        const Finished status = understudy_client({"registry", "status"});
        EXPECT_EQ(status.ending.code, 0) << status.errors;
        Stage::end(*client);
        EXPECT_EQ(client->lines("image Ticks").size(), 1U) << "its connection was disturbed";
        EXPECT_EQ(member->lines("role").size(), 1U);
        EXPECT_EQ(member->lines("registry up").size(), 1U);
        for (const Line& line : client->lines("error")) ADD_FAILURE() << line.text;
        check_ticks(*client);
        check_memory("at_the_end");
        // One late client, and the connection of the status command, may still be there.
        EXPECT_LE(registry().descriptors().size(), registry_open + still_there + 2);
        EXPECT_LE(member->descriptors().size(), member_open + still_there + 1);
    }
    void check_memory(const std::string& when) {
        const std::size_t now = registry().resident_bytes();
        EXPECT_LE(now, registry_bytes + growth_max);
        RecordProperty("registry_kib_" + when, std::to_string((now - registry_bytes) / 1024));
        const std::size_t members = member->resident_bytes();
        EXPECT_LE(members, member_bytes + growth_max);
        RecordProperty("member_kib_" + when, std::to_string((members - member_bytes) / 1024));
    }
    [[nodiscard]] virtual Finished understudy_client(std::vector<std::string> arguments) {
        return understudy(std::move(arguments));
    }
    [[nodiscard]] std::uint16_t registry_port() const { return port_of(registry_address()); }

    static void must_be_sent_away(const std::vector<Attack>& attacks, std::uint16_t port) {
        std::list<RawPeer> peers;
        for (const Attack& attack : attacks) {
            (void)peers.emplace_back("127.0.0.1", port).send(attack.bytes);
        }
        auto peer = peers.begin();
        for (const Attack& attack : attacks) {
            EXPECT_TRUE((peer++)->closed_within(patience)) << attack.name;
        }
    }
    void many_say_nothing() {
        // A late client is served before the silent ones are closed, which takes some time; on a
        // slow machine not in every try.
        bool beside_them = false;
        for (int turn = 0; turn < 5 && !beside_them; ++turn) {
            std::list<RawPeer> silent;
            for (std::size_t at = 0; at < strangers; ++at) {
                silent.emplace_back("127.0.0.1", registry_port());
                silent.emplace_back("127.0.0.1", member_port);
            }
            still_serves();
            Process& late = start_client("late");
            late.expect("image Ticks from=m1");
            beside_them = !silent.back().closed_within(0s);
            check_memory("with_strangers");
            Stage::end(late);
            for (RawPeer& peer : silent) EXPECT_TRUE(peer.closed_within(patience));
        }
        EXPECT_TRUE(beside_them) << "strangers keep it out";
    }

    Options registry_options;
    Process* member = nullptr;
    Process* client = nullptr;
    std::uint16_t member_port = 0;
    std::size_t registry_bytes = 0;
    std::size_t member_bytes = 0;
    std::size_t registry_open = 0;
    std::size_t member_open = 0;
    std::size_t still_there = 0;  ///< Hostile peers that may stay.
};

class HostileTls : public Hostile {
protected:
    void SetUp() override {
        (void)::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that the peer has closed.
        const TlsOptions registry = authority.issue("registry", "IP:127.0.0.1");
        ours = authority.issue("member", "IP:127.0.0.1");
        registry_options = options_of(registry);
        set_common_options(options_of(ours));
    }
    [[nodiscard]] static Options options_of(const TlsOptions& tls) {
        return {"--tls-cert", tls.certificate_file, "--tls-key",
                tls.key_file, "--tls-ca",           tls.authority_file};
    }
    [[nodiscard]] Finished understudy_client(std::vector<std::string> arguments) override {
        for (const std::string& option : options_of(ours)) arguments.push_back(option);
        return understudy(std::move(arguments));
    }
    void known_peers_must_be_sent_away(const std::vector<Attack>& attacks, std::uint16_t port) {
        std::list<TlsPeer> peers;
        for (const Attack& attack : attacks) {
            peers.emplace_back(port, ours.certificate_file, ours.key_file, ours.authority_file)
                .send(attack.bytes);
        }
        auto peer = peers.begin();
        for (const Attack& attack : attacks) {
            EXPECT_TRUE((peer++)->closed_within(patience)) << attack.name;
        }
    }

    contract::TestAuthority authority{directory().path(), "authority"};
    TlsOptions ours;
};

}  // namespace

TEST_F(Hostile, WhoeverSaysNoHelloIsSentAway) {
    begin();
    must_be_sent_away(attacks_before_hello(), registry_port());
    must_be_sent_away(attacks_before_hello(), member_port);
    end();
}

TEST_F(Hostile, WhoeverTalksNonsenseBehindAHelloIsSentAway) {
    begin();
    must_be_sent_away(attacks_on_registry(), registry_port());
    must_be_sent_away(attacks_on_member(), member_port);
    end();
}

TEST_F(Hostile, FiveHundredStrangersWhoSayNothingDelayNobody) {
    begin();
    many_say_nothing();
    end();
}

// A frame that is begun and never completed keeps only the bytes that were sent.
TEST_F(Hostile, HalfFramesBehindAHelloHoldNoMoreThanTheySent) {
    begin();
    std::list<RawPeer> peers;
    const std::string half =
        header(wire::frame_version, 3, wire::payload_size_max, 0) + std::string(65536, 'x');
    still_there = 100;
    for (std::size_t at = 0; at < still_there; ++at) {
        (void)peers.emplace_back("127.0.0.1", registry_port()).send(good_hello("") + half);
        (void)peers.emplace_back("127.0.0.1", member_port).send(good_hello("Foo") + half);
    }
    end();
}

// Hostile peers use up the registry's descriptors. Present clients stay; a new one waits until
// there is room again.
TEST_F(Hostile, ARegistryWithoutDescriptorsKeepsWhomItHas) {
    wrap_registry({"/bin/sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"});
    begin();
    {
        std::list<RawPeer> strangers_here;
        for (int at = 0; at < 100; ++at) strangers_here.emplace_back("127.0.0.1", registry_port());
        still_serves();
        EXPECT_EQ(member->lines("registry up").size(), 1U);
    }
    Process& late = start_client("late");
    late.expect("image Ticks from=m1");
    end();
    const auto complaints = split(registry().errors(), '\n');
    EXPECT_LT(complaints.size(), 100U) << registry().errors();
}

TEST_F(HostileTls, WhoeverSaysNoHelloIsSentAway) {
    begin();
    auto attacks = attacks_before_hello();
    const std::string flight = tls_client_hello();
    attacks.push_back({"a TLS client without a certificate that says no more", flight});
    attacks.push_back({"half a TLS client", flight.substr(0, flight.size() / 2)});
    attacks.push_back({"a TLS record above the bound", "\x16\x03\x01\xff\xff" + noise(5, 65536)});
    must_be_sent_away(attacks, registry_port());
    must_be_sent_away(attacks, member_port);
    end();
}

TEST_F(HostileTls, WhoeverTalksNonsenseInsideIsSentAway) {
    begin();
    known_peers_must_be_sent_away(attacks_before_hello(), registry_port());
    known_peers_must_be_sent_away(attacks_on_registry(), registry_port());
    known_peers_must_be_sent_away(attacks_on_member(), member_port);
    end();
}

TEST_F(HostileTls, FiveHundredStrangersWhoSayNothingDelayNobody) {
    begin();
    many_say_nothing();
    end();
}

}  // namespace understudy::process
