// The content of a directory decides what it is. Directories of every kind are opened as every
// other kind, with an identity and without one.
#include "journal/format/directory_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/format/segment.h"
#include "journal/shared/shared_names.h"
#include "wire/worked_example_test.h"

namespace understudy::journal {
namespace {

using ::testing::HasSubstr;

const DirectoryIdentity registry_alone{.use = DirectoryUse::registry,
                                       .form = DirectoryForm::alone};
const DirectoryIdentity registry_node{.use = DirectoryUse::registry,
                                      .form = DirectoryForm::node,
                                      .platform = "shop",
                                      .node = "r1"};

std::vector<DirectoryIdentity> kinds() {
    std::vector<DirectoryIdentity> all{registry_alone, registry_node};
    for (const auto use : {DirectoryUse::replica, DirectoryUse::immortal}) {
        for (const auto form : {DirectoryForm::alone, DirectoryForm::shared, DirectoryForm::node,
                                DirectoryForm::log, DirectoryForm::copies}) {
            DirectoryIdentity one{.use = use, .form = form, .service = "Orders"};
            if (form == DirectoryForm::node || form == DirectoryForm::log) one.node = "m1";
            all.push_back(one);
        }
    }
    DirectoryIdentity log = registry_node;
    log.form = DirectoryForm::log;
    all.push_back(log);
    return all;
}

DirectoryWanted want(const DirectoryIdentity& identity, std::uint64_t segment_bytes = 64 * MiB) {
    return {.directory = "d", .identity = identity, .segment_bytes = segment_bytes};
}

/// The content of a directory that was made by an older version, without an identity.
DirectoryContent content_of(const DirectoryIdentity& identity) {
    DirectoryContent content;
    const std::string segment = segment_name(first_generation(7));
    const bool registry = identity.use == DirectoryUse::registry;
    if (identity.form != DirectoryForm::shared && identity.form != DirectoryForm::copies) {
        content.segment_bytes = registry ? 1 * MiB : 64 * MiB;
    }
    switch (identity.form) {
        case DirectoryForm::alone:
            content.names = {segment, "lock"};
            content.first_entry = EntryType::commands;
            break;
        case DirectoryForm::log:
            content.names = {segment, "lock"};
            content.first_entry = EntryType::command;
            break;
        case DirectoryForm::node:
            content.names = {"groups", "log"};
            content.log_names = {segment, "lock"};
            content.group_names = {registry ? "00000000000000aa" : "00000000000000bb"};
            break;
        case DirectoryForm::shared:
            content.names = {"0000000000000001.claim",
                             shared_segment_name({1}, first_generation(7)), "epoch"};
            break;
        case DirectoryForm::copies:
            content.names = {"replica0"};
            content.nodes = {"replica0"};
            break;
    }
    return content;
}

/// Two kinds that cannot be distinguished in an old directory.
bool looks_alike(const DirectoryIdentity& one, const DirectoryIdentity& other) {
    const auto is_registry = [](const DirectoryIdentity& identity) {
        return identity.use == DirectoryUse::registry;
    };
    return one.form == other.form && is_registry(one) == is_registry(other);
}

std::string refusal(const Result<bool>& result) {
    EXPECT_FALSE(result);
    if (result) return {};
    EXPECT_EQ(result.error().code, Errc::bad_config);
    EXPECT_EQ(result.error().effect, Effect::none);
    return result.error().detail;
}

TEST(DirectoryIdentity, IsWrittenAndReadAsDocumented) {
    Buffer example = wire::worked_example("journal.md", "identity");
    example.resize(identity_bytes);
    EXPECT_EQ(encode(registry_node), example);
    const auto read = decode_identity(example);
    ASSERT_TRUE(read) << to_string(read.error());
    EXPECT_EQ(*read, registry_node);
}

TEST(DirectoryIdentity, EveryKindComesBackAsItWasWritten) {
    for (const DirectoryIdentity& kind : kinds()) {
        const auto read = decode_identity(encode(kind));
        ASSERT_TRUE(read) << describe(kind);
        EXPECT_EQ(*read, kind);
    }
    const std::string longest(128, 'x');
    const DirectoryIdentity all_long{
        .platform = longest, .service = longest, .node = longest};
    EXPECT_EQ(*decode_identity(encode(all_long)), all_long);
}

TEST(DirectoryIdentity, AFlippedBitOrAMissingByteIsDamage) {
    const Buffer whole = encode(registry_node);
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        Buffer damaged = whole;
        damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto read = decode_identity(damaged);
        ASSERT_FALSE(read) << bit;
        EXPECT_EQ(read.error().code, Errc::corrupt) << bit;
    }
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(decode_identity(Bytes(whole).first(size))) << size;
    }
    Buffer longer = whole;
    longer.push_back({});
    EXPECT_FALSE(decode_identity(longer));
}

TEST(DirectoryIdentity, ADirectoryOfEveryKindIsRefusedAsEveryOtherKind) {
    for (const DirectoryIdentity& found : kinds()) {
        for (const DirectoryIdentity& wanted : kinds()) {
            SCOPED_TRACE(describe(found) + " as " + describe(wanted));
            for (const DirectoryContent& content : {content_of(found), DirectoryContent{}}) {
                const auto admitted = admit_directory(want(wanted), found, content);
                if (found == wanted) {
                    ASSERT_TRUE(admitted);
                    EXPECT_FALSE(*admitted) << "it has one already";
                } else {
                    EXPECT_THAT(refusal(admitted), HasSubstr("d is " + describe(found)));
                }
            }
        }
    }
}

