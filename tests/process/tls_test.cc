// Everything is encrypted: registry, members, clients and the command line, each with its own
// certificate. A peer without a certificate of the right authority is refused.

#include "tests/contract/certificates.h"
#include "tests/process/stage.h"

namespace understudy::process {

namespace {

class Tls : public Stage {
protected:
    [[nodiscard]] static Options options_of(const TlsOptions& tls) {
        return {"--tls-cert", tls.certificate_file, "--tls-key",
                tls.key_file, "--tls-ca",           tls.authority_file};
    }
    [[nodiscard]] Options of(const std::string& name) const {
        return options_of(authority.issue(name, "IP:127.0.0.1"));
    }

    contract::TestAuthority authority{directory().path(), "authority"};
    contract::TestAuthority stranger{directory().path(), "stranger"};
};

}  // namespace

TEST_F(Tls, AFailoverWorksWithCertificatesEverywhere) {
    start_registry(of("registry"));
    const Options& lease = long_lease;
    set_common_options(of("m1"));
    Process& m1 = start_member_as("active", "m1", lease);
    set_common_options(of("m2"));
    Process& m2 = start_member_as("standby", "m2", lease);
    set_common_options(of("client"));
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");
    client.expect("done m1");

    m1.kill();
    m2.expect("role Foo m2 active", at_once);
    client.expect("image Ticks from=m2", at_once);
    client.expect("done m2");
    std::vector<std::string> show{"service", "show", "Foo"};
    for (const std::string& option : of("operator")) show.push_back(option);
    const Finished shown = understudy(show);
    EXPECT_EQ(shown.ending.code, 0) << shown.errors;
    EXPECT_NE(shown.output.find("active: m2"), std::string::npos) << shown.output;
    end(client);
    check_ticks(client);
}

TEST_F(Tls, KilledClientsDoNoHarmToTheirMember) {
    start_registry(of("registry"));
    set_common_options(of("m1"));
    Process& m1 = start_member_as("active", "m1", {"--tick", "1", "--blob", "50000"});
    for (int turn = 1; turn <= 5; ++turn) {
        Process& victim = start_client("victim");
        victim.expect("delta Ticks from=m1");
        victim.kill();
        (void)victim.wait();
    }
    Process& client = start_client("client");
    client.expect("delta Ticks from=m1");
    EXPECT_TRUE(m1.running());
    check_ticks(client);
}

TEST_F(Tls, WhoeverComesFromAnotherAuthorityStaysOutside) {
    start_registry(of("registry"));
    set_common_options(of("m1"));
    Process& m1 = start_member_as("active", "m1");
    set_common_options(of("client"));
    Process& client = start_client("client");
    client.expect("delta Ticks from=m1");

    set_common_options(options_of(stranger.issue("intruder", "IP:127.0.0.1")));
    Process& intruder = start_member("m2");
    intruder.expect_error("agent.registry_down");
    // Its certificate is of another authority, but it trusts the right one, so it accepts ours.
    TlsOptions half = stranger.issue("spy", "IP:127.0.0.1");
    half.authority_file = authority.authority_file();
    set_common_options(options_of(half));
    Process& spy = start_client("spy");
    spy.expect_error("agent.registry_down");
    // No certificate at all.
    set_common_options({});
    Process& naked = start_client("naked");
    naked.expect_error("agent.registry_down");
    const Finished asked = understudy({"service", "list", "--timeout", "1s"});
    EXPECT_NE(asked.ending.code, 0) << asked.output;

    client.skip();
    client.expect("delta Ticks from=m1");
    for (const Process* const outside : {&intruder, &spy, &naked}) {
        EXPECT_TRUE(outside->lines("registry up").empty()) << outside->name();
        EXPECT_TRUE(outside->lines("role").empty());
        EXPECT_TRUE(outside->lines("image").empty());
    }
    EXPECT_EQ(m1.lines("role").size(), 1U);
}

}  // namespace understudy::process
