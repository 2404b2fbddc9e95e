// Two immortals with a registry, three copies each; one calls the other. Copies are killed under
// load in random combinations. The counts at the end show that every call was carried out once at
// both.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "apps/view/listing.h"
#include "apps/view/spread.h"
#include "base/random.h"
#include "tests/process/immortal_asker.h"
#include "tests/process/immortal_parts.h"
#include "tests/process/process.h"

namespace understudy::process {
namespace {

using apps::Spread;
using wire::Dynamic;

class ImmortalPlatform : public ::testing::Test {
protected:
    using Key = std::pair<std::string, std::string>;  ///< Service and member.
    struct Service {
        std::string name;
        std::string alias;  ///< Its role in the test.
    };
    static inline const std::vector<Service> services{{"client", "caller"}, {"server", "callee"}};

    void SetUp() override {
        registry_ = std::make_unique<Process>(
            "registry",
            Command{.arguments = {UNDERSTUDY_PROGRAM, "registry", "--listen", "127.0.0.1:0",
                                  "--data", directory_ / "registry"}},
            directory_ / "registry.log");
        address_ = registry_->expect("registry ready on").word(3);
        address_.pop_back();
        for (const Service& service : services) {
            for (const auto& [member, role] : std::vector<std::pair<std::string, std::string>>{
                     {"A", "active"}, {"B", "checkpointer"}, {"C", "standby"}}) {
                start({service.name, member});
                copies_.at({service.name, member})->expect("role " + role);
            }
        }
    }
    void TearDown() override {
        for (const Service& service : services) {
            for (const char* member : {"A", "B", "C"}) {
                const std::string errors = contents(directory_ / (service.name + member + ".log"));
                EXPECT_EQ(errors.find("Sanitizer"), std::string::npos) << errors;
                EXPECT_EQ(errors.find("runtime error"), std::string::npos) << errors;
                if (!HasFailure()) continue;
                const std::size_t shown = std::min<std::size_t>(errors.size(), 8'000);
                GTEST_LOG_(INFO) << service.name << member << " wrote at last:\n"
                                 << errors.substr(errors.size() - shown);
            }
        }
    }

    void start(const Key& key) {
        copies_[key] = std::make_unique<Process>(
            key.first + key.second,
            Command{.arguments = {IMMORTAL_MEMBER_PROGRAM, key.first, key.second,
                                  directory_ / key.first, address_}},
            directory_ / (key.first + key.second + ".log"));
    }
    void kill(const std::vector<Key>& victims) {
        for (const Key& victim : victims) copies_.at(victim)->kill();
        for (const Key& victim : victims) (void)copies_.at(victim)->wait();
    }
    void restart(const std::vector<Key>& victims) {
        for (const Key& victim : victims) {
            check_roles(victim);
            copies_.erase(victim);
            start(victim);
        }
    }

    /// The role that it has reported last.
    [[nodiscard]] std::string role_of(const Key& key) const {
        const auto said = copies_.at(key)->lines("role");
        return said.empty() ? std::string() : said.back().word(1);
    }
    [[nodiscard]] std::optional<Key> find(const std::string& service,
                                          const std::string& role) const {
        for (const auto& [key, copy] : copies_) {
            if (key.first == service && role_of(key) == role) return key;
        }
        return std::nullopt;
    }
    /// Another copy of the same service.
    [[nodiscard]] std::optional<Key> find_other(const Key& but, const std::string& role) const {
        for (const auto& [key, copy] : copies_) {
            if (key.first == but.first && key != but && role_of(key) == role) return key;
        }
        return std::nullopt;
    }
    [[nodiscard]] bool settled(const std::string& service) const {
        return find(service, "active") && find(service, "checkpointer") && find(service, "standby");
    }
    [[nodiscard]] bool settled() const {
        return std::all_of(services.begin(), services.end(),
                           [this](const Service& service) { return settled(service.name); });
    }
    /// A copy that was designated only to take checkpoints is not active before its designation
    /// changes.
    void check_roles(const Key& key) const {
        std::string last;
        for (const Line& line : copies_.at(key)->lines("role")) {
            EXPECT_FALSE(last == "checkpointer" && line.word(1) == "active")
                << key.first << key.second << " was checkpointer: " << line.text;
            last = line.word(1);
        }
    }

    /// The output of the active copy of a service; empty if no copy is active.
    [[nodiscard]] std::string shown(const std::string& service) {
        for (const auto& [key, copy] : copies_) {
            if (key.first != service) continue;
            copy->skip();
            copy->say("show");
            const Line line = copy->expect("shown");
            if (line.text != "shown not") return line.text;
        }
        return {};
    }
    /// The copy that is active now or will be.
    [[nodiscard]] Key active_of(const std::string& service) const {
        const auto found = eventually([&] { return find(service, "active"); });
        if (!found) throw Broken("nobody of " + service + " is active");
        return *found;
    }
    [[nodiscard]] std::string roles() const {
        std::string text;
        for (const auto& [key, copy] : copies_) {
            text += key.first + key.second + " " + role_of(key) + ", ";
        }
        return text;
    }

    /// For each service: no copy, the active copy, the checkpointer, both, or the standby.
    [[nodiscard]] std::vector<Key> choose(Random& random) const {
        static const std::vector<std::set<std::string>> combinations{
            {},         {},          {"active"},     {"active"}, {"checkpointer"},
            {"standby"}, {"standby"}, {"checkpointer", "active"}};
        std::vector<Key> victims;
        for (const Service& service : services) {
            for (const std::string& role : combinations[random.below(combinations.size())]) {
                if (const auto victim = find(service.name, role)) victims.push_back(*victim);
            }
        }
        return victims;
    }
    /// The active copies among them.
    [[nodiscard]] std::string kind_of(const std::vector<Key>& victims) const {
        std::string kind;
        for (const Service& service : services) {
            const bool active = std::any_of(victims.begin(), victims.end(), [&](const Key& key) {
                return key.first == service.name && role_of(key) == "active";
            });
            if (active) kind += (kind.empty() ? "" : " and ") + service.alias;
        }
        return kind.empty() ? "neither" : kind;
    }

    /// Starts to call both services.
    void begin_load() {
        caller_ = std::make_unique<Asker>("client", address_, [](ImmortalClient& client) {
            return client.call<&Client::ask>(at_once);
        });
        callee_ = std::make_unique<Asker>("server", address_, [](ImmortalClient& client) {
            return client.call<&Server::touch>();
        });
    }
    [[nodiscard]] bool both_answer(Clock::time_point since) const {
        return caller_->answered_since(since) && callee_->answered_since(since);
    }
    [[nodiscard]] std::string faults() const {
        return roles() + " " + caller_->fault() + " " + callee_->fault();
    }
    /// For either service, since the last call of this function.
    [[nodiscard]] Clock::duration take_longest_wait() {
        const auto at_caller = caller_->take_longest();
        return std::max(at_caller, callee_->take_longest());
    }
    /// How often the calling service called the other.
    [[nodiscard]] std::int64_t calls() const { return at_once * caller_->answers(); }
    /// Ends the load and compares counts: those of both services, of their caller, and of the
    /// copies that are active next.
    void end_load_and_count() {
        ASSERT_TRUE(eventually([&] { return settled(); })) << roles();
        caller_->end();
        callee_->end();
        EXPECT_EQ(caller_->fault(), "");
        EXPECT_EQ(callee_->fault(), "");
        const std::string at_caller = "shown answers=" + std::to_string(calls()) +
                                      " wrong=0 asks=" + std::to_string(caller_->answers());
        const std::string at_callee = "shown greetings=" + std::to_string(calls()) +
                                      " touches=" + std::to_string(callee_->answers());
        EXPECT_TRUE(eventually([&] { return shown("client") == at_caller; }))
            << shown("client") << ", not " << at_caller;
        EXPECT_TRUE(eventually([&] { return shown("server") == at_callee; }))
            << shown("server") << ", not " << at_callee;
        const std::vector<Key> actives{active_of("client"), active_of("server")};
        kill(actives);
        EXPECT_TRUE(eventually([&] {
            return find_other(actives[0], "active") && find_other(actives[1], "active");
        })) << roles();
        restart(actives);
        EXPECT_TRUE(eventually([&] { return shown("client") == at_caller; })) << shown("client");
        EXPECT_TRUE(eventually([&] { return shown("server") == at_callee; })) << shown("server");
        for (const auto& [key, copy] : copies_) check_roles(key);
    }

    static constexpr std::int64_t at_once = 4;

    TemporaryDirectory directory_;
    std::unique_ptr<Process> registry_;
    std::string address_;
    std::map<Key, std::unique_ptr<Process>> copies_;
    std::unique_ptr<Asker> caller_;
    std::unique_ptr<Asker> callee_;
};

[[nodiscard]] std::uint64_t chosen_seed() {
    const char* const given = std::getenv("UNDERSTUDY_SEED");
    return given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
}

TEST_F(ImmortalPlatform, ACheckpointerStaysWhatItIsWhenNobodyElseRuns) {
    const std::vector<Key> others{{"server", "A"}, {"server", "C"}};
    kill(others);
    std::this_thread::sleep_for(1500ms);  // Three leases.
    EXPECT_EQ(role_of({"server", "B"}), "checkpointer");
    restart(others);
    EXPECT_TRUE(eventually([&] { return settled("server"); })) << roles();
    EXPECT_EQ(role_of({"server", "B"}), "checkpointer");
    check_roles({"server", "B"});
}

TEST_F(ImmortalPlatform, SwitchoversAreAPauseForWhoCallsAndNothingElse) {
    constexpr int rounds = 20;
    begin_load();
    std::vector<std::uint64_t> stalls;  // In us.
    for (int round = 0; round < rounds; ++round) {
        ASSERT_TRUE(eventually([&] { return settled(); })) << faults();
        const auto began = Clock::now();
        ASSERT_TRUE(eventually([&] { return both_answer(began); })) << faults();
        const std::string name = services[static_cast<std::size_t>(round) % 2].name;
        const Key before = active_of(name);
        (void)take_longest_wait();
        Process command("switchover",
                        Command{.arguments = {UNDERSTUDY_PROGRAM, "service", "switchover", name,
                                              "--registry", address_}},
                        directory_ / "switchover.log");
        ASSERT_EQ(command.wait().code, 0) << command.errors();
        const auto done = Clock::now();
        ASSERT_TRUE(eventually([&] { return both_answer(done); })) << faults();
        stalls.push_back(static_cast<std::uint64_t>(take_longest_wait() / 1us));
        EXPECT_TRUE(eventually([&] {
            return role_of(before) == "standby" && find_other(before, "active");
        })) << roles();
    }
    end_load_and_count();
    std::printf("%d switchovers: the client waited at most, by round, %s\n", rounds,
                to_line(Spread(stalls)).c_str());
}

TEST_F(ImmortalPlatform, CopiesThatHangAndComeBackLoseNothingAndDoNothingTwice) {
    constexpr int rounds = 12;
    const std::uint64_t seed = chosen_seed();
    Random random(seed);
    begin_load();
    for (int round = 0; round < rounds; ++round) {
        ASSERT_TRUE(eventually([&] { return settled(); })) << seed << " " << faults();
        const std::vector<Key> victims = choose(random);
        for (const Key& victim : victims) copies_.at(victim)->stop();
        const auto hung = Clock::now();
        EXPECT_TRUE(eventually([&] { return both_answer(hung); })) << seed << " " << faults();
        // Some return long after the others, some at once.
        std::this_thread::sleep_for(std::chrono::milliseconds(random.below(1000)));
        for (const Key& victim : victims) copies_.at(victim)->resume();
        const auto back = Clock::now();
        ASSERT_TRUE(eventually([&] { return both_answer(back); })) << seed << " " << faults();
    }
    end_load_and_count();
}

TEST_F(ImmortalPlatform, KilledInAnyCombinationLoseNothingAndDoNothingTwice) {
    constexpr std::size_t kills = 200;
    const std::uint64_t seed = chosen_seed();
    std::printf("seed %llu (UNDERSTUDY_SEED repeats its choices)\n",
                static_cast<unsigned long long>(seed));
    Random random(seed);
    begin_load();

    // In us, by which active copies were killed.
    std::map<std::string, std::vector<std::uint64_t>> gaps;
    std::map<std::string, std::size_t> killed_as;  // For both services.
    std::vector<std::uint64_t> all_gaps;
    std::size_t killed = 0;
    while (killed < kills) {
        // Most are killed when all is well, some while others return.
        if (random.chance(2, 3)) {
            ASSERT_TRUE(eventually([&] { return settled(); })) << faults();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(random.below(40)));
        const std::vector<Key> victims = choose(random);
        if (victims.empty()) continue;
        const std::string kind = kind_of(victims);
        for (const Key& victim : victims) ++killed_as[role_of(victim)];
        (void)take_longest_wait();
        kill(victims);
        killed += victims.size();
        const auto gone = Clock::now();
        const auto goes_on = [&] { return both_answer(gone); };
        if (random.chance(1, 2)) (void)eventually(goes_on, 500ms);
        restart(victims);
        ASSERT_TRUE(eventually(goes_on, 2 * patience)) << faults();
        all_gaps.push_back(static_cast<std::uint64_t>(take_longest_wait() / 1us));
        gaps[kind].push_back(all_gaps.back());
    }
    end_load_and_count();

    const Spread spread(all_gaps);
    std::printf("%zu kills in %zu rounds, %lld calls: the client waited at most, by round, %s\n%s",
                killed, spread.count(), static_cast<long long>(calls()), to_line(spread).c_str(),
                to_histogram(spread).c_str());
    Dynamic::Map by_role;
    for (const char* role : {"active", "checkpointer", "standby"}) {
        EXPECT_GT(killed_as[role], 0U) << role;
        by_role[role] = killed_as[role];
    }
    Dynamic::Map by_kind;
    for (const auto& [kind, figures] : gaps) {
        const Spread of_kind(figures);
        std::printf("  active copy killed of %s, %zu rounds: %s\n", kind.c_str(), of_kind.count(),
                    to_line(of_kind).c_str());
        by_kind[kind] = to_json(of_kind);
    }
    const Dynamic::Map line{{"test", "immortals under kills"},
                            {"seed", seed},
                            {"kills", killed},
                            {"kills_by_role", std::move(by_role)},
                            {"rounds", spread.count()},
                            {"calls", calls()},
                            {"gap_us", to_json(spread)},
                            {"gap_us_by_active_killed", std::move(by_kind)}};
    std::ofstream(IMMORTAL_GAPS_FILE, std::ios::app) << apps::to_json_line(line);
}

}  // namespace
}  // namespace understudy::process