TEST(DirectoryIdentity, AnOldDirectoryOfEveryKindIsRefusedAsEveryOtherKindThatItsFilesTell) {
    for (const DirectoryIdentity& found : kinds()) {
        for (const DirectoryIdentity& wanted : kinds()) {
            SCOPED_TRACE(describe(found) + " as " + describe(wanted));
            DirectoryWanted what =
                want(wanted, wanted.use == DirectoryUse::registry ? 1 * MiB : 64 * MiB);
            what.group = wanted.use == DirectoryUse::registry ? "00000000000000aa"
                                                              : "00000000000000bb";
            const auto admitted = admit_directory(what, std::nullopt, content_of(found));
            if (looks_alike(found, wanted)) {
                ASSERT_TRUE(admitted) << to_string(admitted.error());
                EXPECT_TRUE(*admitted) << "it is given one";
            } else {
                EXPECT_THAT(refusal(admitted), HasSubstr("try: "));
            }
        }
    }
}

TEST(DirectoryIdentity, ANewDirectoryAndOneOfStrangersFilesIsAnybodys) {
    for (const DirectoryIdentity& wanted : kinds()) {
        for (const std::vector<std::string>& names :
             {std::vector<std::string>{}, {"lost+found"}, {"identity.tmp", "lock", "notes.txt"}}) {
            const auto admitted = admit_directory(want(wanted), std::nullopt, {.names = names});
            ASSERT_TRUE(admitted) << to_string(admitted.error());
            EXPECT_TRUE(*admitted);
        }
    }
}

TEST(DirectoryIdentity, FilesOfTwoJournalsAreNobodys) {
    // A registry that runs alone left its files in the directory of a node of three.
    DirectoryContent both = content_of(registry_node);
    both.names.push_back(segment_name(first_generation(8)));
    for (const DirectoryIdentity& wanted : {registry_alone, registry_node}) {
        EXPECT_THAT(refusal(admit_directory(want(wanted, 1 * MiB), std::nullopt, both)),
                    HasSubstr("files of more than one journal"));
        EXPECT_THAT(refusal(admit_directory(want(wanted, 1 * MiB), wanted, both)),
                    HasSubstr("files of more than one journal"));
    }
}

TEST(DirectoryIdentity, CheckpointsOfAGroupAreNoJournal) {
    const DirectoryContent content{.names = {"0000000000000002.ckpt"}};
    EXPECT_THAT(refusal(admit_directory(want(registry_alone), std::nullopt, content)),
                HasSubstr("checkpoints of a group of a node"));
}

TEST(DirectoryIdentity, WhatOneOfTheTwoDoesNotKnowIsNoContradiction) {
    DirectoryIdentity without = registry_node;
    without.platform.clear();
    EXPECT_TRUE(admit_directory(want(registry_node), without, {}));
    EXPECT_TRUE(admit_directory(want(without), registry_node, {}));
}

TEST(DirectoryIdentity, TheRefusalSaysWhatIsThereAndWhatOpensIt) {
    const std::string lost = refusal(admit_directory(want(registry_alone), registry_node, {}));
    EXPECT_EQ(lost,
              "d is the directory of node r1 of a registry of several nodes of platform shop, and "
              "not the directory of a registry that runs alone: nothing was changed in it\n"
              "try: understudy registry --name r1 --peers LIST --platform shop --data d");

    DirectoryIdentity other_name = registry_node;
    other_name.node = "r2";
    EXPECT_THAT(refusal(admit_directory(want(other_name), registry_node, {})),
                HasSubstr("--name r1 --peers LIST"));
    DirectoryIdentity other_platform = registry_node;
    other_platform.platform = "bank";
    EXPECT_THAT(refusal(admit_directory(want(other_platform), registry_node, {})),
                HasSubstr("--platform shop"));
    EXPECT_THAT(refusal(admit_directory(want(registry_node), registry_alone, {})),
                HasSubstr("without --peers"));
    const DirectoryIdentity immortal{.use = DirectoryUse::immortal,
                                     .form = DirectoryForm::copies,
                                     .service = "Till"};
    DirectoryIdentity shared = immortal;
    shared.form = DirectoryForm::shared;
    EXPECT_THAT(refusal(admit_directory(want(shared), immortal, {})),
                HasSubstr("understudy coordinator --instance Till --members LIST"));
    EXPECT_THAT(refusal(admit_directory(want(immortal), shared, {})),
                HasSubstr("--journal shared"));
}

TEST(DirectoryIdentity, ARegistryWithSegmentsOfAServiceMayStillBeOpened) {
    // It was started with segments of 64 MiB, so the option must be given again.
    DirectoryContent content = content_of(registry_alone);
    content.segment_bytes = 64 * MiB;
    EXPECT_THAT(refusal(admit_directory(want(registry_alone, 1 * MiB), std::nullopt, content)),
                HasSubstr("--segment-size 64MiB"));
    EXPECT_TRUE(admit_directory(want(registry_alone, 64 * MiB), std::nullopt, content));
}

}  // namespace
}  // namespace understudy::journal
