// What a library must not do to its host process, seen from outside.

#include <array>
#include <ctime>

#include <fcntl.h>
#include <unistd.h>

#include "tests/process/stage.h"

namespace understudy::process {

namespace {

class Manners : public Stage {};
class I29Clock : public Stage {};

/// How far the wall clock of programs with the preloaded library is from the real one.
void set_wall_clock_offset(const std::string& file, std::int64_t seconds) {
    const Descriptor out(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (::pwrite(out.get(), &seconds, sizeof seconds, 0) != sizeof seconds) {
        throw Broken("write " + file);
    }
}

}  // namespace

TEST_F(Manners, NoDescriptorOfOursSurvivesAnExec) {
    start_registry();
    Process& m1 = start_member_as("active", "m1");
    Process& client = start_client("client");
    client.expect("image Ticks");

    client.say("call x descriptors 20000");
    const Line born = m1.expect("born");
    client.expect("done x");
    // 0, 1, 2 and nothing else.
    const auto words = split(born.text, ' ');
    ASSERT_EQ(words.size(), 4U) << born.text;
    for (std::size_t at = 1; at < words.size(); ++at) {
        EXPECT_TRUE(words[at].starts_with(std::to_string(at - 1) + ":")) << born.text;
    }
    for (const Process* const process : {&registry(), &m1, &client}) {
        for (const Process::Open& one : process->descriptors()) {
            if (one.number > 2) {
                EXPECT_FALSE(one.survives_exec)
                    << process->name() << " " << one.number << " " << one.what;
            }
        }
    }
}

// Leases use the monotonic clock: hours forwards and backwards change no role.
TEST_F(I29Clock, AJumpOfTheWallClockChangesNobodysRole) {
    const std::string offset = directory() / "offset";
    set_wall_clock_offset(offset, 0);
    set_common_environment({"LD_PRELOAD=" WALL_CLOCK_SHIM, "WALL_CLOCK_OFFSET_FILE=" + offset,
                            // The sanitizer's library is linked, and therefore no longer the first.
                            "ASAN_OPTIONS=quarantine_size_mb=2:verify_asan_link_order=0"});
    start_registry();
    const Options& lease = short_lease;
    Process& m1 = start_member_as("active", "m1", lease);
    Process& m2 = start_member_as("standby", "m2", lease);
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");

    for (const std::int64_t seconds : {3600, -3600, 86400 * 365, -86400 * 365}) {
        set_wall_clock_offset(offset, seconds);
        client.skip();
        const auto until = Clock::now() + lease_time * 3 / 2;
        while (client.expect("delta Ticks from=m1").when < until) {
        }
    }
    EXPECT_EQ(m1.lines("role").size(), 1U);
    EXPECT_EQ(m2.lines("role").size(), 1U);
    // With the clock a year back, a death is still a death, and a hang still takes a lease.
    m1.stop();
    m2.expect("role Foo m2 active");
    client.expect("image Ticks from=m2");
    m1.resume();
    m1.expect("role Foo m1 standby");
    const Finished story = understudy({"service", "explain", "Foo", "-o", "csv"});
    EXPECT_NE(story.output.find("silence"), std::string::npos) << story.output;
    const std::time_t a_year_ago = std::time(nullptr) - 86400 * 365;
    std::array<char, 32> month{};
    (void)std::strftime(month.data(), month.size(), "ts=%Y-%m", std::gmtime(&a_year_ago));
    EXPECT_NE(registry().errors().find(month.data()), std::string::npos)
        << "its wall clock did not jump at all";
    end(client);
    EXPECT_EQ(client.lines("image Ticks").size(), 2U);
    check_ticks(client);
}

}  // namespace understudy::process
