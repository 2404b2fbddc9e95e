#include "apps/commands/command.h"

#include <memory>

#include <gtest/gtest.h>

#include "apps/commands/completion.h"

namespace understudy::apps {
namespace {

class CommandLineTest : public testing::Test {
protected:
    CommandLineTest() {
        const Command root = line_.root();
        root.option({.names = "--registry", .value_name = "HOST:PORT", .about = "Whom to ask."},
                    registry_);
        const Command registry = root.add("registry", "Runs one.");
        registry.runs([this] { return note("registry"); });
        const Command status = registry.add("status", "Asks one.");
        status.runs([this] { return note("registry status"); });
        const Command service = root.add("service", "Services.");
        const Command show = service.add("show", "One.");
        show.argument({.names = "name", .about = "Which.", .completes = Completes::service}, name_);
        show.option({.names = "-o,--output", .about = "How.", .choices = "table|json"}, output_);
        show.runs([this] { return note("service show " + name_); });
        root.add_hidden("secret").runs([this] { return note("secret"); });
    }

    Exit run(std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), "us");
        return line_.run(static_cast<int>(arguments.size()), arguments.data());
    }
    Exit note(std::string what) {
        ran_ = std::move(what);
        return Exit::done;
    }

    CommandLine line_{"us", "Does things.", "1.2.3"};
    std::string registry_;
    std::string name_;
    std::string output_;
    std::string ran_;
};

TEST_F(CommandLineTest, NonsenseIsUsage) {
    EXPECT_EQ(run({}), Exit::usage);
    EXPECT_EQ(run({"servce", "show"}), Exit::usage);
    EXPECT_EQ(run({"service"}), Exit::usage);
    EXPECT_EQ(run({"service", "show"}), Exit::usage);
    EXPECT_EQ(run({"service", "show", "Foo", "Bar"}), Exit::usage);
    EXPECT_EQ(run({"service", "show", "Foo", "--output", "xml"}), Exit::usage);
    EXPECT_EQ(run({"--registry"}), Exit::usage);
    EXPECT_EQ(ran_, "");
}

TEST_F(CommandLineTest, AServiceMayBeCalledLikeACommand) {
    EXPECT_EQ(run({"service", "show", "registry"}), Exit::done);
    EXPECT_EQ(ran_, "service show registry");
}

TEST_F(CommandLineTest, GlobalOptionsStandAnywhere) {
    EXPECT_EQ(run({"service", "show", "Foo", "--registry", "h:1"}), Exit::done);
    EXPECT_EQ(registry_, "h:1");
}

TEST_F(CommandLineTest, TheInnermostCommandRuns) {
    EXPECT_EQ(run({"registry", "status"}), Exit::done);
    EXPECT_EQ(ran_, "registry status");
}

TEST_F(CommandLineTest, ACommandWithCommandsMayRunItself) {
    EXPECT_EQ(run({"registry"}), Exit::done);
    EXPECT_EQ(ran_, "registry");
}

TEST_F(CommandLineTest, HelpIsNoFailure) {
    EXPECT_EQ(run({"--help"}), Exit::done);
    EXPECT_EQ(run({"service", "show", "--help"}), Exit::done);
    EXPECT_EQ(run({"--version"}), Exit::done);
    EXPECT_EQ(ran_, "");
}

TEST_F(CommandLineTest, TheUnknownWordIsNamedWithWhatWasMeant) {
    const CommandInfo info = line_.describe();
    EXPECT_EQ(explain_unknown_word(info, {"servce", "show"}),
              "no command servce; did you mean service?");
    EXPECT_EQ(explain_unknown_word(info, {"--registry", "h:1", "service", "shwo"}),
              "no command shwo; did you mean show?");
    EXPECT_EQ(explain_unknown_word(info, {"service", "show", "x", "--outptu"}),
              "no option --outptu; did you mean --output?");
    EXPECT_EQ(explain_unknown_word(info, {"service", "show", "x", "--zzzzzzzzz=1"}),
              "no option --zzzzzzzzz");
    EXPECT_EQ(explain_unknown_word(info, {"service", "show", "anything"}), "");
}

TEST_F(CommandLineTest, TheDescriptionHoldsWhatTheShellNeeds) {
    const CommandInfo info = line_.describe();
    ASSERT_EQ(info.commands.size(), 3U);
    EXPECT_TRUE(info.commands[2].hidden);
    const CommandInfo& show = info.commands[1].commands.at(0);
    ASSERT_EQ(show.arguments.size(), 1U);
    EXPECT_EQ(show.arguments[0].completes, Completes::service);
    const std::string script = bash_completion(info);
    EXPECT_NE(script.find("us_commands='registry service'"), std::string::npos);
    EXPECT_NE(script.find("--output:=table,json"), std::string::npos);
    EXPECT_EQ(script.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace understudy::apps
