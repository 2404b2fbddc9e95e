// A registry has no descriptor left, because silent clients hold them all. Its journal goes on, a
// new client is served after a while, nothing spins, and everything is normal when the silent
// clients have gone.

#include "tests/process/descriptors.h"

#include <thread>

#include "tests/process/stage.h"

namespace understudy::process {

namespace {

class DescriptorsGone : public Stage {};

}  // namespace

TEST_F(DescriptorsGone, ARegistryGoesOnAndLetsInWhoSpeaks) {
    start_registry();
    Process& m1 = start_member_as("active", "m1");
    Process& m2 = start_member_as("standby", "m2");
    Process& client = start_client("client", {"--calls", "5"});
    client.expect("delta Ticks from=m1");
    {
        NoDescriptorsLeft gone(registry());
        std::this_thread::sleep_for(2s);
        EXPECT_LT(gone.load(), 0.5) << "it spins";
        // A promotion is a command on its journal.
        m1.kill();
        m2.expect("role Foo m2 active");
        client.skip();
        client.expect("delta Ticks from=m2");
        // A client that has been silent for a second is closed for one that sends.
        const Finished status = understudy({"registry", "status", "--timeout", "25s"});
        EXPECT_EQ(status.ending.code, 0) << status.errors;
        start_member("m3").expect("role Foo m3 standby");
        EXPECT_LT(gone.load(), 0.5) << "it spins";
        EXPECT_EQ(times_in_errors(registry(), "network.accept_paused"), 1U);
    }
    start_member("m4").expect("role Foo m4 standby", 10s);
    EXPECT_EQ(times_in_errors(registry(), "process.descriptors"), 1U) << registry().errors();
    end(client);
    check_ticks(client);
}

// The limit is low from the start, as from a shell or a unit: the program finds it and holds some
// descriptors back.
TEST_F(DescriptorsGone, ARegistryWithFewDescriptorsFromTheStartKeepsSomeForItsJournal) {
    wrap_registry({"/bin/sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"});
    start_registry();
    Process& m1 = start_member_as("active", "m1");
    Process& m2 = start_member_as("standby", "m2");
    {
        NoDescriptorsLeft gone(registry());
        m1.kill();
        m2.expect("role Foo m2 active");
    }
    start_member("m3").expect("role Foo m3 standby", 10s);
    const Finished verified =
        understudy_alone({"journal", "verify", data()});
    EXPECT_EQ(verified.ending.code, 0) << verified.output << verified.errors;
}

}  // namespace understudy::process
