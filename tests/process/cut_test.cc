// Two hosts and a cable: the active member on one host, everything else on the other. The cable is
// cut in both directions and in each direction alone. Needs root for network namespaces.

#include <array>

#include "tests/process/stage.h"

namespace understudy::process {

namespace {

const Options member_options = with(short_lease, {"--insecure", "yes"});

struct Cut {
    const char* name;
    void (*make)(Cable&);
    Clock::duration limit;  ///< From the cut to the next active member.
};

void PrintTo(const Cut& cut, std::ostream* out) { *out << cut.name; }

// The active member is on the left side. If it still receives but is not received, its silence
// begins with the cut. If it is received but receives nothing, it still sends until it gives up its
// connection about a lease later; its silence begins then.
constexpr std::array cuts{
    Cut{"BothWays", [](Cable& cable) { cable.cut(); }, lease_time + at_once},
    Cut{"FromTheActive", [](Cable& cable) { cable.deafen_right(); }, lease_time + at_once},
    Cut{"ToTheActive", [](Cable& cable) { cable.deafen_left(); }, 2 * lease_time + at_once},
};

class Cabled : public Stage {
protected:
    void SetUp() override {
        const std::string why = no_namespaces();
        if (!why.empty()) GTEST_SKIP() << "skipped: " << why;
        cable = std::make_unique<Cable>();
    }
    std::unique_ptr<Cable> cable;
};
class I29Cut : public Cabled, public testing::WithParamInterface<Cut> {};
class I29CutClient : public Cabled {};
class I29CutRegistry : public Cabled {};

Options listen_on(std::string_view host) { return {"--listen", std::string(host) + ":0"}; }

}  // namespace

TEST_P(I29Cut, AnActiveBehindItIsReplacedWithinTheLeaseAndIsLastWhenItHeals) {
    set_network(cable->right());
    listen_host = Cable::right_host;
    start_registry({"--insecure"});
    set_network(cable->left());
    Process& old =
        start_member_as("active", "m1", with(member_options, listen_on(Cable::left_host)));
    set_network(cable->right());
    Process& next =
        start_member_as("standby", "m2", with(member_options, listen_on(Cable::right_host)));
    Process& watcher = start_watcher();
    watcher.expect("service active=m1 line=m1,m2");
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");
    client.expect("done m1");

    const auto began = Clock::now();
    GetParam().make(*cable);
    const Line promoted = next.expect("role Foo m2 active");
    EXPECT_LE(promoted.when - began, GetParam().limit);
    const Line image = client.expect("image Ticks from=m2");
    EXPECT_LE(image.when - began, GetParam().limit + at_once);
    client.expect("done m2");

    cable->heal();
    EXPECT_GE(old.expect("role Foo m1 standby").number("epoch"), promoted.number("epoch"));
    watcher.expect("service active=m2 line=m2,m1");
    client.skip();
    client.expect("delta Ticks from=m2");
    client.expect("done m2");
    end(client);

    EXPECT_EQ(old.lines("role").size(), 2U);
    EXPECT_EQ(next.lines("role").size(), 2U);
    check_ticks(client);
    check_services(watcher);
    check_calls(client);
    const Finished story = understudy({"service", "explain", "Foo"});
    EXPECT_NE(story.output.find("silence"), std::string::npos) << story.output;
    RecordProperty("cut_to_promotion_ms",
                   std::to_string((promoted.when - began) / std::chrono::milliseconds(1)));
}

INSTANTIATE_TEST_SUITE_P(Cable, I29Cut, testing::ValuesIn(cuts),
                         [](const auto& cut) { return std::string(cut.param.name); });

// Only the registry is on the other side: it receives nothing, while all the others are connected.
// While it is cut off, nothing changes for them. When the cut heals there is one active member
// again, and whatever the registry decided meanwhile got a higher epoch.
TEST_F(I29CutRegistry, ARegistryThatIsCutOffFromAllStopsNothing) {
    set_network(cable->left());
    listen_host = Cable::left_host;
    start_registry({"--insecure"});
    set_network(cable->right());
    const Options options = with(member_options, listen_on(Cable::right_host));
    Process& m1 = start_member_as("active", "m1", options);
    Process& m2 = start_member_as("standby", "m2", options);
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");

    cable->cut();
    m1.expect("registry down");
    m2.expect("registry down");
    client.skip();
    const auto until = Clock::now() + 2 * lease_time;
    while (client.expect("delta Ticks from=m1").when < until) {
    }
    client.expect("done m1");
    EXPECT_EQ(m1.lines("role").size(), 1U);
    EXPECT_EQ(m2.lines("role").size(), 1U);

    cable->heal();
    m1.expect("registry up");
    m2.expect("registry up");
    Process& watcher = start_watcher();
    const Line line = watcher.expect("both in line", [](const Line& said) {
        return said.matches("service") && split(said.value("line"), ',').size() == 2 &&
               !said.value("active").empty();
    });
    client.skip();
    client.expect("delta Ticks from=" + line.value("active"));
    client.expect("done " + line.value("active"));
    end(client);
    check_ticks(client);
    check_services(watcher);
}

// It only receives, so no write of its own can fail: it must notice that nothing arrives any more.
TEST_F(I29CutClient, AClientThatIsCutOffKnowsThatItIs) {
    set_network(cable->right());
    listen_host = Cable::right_host;
    start_registry({"--insecure"});
    Process& member =
        start_member_as("active", "m1", with(member_options, listen_on(Cable::right_host)));
    set_network(cable->left());
    Process& client = start_client("client");
    client.expect("delta Ticks from=m1");

    cable->cut();
    client.expect("registry down");
    client.expect("freshness Ticks stale");
    cable->heal();
    client.expect("status connected member=m1");
    client.expect("image Ticks from=m1");
    client.expect("delta Ticks from=m1");

    EXPECT_EQ(member.lines("role").size(), 1U);
    check_ticks(client);
}

}  // namespace understudy::process
