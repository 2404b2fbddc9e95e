#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "consensus/configuration.h"
#include "journal/format/checkpoint.h"
#include "replicated/entry_body.h"
#include "replicated/group/fake_core_test.h"
#include "replicated/group/group.h"
#include "replicated/group/part_fixture_test.h"

namespace understudy::replicated {

/// A group of the members `a`, `b` and `c`. This member is `a`.
class GroupTest : public PartTest {
protected:
    GroupTest() {
        Buffer list;
        members.encode(list);
        const auto configuration = encoded(members.configuration());
        log.append(group_id, Epoch{1}, as_text(configuration), consensus::EntryKind::configuration);
        log.append(group_id, Epoch{1}, as_text(encode_body(BodyKind::members, std::move(list))));
        log.states[group_id] =
            encode(GroupState{.service = "s", .hard = {.term = {1}, .vote = {}}, .snapshot = {}});
    }
    ~GroupTest() override {
        if (group) group->detach();
    }

    void open(MemberKind kind = MemberKind::data) {
        GroupContext given = context_of(kind);
        given.options.founders = founders;
        group = std::make_shared<Group>(std::move(given),
                                        [this](Result<void> result) { opened = result; });
        group->start();
        runtime.settle();
        log.finish_loading();
        runtime.settle();
    }
    void durable() {
        log.durable_position = log.written;
        group->durable(log.written);
        runtime.settle();
    }
    /// Opens the group with both founding entries applied, and makes it lead in term 3.
    void lead() {
        open();
        durable();
        FakeCore& core = *FakeCore::latest;
        core.configuration_now = members.configuration();
        core.last_now = Index{2};
        core.state_now = consensus::State::leader;
        core.term_now = Epoch{3};
        core.scripted.push_back(
            {consensus::PersistHardState{.hard = {.term = {3}, .vote = self}},
             consensus::StateChanged{
                 .state = consensus::State::leader, .term = {3}, .leader = self}});
        receive();
        core.scripted.push_back({consensus::PersistEntries{
            .from = Index{3},
            .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::barrier, .body = {}}},
            .write = ++core.writes}});
        core.last_now = Index{3};
        receive();
        durable();
        hearer.take();
        commit(3);
    }
    void hear() {
        group->received(b, {.group = group_id,
                            .message =
                                consensus::AppendResult{
                                    .term = {3}, .rejected = {}, .last_index = {1}, .capacity = 0},
                            .urgent = {}});
    }
    void receive() {
        hear();
        runtime.settle();
    }
    void commit(std::uint64_t index) {
        FakeCore::latest->commit_now = Index{index};
        FakeCore::latest->scripted.push_back({consensus::CommitTo{.index = {index}}});
        receive();
    }
    void append(const std::string& text, journal::Urgency urgency = journal::Urgency::ordinary) {
        std::vector<journal::Draft> drafts(1);
        drafts[0].body.assign(as_bytes(text).begin(), as_bytes(text).end());
        group->append(std::move(drafts), urgency, [this, text](const Result<Index>& result) {
            if (!result) refusal = result.error().detail;
            hearer.heard.push_back("answer " + text +
                                   (result
                                        ? ""
                                        : " " + std::string(understudy::name(result.error().code)) +
                                              (result.error().effect == Effect::none ? "" : "?")));
        });
        runtime.settle();
    }

    /// A checkpoint of another member.
    [[nodiscard]] consensus::SnapshotRef checkpoint(std::uint64_t index) const {
        return {.index = Index{index},
                .term = Epoch{3},
                .configuration = members.configuration(),
                .configuration_index = Index{1},
                .reference = encode_reference(members)};
    }
    /// The consensus finds that it needs a checkpoint that `from` has.
    void begin_to_want(ServerId from, std::uint64_t index) {
        FakeCore::latest->scripted.push_back(
            {consensus::InstallSnapshot{.from = from, .snapshot = checkpoint(index)}});
        hear();
    }
    void want(ServerId from, std::uint64_t index) {
        begin_to_want(from, index);
        runtime.settle();
    }
    /// The whole checkpoint comes in one piece, and will be written next.
    void begin_to_send(ServerId from, std::uint64_t index, std::string_view state) {
        const Bytes bytes = as_bytes(state);
        group->chunk(from, {.group = group_id,
                            .index = Index{index},
                            .offset = 0,
                            .place = Chunk::Place::last,
                            .checksum = crc32c(bytes),
                            .snapshot = std::nullopt,
                            .bytes = bytes});
    }
    /// The same, and it is written. The log that belongs to it is not durable yet.
    void send(ServerId from, std::uint64_t index, std::string_view state) {
        begin_to_send(from, index, state);
        runtime.settle();
    }
    void say_gone(ServerId from, std::uint64_t index) {
        group->chunk(from, {.group = group_id,
                            .index = Index{index},
                            .offset = 0,
                            .place = Chunk::Place::gone,
                            .checksum = 0,
                            .snapshot = std::nullopt,
                            .bytes = {}});
        runtime.settle();
    }
    /// Completes everything that the group waits for.
    void recover() {
        for (int i = 0; i < 4; ++i) {
            durable();
            log.finish_loading();
            runtime.settle();
        }
    }
    [[nodiscard]] std::size_t asked_for_checkpoint(ServerId of) const {
        return static_cast<std::size_t>(
            std::count_if(around.told.begin(), around.told.end(), [&](const auto& told) {
                return told.to == of && told.type == wire::MessageType::fetch;
            }));
    }
    /// A checkpoint of this member, written but not named.
    std::unique_ptr<journal::CheckpointWriter> begin_own() {
        auto writer = group->begin_checkpoint();
        EXPECT_TRUE(writer) << to_string(writer.error());
        std::optional<Result<void>> written;
        (*writer)->write(Buffer(10), [&](Result<void> result) { written = std::move(result); });
        runtime.settle();
        EXPECT_TRUE(written && *written);
        return *std::move(writer);
    }
    [[nodiscard]] bool on_disk(std::uint64_t index) {
        const auto names = disk.list("/node/groups/s");
        return names && std::find(names->begin(), names->end(),
                                  journal::checkpoint_name(Index{index})) != names->end();
    }

    std::vector<Member> founders;
    std::string refusal;  ///< Why the last append was refused.
    std::optional<Result<void>> opened;
    std::shared_ptr<Group> group;
};

}  // namespace understudy::replicated
