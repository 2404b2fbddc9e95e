// The worked examples of docs/formats/consensus.md, both ways.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "consensus/configuration.h"
#include "consensus/message.h"

namespace understudy::consensus {
namespace {

/// The bytes of the block "```hex NAME". This floor does not know the one of wire.
Buffer example(const std::string& name) {
    std::ifstream file(UNDERSTUDY_SOURCE "/docs/formats/consensus.md");
    Buffer bytes;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (line.rfind("```", 0) == 0) {
            inside = line == "```hex " + name;
            continue;
        }
        std::istringstream words(line.substr(0, line.find(';')));
        for (std::string word; inside && words >> word;) {
            bytes.push_back(static_cast<std::byte>(std::stoul(word, nullptr, 16)));
        }
    }
    EXPECT_FALSE(bytes.empty()) << name;
    return bytes;
}

template <class Kind>
Kind read(const std::string& name) {
    static Buffer bytes;  // Entry bodies are views into it.
    bytes = example(name);
    auto message = decode({.owner = nullptr, .bytes = bytes});
    EXPECT_TRUE(message) << message.error().detail;
    Buffer written;
    encode(*message, written);
    EXPECT_EQ(written, bytes);
    return std::get<Kind>(*std::move(message));
}

const Configuration three{{{.id = {1}, .membership = Membership::voter},
                           {.id = {2}, .membership = Membership::voter},
                           {.id = {42}, .membership = Membership::observer}}};

TEST(ConsensusFormat, AConfigurationIsAsDocumented) {
    EXPECT_EQ(encoded(three), example("configuration"));
    EXPECT_EQ(decode_configuration(example("configuration")).value_or_throw(), three);
}

TEST(ConsensusFormat, AnAppendIsAsDocumented) {
    const auto append = read<AppendRequest>("append");
    EXPECT_EQ(append.term, Epoch{5});
    EXPECT_EQ(append.prev_index, Index{300});
    EXPECT_EQ(append.prev_term, Epoch{4});
    EXPECT_EQ(append.leader_commit, Index{299});
    ASSERT_EQ(append.entries.size(), 2U);
    EXPECT_EQ(append.entries[0].kind, EntryKind::barrier);
    EXPECT_EQ(as_text(append.entries[1].body.bytes), "hi");
}

TEST(ConsensusFormat, ACheckpointOfferedIsAsDocumented) {
    const auto install = read<InstallRequest>("install");
    EXPECT_EQ(install.snapshot.index, Index{1024});
    EXPECT_EQ(install.snapshot.term, Epoch{4});
    EXPECT_EQ(install.snapshot.configuration_index, Index{1});
    EXPECT_EQ(install.snapshot.configuration, three);
    EXPECT_EQ(as_text(install.snapshot.reference), "ok");
}

TEST(ConsensusFormat, AVoteAndARefusalAreAsDocumented) {
    const auto vote = read<VoteRequest>("vote");
    EXPECT_EQ(vote.candidate, ServerId{42});
    EXPECT_TRUE(vote.disrupt_leader);
    EXPECT_FALSE(vote.pre_vote);
    EXPECT_EQ(vote.last_index, Index{300});
    const auto refusal = read<AppendResult>("refusal");
    EXPECT_EQ(refusal.rejected, Index{300});
    EXPECT_EQ(refusal.last_index, Index{278});
}

}  // namespace
}  // namespace understudy::consensus
