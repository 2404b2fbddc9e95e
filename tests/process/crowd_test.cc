// A thousand members in a hundred families, in ten processes, one of which is killed.

#include <map>
#include <set>

#include "tests/process/stage.h"

namespace understudy::process {

namespace {

constexpr int families = 100;
constexpr int processes = 10;
constexpr std::size_t registry_bytes_max = 64ULL << 20;  // Includes the share of a sanitizer.

class Crowd : public Stage {};

}  // namespace

TEST_F(Crowd, AThousandMembersRegisterAndATenthOfThemDiesAtOnce) {
    start_registry();
    const std::size_t idle_bytes = registry().resident_bytes();
    const Options many =
        with(long_lease, {"--families", std::to_string(families), "--agents", "2"});
    std::vector<Process*> hosts;
    for (int at = 0; at < processes; ++at) {
        hosts.push_back(&start_member("m" + std::to_string(at), many));
        // The first is the earliest in every family.
        if (at == 0) hosts.back()->expect("registered " + std::to_string(families));
    }
    for (std::size_t at = 1; at < hosts.size(); ++at) {
        hosts[at]->expect("registered " + std::to_string(families));
    }
    Process& watcher = start_watcher("all");
    std::set<std::string> seen;
    while (seen.size() < families) {
        const Line line = watcher.expect("service active=m0");
        EXPECT_EQ(split(line.value("line"), ',').size(), processes) << line.text;
        seen.insert(line.word(1));
    }
    const Finished status = understudy({"registry", "status", "-o", "json"});
    EXPECT_NE(status.output.find("\"members\":1000"), std::string::npos) << status.output;

    watcher.skip();
    const auto began = Clock::now();
    hosts[0]->kill();
    (void)hosts[0]->wait();
    std::map<std::string, std::string> successors;
    while (successors.size() < families) {
        const Line line = watcher.expect("a family's next active", [](const Line& said) {
            return said.matches("service") && said.value("active") != "m0";
        });
        EXPECT_LE(line.when - began, at_once) << line.text;
        successors.emplace(line.word(1), line.value("active"));
    }
    RecordProperty("hundred_promotions_ms",
                   std::to_string((Clock::now() - began) / std::chrono::milliseconds(1)));

    for (const auto& [family, member] : successors) EXPECT_NE(member, "m0") << family;
    const std::size_t grown = registry().resident_bytes() - idle_bytes;
    EXPECT_LE(grown, registry_bytes_max);
    RecordProperty("registry_grown_kib", std::to_string(grown / 1024));
    const Finished after = understudy({"registry", "status", "-o", "json"});
    EXPECT_NE(after.output.find("\"members\":900"), std::string::npos) << after.output;
    check_services(watcher);
}

}  // namespace understudy::process
