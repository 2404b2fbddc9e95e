#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <sys/wait.h>

#include <gtest/gtest.h>

#include "tests/history/judge.h"

namespace understudy::history {
namespace {

std::set<std::filesystem::path> fixtures(const std::string& kind) {
    std::set<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(FIXTURES)) {
        if (entry.path().filename().string().starts_with(kind)) found.insert(entry.path());
    }
    return found;
}

History read(const std::filesystem::path& path) {
    std::ifstream in(path);
    auto history = read_history(in);
    EXPECT_TRUE(history) << path << ": " << to_string(history.error());
    return history ? std::move(*history) : History{};
}

TEST(Fixtures, GoodOnesPass) {
    ASSERT_GE(fixtures("good-").size(), 13u);
    for (const auto& path : fixtures("good-")) {
        EXPECT_EQ(judge(read(path)).faults, std::vector<std::string>()) << path;
    }
}

// Each is refused for the reason that its header expects, and for no other.
TEST(Fixtures, BadOnesAreRefusedForTheirReason) {
    ASSERT_GE(fixtures("bad-").size(), 40u);
    for (const auto& path : fixtures("bad-")) {
        const History history = read(path);
        const std::string expected(history.header.at("expect").as_string());
        const Verdict verdict = judge(history);
        EXPECT_FALSE(verdict.faults.empty()) << path;
        bool found = false;
        for (const std::string& fault : verdict.faults) {
            found = found || fault.find(expected) != std::string::npos;
        }
        EXPECT_TRUE(found) << path << ": " << testing::PrintToString(verdict.faults);
    }
}

int check(const std::string& file) {
    const std::string command =
        std::string(HISTORY_PROGRAM) + " check " + file + " > /dev/null 2>&1";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Program, EndsWithWhatItFound) {
    const std::string folder = FIXTURES;
    EXPECT_EQ(check(folder + "/good-journal-unknown-there.jsonl"), 0);
    EXPECT_EQ(check(folder + "/bad-journal-lost.jsonl"), 1);
    EXPECT_EQ(check(folder + "/absent.jsonl"), 2);
    EXPECT_EQ(check(folder), 2);
}

}  // namespace
}  // namespace understudy::history
