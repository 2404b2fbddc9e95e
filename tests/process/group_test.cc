// A replicated group of three processes whose members are killed, hang, or have to prove their
// identity.

#include "tests/contract/certificates.h"
#include "tests/process/descriptors.h"
#include "tests/process/journal_stage.h"

namespace understudy::process {

namespace {

class I3Group : public JournalStage {};

}  // namespace

TEST_F(I3Group, LeaderAndFollowerAreKilledInTurnAndNothingAcknowledgedIsLost) {
    add_group(3);
    start_all();
    begin_clients();
    for (int turn = 0; turn < 6; ++turn) {
        const std::size_t leader = active();
        const std::size_t victim = turn % 2 == 0 ? leader : (leader + 1) % 3;
        recorder().fault(turn % 2 == 0 ? "kill the leader" : "kill a follower",
                         member(victim).name);
        kill(victim);
        run_for(300ms);
        start(victim);
        run_for(300ms);
    }
    finish();
}

TEST_F(I3Group, AllAreKilledAtOnceAndKnowWhatTheyAcknowledged) {
    add_group(3);
    start_all();
    begin_clients();
    for (int turn = 0; turn < 2; ++turn) {
        run_for(200ms);
        recorder().fault("kill all", "n1,n2,n3");
        for (std::size_t i = 0; i < 3; ++i) member(i).process->kill();
        for (std::size_t i = 0; i < 3; ++i) (void)member(i).process->wait();
        start_all();
        run_for(200ms);
    }
    finish();
}

TEST_F(I3Group, AHungLeaderIsReplacedAndAcknowledgesNothingWhenItGoesOn) {
    add_group(3);
    start_all();
    begin_clients();
    for (int turn = 0; turn < 3; ++turn) {
        const std::size_t hung = active();
        recorder().fault("stop", member(hung).name);
        member(hung).process->stop();
        (void)active_other_than(hung);
        run_for(300ms);
        member(hung).process->resume();
        recorder().fault("continue", member(hung).name);
        run_for(500ms);
    }
    finish();
}

TEST_F(I3Group, NodesWhosePortsHaveTakenAllDescriptorsGoOn) {
    add_group(3);
    start_all();
    begin_clients();
    const std::size_t leader = active();
    for (const std::size_t victim : {leader, (leader + 1) % 3}) {
        recorder().fault("no descriptors", member(victim).name);
        NoDescriptorsLeft gone(*member(victim).process);
        for (int turn = 0; turn < 4; ++turn) {
            recorder().await_service();
            run_for(500ms);
        }
        EXPECT_TRUE(member(victim).process->running());
    }
    recorder().fault("heal", "all");
    recorder().await_service();
    EXPECT_EQ(active(), leader);
    // Nodes find each other again through the same ports.
    kill((leader + 1) % 3);
    start((leader + 1) % 3);
    run_for(300ms);
    finish();
}

// A stranger in the place of a founder is refused; with the right certificate it is accepted.
TEST_F(I3Group, NodesProveWhoTheyAreByTheirCertificates) {
    const contract::TestAuthority authority(directory().path(), "authority");
    const contract::TestAuthority stranger(directory().path(), "stranger");
    const auto options_of = [](const TlsOptions& tls) {
        return Options{"--tls-cert", tls.certificate_file, "--tls-key",
                       tls.key_file, "--tls-ca",           tls.authority_file};
    };
    add_group(3, {}, [&](const std::string& name) {
        return options_of(authority.issue(name, "IP:127.0.0.1"));
    });
    const Options right = member(2).options;
    TlsOptions foreign = stranger.issue("n3", "IP:127.0.0.1");
    foreign.authority_file = authority.authority_file();
    Options wrong = right;
    wrong.resize(wrong.size() - 6);
    for (const std::string& option : options_of(foreign)) wrong.push_back(option);
    member(2).options = wrong;
    start_all();
    EXPECT_FALSE(member(0).process->await("role active", 1500ms)) << "founded with a stranger";
    EXPECT_FALSE(member(0).process->await("role standby", 0ms));

    // Of the right authority, but with another name.
    kill(2);
    wrong.resize(wrong.size() - 6);
    for (const std::string& option : options_of(authority.issue("n1", "IP:127.0.0.1"))) {
        wrong.push_back(option);
    }
    member(2).options = wrong;
    start(2);
    EXPECT_FALSE(member(0).process->await("role active", 1500ms)) << "founded with an impostor";

    kill(2);
    member(2).options = right;
    start(2);
    begin_clients();
    recorder().fault("kill the leader", "");
    const std::size_t leader = active();
    kill(leader);
    run_for(300ms);
    finish();
}

}  // namespace understudy::process
