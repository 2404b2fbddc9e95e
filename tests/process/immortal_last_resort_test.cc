// Two copies of an immortal as members of the library: the role of the remaining copy.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/process/process.h"

namespace understudy::process {
namespace {

class ImmortalLastResort : public ::testing::Test {
protected:
    void begin(const std::vector<std::string>& more) {
        registry_ = std::make_unique<Process>(
            "registry",
            Command{.arguments = {UNDERSTUDY_PROGRAM, "registry", "--listen", "127.0.0.1:0",
                                  "--data", directory_ / "registry"}},
            directory_ / "registry.log");
        address_ = registry_->expect("registry ready on").word(3);
        address_.pop_back();
        std::vector<std::string> wanted{"service", "register", "server", "--kind", "immortal",
                                        "--log", directory_ / "log"};
        wanted.insert(wanted.end(), more.begin(), more.end());
        understudy(wanted);
        understudy({"service", "add-replica", "server", "--replica", "1"});
        start("replica-0")->expect("role active");
        start("replica-1")->expect("role checkpointer");
    }
    std::string understudy(std::vector<std::string> arguments, int code = 0) {
        arguments.insert(arguments.begin(), UNDERSTUDY_PROGRAM);
        arguments.insert(arguments.end(), {"--registry", address_});
        const Finished finished = run({.arguments = std::move(arguments)});
        EXPECT_EQ(finished.ending.code, code) << finished.errors;
        return finished.output;
    }
    Process* start(const std::string& member) {
        auto& copy = copies_[member];
        copy = std::make_unique<Process>(
            member,
            Command{.arguments = {IMMORTAL_MEMBER_PROGRAM, "server", member, directory_ / "log",
                                  address_}},
            directory_ / (member + ".log"));
        return copy.get();
    }
    void kill(const std::string& member) {
        copies_.at(member)->kill();
        (void)copies_.at(member)->wait();
    }

    TemporaryDirectory directory_;
    std::unique_ptr<Process> registry_;
    std::string address_;
    std::map<std::string, std::unique_ptr<Process>> copies_;
};

TEST_F(ImmortalLastResort, TheOneThatIsLeftIsActive) {
    begin({"--last-resort"});
    kill("replica-0");
    copies_.at("replica-1")->expect("role active");
    // All stop, and one returns.
    kill("replica-1");
    start("replica-0")->expect("role active");
    const std::string past = run({.arguments = {UNDERSTUDY_PROGRAM, "journal", "replay",
                                                directory_ / "registry", "--json"}})
                                 .output;
    EXPECT_EQ(past.find("\"cause\":\"left\""), std::string::npos) << past;
}

TEST_F(ImmortalLastResort, WithoutItNobodyIsActiveAndTheRegistrySaysWhy) {
    begin({});
    kill("replica-0");
    const std::string why = "nobody may become active: replica-1 is the checkpointer";
    std::string shown;
    const auto limit = Clock::now() + patience;
    while (shown.find(why) == std::string::npos && Clock::now() < limit) {
        shown = understudy({"service", "show", "server"}, 1);
    }
    EXPECT_NE(shown.find(why), std::string::npos) << shown;
    EXPECT_TRUE(copies_.at("replica-1")->lines("role active").empty());
    understudy({"service", "register", "server", "--update", "--last-resort"});
    copies_.at("replica-1")->expect("role active");
}

}  // namespace
}  // namespace understudy::process
