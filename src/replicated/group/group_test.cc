// The driver of one group, with a consensus that does what the test says.

#include "replicated/group/group.h"

#include <algorithm>
#include <deque>

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "consensus/configuration.h"
#include "journal/fakes/fake_runtime_test.h"
#include "journal/format/checkpoint.h"
#include "replicated/entry_body.h"
#include "replicated/fake_surroundings_test.h"

namespace understudy::replicated {
namespace {

using consensus::Effects;

class FakeCore final : public consensus::ConsensusCore {
public:
    explicit FakeCore(const Options& options) : options_now(options) { latest = this; }
    ~FakeCore() override { latest = nullptr; }

    Result<Effects> step(consensus::Event event, TimePoint) override {
        events.push_back(event);
        if (refuse && std::holds_alternative<consensus::Propose>(event)) return *refuse;
        Effects effects;
        if (auto* propose = std::get_if<consensus::Propose>(&event)) {
            consensus::PersistEntries persist{
                .from = last_now.next(), .entries = propose->entries, .write = ++writes};
            for (auto& entry : persist.entries) entry.term = term_now;
            last_now.value += persist.entries.size();
            effects.push_back(persist);
        }
        if (!scripted.empty()) {
            for (auto& effect : scripted.front()) effects.push_back(effect);
            scripted.pop_front();
        }
        return effects;
    }
    TimePoint next_deadline() const override { return TimePoint::max(); }
    consensus::State state() const override { return state_now; }
    Epoch term() const override { return term_now; }
    ServerId leader() const override { return {}; }
    Index commit() const override { return commit_now; }
    Index first() const override { return Index{1}; }
    Index last() const override { return last_now; }
    const consensus::Configuration& configuration() const override { return configuration_now; }
    consensus::ConfigurationAt configuration_at(Index) const override {
        return {.index = Index{1}, .configuration = configuration_now};
    }
    Index match(ServerId server) const override {
        const auto found = matches.find(server);
        return found == matches.end() ? Index{} : found->second;
    }
    consensus::CatchUpState catch_up(ServerId) const override { return catch_up_now; }
    void set_electable(bool electable) override { options_now.electable = electable; }

    template <class Event>
    [[nodiscard]] std::size_t count() const {
        std::size_t n = 0;
        for (const auto& event : events) n += std::holds_alternative<Event>(event) ? 1U : 0U;
        return n;
    }

    static inline FakeCore* latest = nullptr;
    Options options_now;
    std::vector<consensus::Event> events;
    std::deque<Effects> scripted;  ///< What the next steps bring.
    std::optional<Error> refuse;
    consensus::State state_now = consensus::State::follower;
    Epoch term_now{2};
    Index commit_now;
    Index last_now;
    std::uint64_t writes = 0;
    consensus::Configuration configuration_now;
    std::map<ServerId, Index> matches;
    consensus::CatchUpState catch_up_now = consensus::CatchUpState::none;
};

std::unique_ptr<consensus::ConsensusCore> make_fake(
    const consensus::ConsensusCore::Options& options) {
    return std::make_unique<FakeCore>(options);
}

/// Notes what it hears, in words.
class Hearer final : public journal::Observer {
public:
    Result<void> restore(const journal::StateSlice& slice) override {
        heard.push_back("restore " + std::to_string(slice.at.value));
        return {};
    }
    void committed(const journal::Entry& entry) override {
        heard.push_back(std::to_string(entry.index.value) +
                        (entry.type == journal::EntryType::tenure ? " tenure"
                         : entry.type == journal::EntryType::mark
                             ? " mark"
                             : " " + std::string(as_text(entry.body))));
    }
    void standing_changed(const journal::Standing& now) override {
        heard.push_back(std::string(name(now.role)) + " " + std::to_string(now.epoch.value));
    }
    void space_changed(journal::Space) override { heard.emplace_back("space"); }
    void failed(const Error& error) override {
        heard.push_back("failed " + std::string(understudy::name(error.code)));
    }
    std::vector<std::string> take() { return std::exchange(heard, {}); }
    std::vector<std::string> heard;
};

using Words = std::vector<std::string>;

class GroupTest : public testing::Test {
protected:
    GroupTest() {
        around.identities = {{"b", 20}, {"c", 30}};
        members = Members({{.id = self, .member = {"a", {"a", 1}, MemberKind::data}},
                           {.id = b, .member = {"b", {"b", 1}, MemberKind::data}},
                           {.id = c, .member = {"c", {"c", 1}, MemberKind::data}}});
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
        Node::Options node;
        node.platform = "p";
        node.name = "a";
        GroupOptions options;
        options.service = "s";
        options.kind = kind;
        options.founders = founders;
        options.outstanding_entries_max = 4;
        group = std::make_shared<Group>(
            Group::Setup{.runtime = runtime,
                         .log = null_log,
                         .node_log = log,
                         .surroundings = around,
                         .make_core = make_fake,
                         .directory = "/node/groups/s",
                         .self = {.name = "a", .address = {"a", 1}, .kind = kind},
                         .options = options,
                         .node = node,
                         .observer = hearer,
                         .opened = [this](Result<void> result) { opened = result; }});
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
    /// Opened, with both founding entries applied, and leading in term 3.
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
            hearer.heard.push_back("answer " + text +
                                   (result
                                        ? ""
                                        : " " + std::string(understudy::name(result.error().code)) +
                                              (result.error().effect == Effect::none ? "" : "?")));
        });
        runtime.settle();
    }

    /// A checkpoint of another member's.
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
    /// All of it comes in one piece, and is about to be written.
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
    /// The same, and it is written; the log that goes with it is not durable yet.
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
    /// Whatever the group waits for comes.
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
    /// An own checkpoint, written but not named.
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

    const GroupId group_id = group_of("s");
    const ServerId self = server_of(77, group_id);
    const ServerId b = server_of(20, group_id);
    const ServerId c = server_of(30, group_id);
    journal::FakeDisk disk{1};
    journal::FakeRuntime runtime{disk, 1};
    NullLog null_log;
    FakeNodeLog log;
    FakeSurroundings around{log};
    Hearer hearer;
    Members members;
    std::vector<Member> founders;
    std::optional<Result<void>> opened;
    std::shared_ptr<Group> group;
};

TEST_F(GroupTest, AStartRaisesTheTermDurablyBeforeTheConsensusRuns) {
    open();
    EXPECT_EQ(FakeCore::latest, nullptr);
    EXPECT_FALSE(opened);
    const auto state = decode_group_state(log.states[group_id]);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->hard.term, Epoch{2});
    durable();
    ASSERT_NE(FakeCore::latest, nullptr);
    EXPECT_TRUE(opened && *opened);
    EXPECT_EQ(hearer.heard, Words{"standby 0"});
    const auto& start = std::get<consensus::Start>(FakeCore::latest->events.at(0));
    EXPECT_EQ(start.recovered.hard.term, Epoch{2});
    EXPECT_EQ(start.recovered.entries.size(), 2u);
    EXPECT_FALSE(start.recovered.entries[0].body.bytes.empty());
}

TEST_F(GroupTest, ActiveOnlyWhenAnEntryOfTheOwnTermIsApplied) {
    lead();
    EXPECT_EQ(hearer.take(), (Words{"1 tenure", "2 mark", "3 tenure", "active 3"}));
}

TEST_F(GroupTest, MessagesWaitForTermAndVoteAndEntriesDoNot) {
    open();
    durable();
    FakeCore& core = *FakeCore::latest;
    core.scripted.push_back(
        {consensus::PersistHardState{.hard = {.term = {3}, .vote = b}},
         consensus::Send{.to = b, .message = consensus::VoteResult{.term = {3}, .granted = true}}});
    receive();
    core.scripted.push_back(
        {consensus::Send{.to = c, .message = consensus::VoteResult{.term = {3}}}});
    receive();
    EXPECT_TRUE(around.sent.empty()) << "nor what comes in a later step";
    durable();
    ASSERT_EQ(around.sent.size(), 2u);
    EXPECT_EQ(around.sent[0].to, b);

    core.scripted.push_back(
        {consensus::PersistEntries{
             .from = Index{3},
             .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::barrier, .body = {}}},
             .write = 1},
         consensus::Send{.to = b,
                         .message = consensus::AppendRequest{.term = {3},
                                                             .prev_index = {2},
                                                             .prev_term = {1},
                                                             .leader_commit = {},
                                                             .count = 1,
                                                             .entries = {}}},
         consensus::StateChanged{.state = consensus::State::leader, .term = {3}, .leader = self}});
    receive();
    EXPECT_EQ(around.sent.size(), 3u) << "before the own sync, and before the word that it leads";
}

TEST_F(GroupTest, DurableEntriesAreReportedOnceInOrder) {
    lead();
    append("x");
    append("y");
    const auto before = FakeCore::latest->count<consensus::Persisted>();
    durable();
    ASSERT_EQ(FakeCore::latest->count<consensus::Persisted>(), before + 1);
    durable();
    EXPECT_EQ(FakeCore::latest->count<consensus::Persisted>(), before + 1);
}

TEST_F(GroupTest, AnAnswerFollowsItsEntry) {
    lead();
    hearer.take();
    append("x");
    append("y");
    EXPECT_EQ(hearer.heard, Words{});
    commit(4);
    EXPECT_EQ(hearer.take(), (Words{"4 x", "answer x"}));
    commit(5);
    EXPECT_EQ(hearer.take(), (Words{"5 y", "answer y"}));
}

TEST_F(GroupTest, WithTheLeadThePendingOnesBecomeUnknownAndTheWaitingOnesDidNotHappen) {
    lead();
    hearer.take();
    for (const char* text : {"1", "2", "3", "4"}) append(text);
    append("waits for credit");
    FakeCore& core = *FakeCore::latest;
    core.state_now = consensus::State::follower;
    core.term_now = Epoch{4};
    core.scripted.push_back(
        {consensus::StateChanged{.state = consensus::State::follower, .term = {4}, .leader = b}});
    receive();
    EXPECT_EQ(hearer.take(), (Words{"standby 4", "answer 1 not_active?", "answer 2 not_active?",
                                    "answer 3 not_active?", "answer 4 not_active?",
                                    "answer waits for credit not_active"}));
    EXPECT_EQ(group->standing().active, "b");
    append("late");
    EXPECT_EQ(hearer.take(), Words{"answer late not_active"});
}

TEST_F(GroupTest, WhatTheConsensusDoesNotTakeNowIsProposedAgain) {
    lead();
    hearer.take();
    FakeCore& core = *FakeCore::latest;
    core.refuse = Error{.code = Errc::refused, .detail = "not now"};
    append("x");
    EXPECT_EQ(core.last_now, Index{3});
    core.refuse.reset();
    runtime.advance(100ms);
    EXPECT_EQ(core.last_now, Index{4});
    commit(4);
    EXPECT_EQ(hearer.take(), (Words{"4 x", "answer x"}));
}

TEST_F(GroupTest, AFullDiskRefusesOrdinaryEntriesAndTakesPromotions) {
    lead();
    hearer.take();
    around.identities.clear();  // Nobody is there to make way for.
    log.space_now = journal::Space::reserve_only;
    append("x");
    EXPECT_EQ(hearer.take(), Words{"answer x no_space"});
    append("p", journal::Urgency::promotion);
    EXPECT_EQ(FakeCore::latest->last_now, Index{4});
    EXPECT_EQ(log.urgencies.back(), journal::Urgency::promotion);
    EXPECT_TRUE(is_urgent(log.logs[group_id].entries.back().kind));
}

TEST_F(GroupTest, TheEntryThatFindsTheDiskFullUsesTheReserveAndIsTheLast) {
    lead();
    hearer.take();
    around.identities.clear();  // Nobody is there to make way for.
    log.full = true;
    append("x");
    EXPECT_EQ(FakeCore::latest->last_now, Index{4});
    EXPECT_EQ(log.urgencies.back(), journal::Urgency::promotion);
    EXPECT_EQ(log.logs[group_id].entries.size(), 4U);
    append("y");
    EXPECT_EQ(FakeCore::latest->last_now, Index{4});
    EXPECT_EQ(hearer.take(), Words{"answer y no_space"});
    commit(4);
    EXPECT_EQ(hearer.take(), (Words{"4 x", "answer x"}));
}

TEST_F(GroupTest, ALeaderWithoutRoomMakesWayForOneAfterTheOtherMoreAndMoreRarely) {
    lead();
    FakeCore& core = *FakeCore::latest;
    const auto given_to = [&] {
        std::vector<ServerId> out;
        for (const consensus::Event& event : core.events) {
            if (const auto* transfer = std::get_if<consensus::Transfer>(&event)) {
                out.push_back(transfer->to);
            }
        }
        return out;
    };
    log.space_now = journal::Space::reserve_only;
    group->space_changed(log.space_now);
    runtime.settle();
    EXPECT_EQ(given_to(), (std::vector<ServerId>{b}));
    runtime.advance(1900ms);
    EXPECT_EQ(given_to().size(), 1U);
    runtime.advance(200ms);  // It did not take it.
    EXPECT_EQ(given_to(), (std::vector<ServerId>{b, c}));
    runtime.advance(3800ms);
    EXPECT_EQ(given_to().size(), 2U);
    runtime.advance(300ms);
    EXPECT_EQ(given_to(), (std::vector<ServerId>{b, c, b}));

    log.space_now = journal::Space::ok;
    group->space_changed(log.space_now);
    runtime.advance(10min);
    EXPECT_EQ(given_to().size(), 3U);
    log.space_now = journal::Space::reserve_only;  // Another time: at once.
    group->space_changed(log.space_now);
    runtime.settle();
    EXPECT_EQ(given_to(), (std::vector<ServerId>{b, c, b, c}));
}

TEST_F(GroupTest, AFullDiskTakesOnlyUrgentEntriesFromALeader) {
    open();
    durable();
    const auto request = [&](bool urgent) {
        consensus::AppendRequest append{
            .term = {3},
            .prev_index = {2},
            .prev_term = {1},
            .leader_commit = {},
            .count = 1,
            .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::command, .body = {}}}};
        group->received(b, {.group = group_id, .message = append, .urgent = {urgent}});
    };
    log.space_now = journal::Space::reserve_only;
    request(false);
    EXPECT_EQ(FakeCore::latest->count<consensus::Receive>(), 0u);
    request(true);
    EXPECT_EQ(FakeCore::latest->count<consensus::Receive>(), 1u);
    log.space_now = journal::Space::ok;
    around.disk_is_congested = true;
    request(true);
    EXPECT_EQ(FakeCore::latest->count<consensus::Receive>(), 1u);
}

TEST_F(GroupTest, AWriteThatFailsEndsTheGroup) {
    lead();
    hearer.take();
    log.refuse = Error{.code = Errc::disk_failed, .detail = {}};
    append("x");
    EXPECT_EQ(hearer.take(), (Words{"answer x disk_failed?", "failed disk_failed"}));
    EXPECT_EQ(around.ends, 1);
    append("y");
    EXPECT_EQ(hearer.take(), Words{"answer y closed"});
}

TEST_F(GroupTest, AnEntryThatHasRottenWhenAFollowerNeedsItEndsTheGroup) {
    lead();
    hearer.take();
    log.cached_from = Index{3};
    FakeCore::latest->scripted.push_back(
        {consensus::Send{.to = b,
                         .message = consensus::AppendRequest{.term = {3},
                                                             .prev_index = {0},
                                                             .prev_term = {0},
                                                             .leader_commit = {},
                                                             .count = 3,
                                                             .entries = {}}}});
    receive();
    ASSERT_EQ(log.loading.size(), 1u);
    std::exchange(log.loading, {}).front().done(Error{.code = Errc::corrupt, .detail = {}});
    runtime.settle();
    EXPECT_EQ(hearer.take(), Words{"failed corrupt"});
    EXPECT_EQ(around.ends, 1);
}

TEST_F(GroupTest, EvidenceMakesTheFirstSurvivorStandAtOnce) {
    open();
    durable();
    FakeCore& core = *FakeCore::latest;
    core.configuration_now = members.configuration();
    core.last_now = Index{2};
    core.scripted.push_back(
        {consensus::StateChanged{.state = consensus::State::follower, .term = {3}, .leader = b}});
    core.commit_now = Index{2};
    receive();
    group->process_gone("c");
    EXPECT_EQ(core.count<consensus::Campaign>(), 0u) << "it does not lead";
    group->process_gone("b");
    EXPECT_EQ(core.count<consensus::Campaign>(), 1u);
}

TEST_F(GroupTest, AReplacedDiskIsListedInItsPlace) {
    lead();
    const Member again{"b", {"b", 1}, MemberKind::data};
    around.identities["b"] = 21;
    group->join(again, 21);
    runtime.settle();
    ASSERT_EQ(FakeCore::latest->last_now, Index{4});
    commit(4);
    runtime.advance(100ms);
    // The old server goes first: what is dead must not count for the majority.
    const consensus::Configuration* first = nullptr;
    for (const auto& event : FakeCore::latest->events) {
        const auto* propose = std::get_if<consensus::ProposeConfiguration>(&event);
        if (propose != nullptr && first == nullptr) first = &propose->configuration;
    }
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->servers.size(), 2u);
    EXPECT_EQ(consensus::find(*first, b), nullptr);
    group->join({"stranger", {"x", 1}, MemberKind::data}, 50);
    runtime.advance(100ms);
    EXPECT_EQ(FakeCore::latest->last_now, Index{4}) << "strangers wait to be added";
}

TEST_F(GroupTest, ItWaitsForAFounderThatNeverComesAsLongAsItTakes) {
    log.logs.clear();
    log.states.clear();
    founders = {{"a", {"a", 1}, MemberKind::data}, {"b", {"b", 1}, MemberKind::data}};
    open();
    runtime.advance(1min);
    EXPECT_EQ(group->status().founders_missing, Words{"b"});
    EXPECT_TRUE(hearer.take().empty());
}

TEST_F(GroupTest, WhoWasRemovedBeforeItAppliedAnythingKnowsThatItWasAMember) {
    open();
    durable();
    FakeCore::latest->configuration_now = members.configuration();
    group->founded({.group = group_id, .members = std::nullopt});
    EXPECT_TRUE(group->status().outside);
    EXPECT_TRUE(group->status().removed);
}

TEST_F(GroupTest, WhoWasNeverAddedWasNotRemoved) {
    open();
    durable();
    FakeCore::latest->configuration_now = members.without("a").configuration();
    group->founded({.group = group_id, .members = std::nullopt});
    EXPECT_TRUE(group->status().outside);
    EXPECT_FALSE(group->status().removed);
}

TEST_F(GroupTest, NobodyIsToldAnythingOnceItIsLetGo) {
    lead();
    hearer.take();
    append("x");
    group->give_up();
    runtime.advance(1s);
    EXPECT_EQ(hearer.take(), Words{});
    EXPECT_EQ(around.ends, 1);
}

// --- What comes when it is no longer wanted -----------------------------------------------------

TEST_F(GroupTest, ACheckpointThatBecomesDurableWhenTheConsensusStartsAgainDoesNotReachTheNextRun) {
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, "state");
    want(c, 20);      // A newer one takes its place before it is durable ...
    say_gone(c, 20);  // ... and is no longer there.
    EXPECT_EQ(FakeCore::latest, nullptr) << "the consensus starts again";
    durable();
    recover();
    ASSERT_NE(FakeCore::latest, nullptr);
    const auto& start = std::get<consensus::Start>(FakeCore::latest->events.at(0));
    ASSERT_TRUE(start.recovered.snapshot);
    EXPECT_EQ(start.recovered.snapshot->index, Index{10}) << "it goes on from what is on the disk";
    EXPECT_EQ(FakeCore::latest->count<consensus::SnapshotInstalled>(), 0u);
    EXPECT_EQ(hearer.take(), Words{"restore 10"});
    EXPECT_EQ(around.ends, 0);
}

TEST_F(GroupTest, ASecondSourceOfACheckpointThatHasComeIsNotAsked) {
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, "state");
    want(c, 10);
    EXPECT_EQ(asked_for_checkpoint(c), 0u);
    durable();
    EXPECT_EQ(FakeCore::latest->count<consensus::SnapshotInstalled>(), 1u);
    // Entries that follow it stay, whatever c has to say.
    FakeCore::latest->last_now = Index{10};
    FakeCore::latest->scripted.push_back({consensus::PersistEntries{
        .from = Index{11},
        .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::barrier, .body = {}}},
        .write = 1}});
    receive();
    send(c, 10, "state");
    durable();
    EXPECT_EQ(log.logs[group_id].entries.size(), 1u);
    EXPECT_EQ(hearer.take(), Words{"restore 10"});
}

TEST_F(GroupTest, ARestorationStopsWhereANewerCheckpointTakesItsPlace) {
    const auto state_of = [](std::size_t slices) {
        return std::string((slices - 1) * journal::CheckpointReader::slice_bytes + 1, 'x');
    };
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, state_of(3));
    log.durable_position = log.written;
    group->durable(log.written);  // It is being opened, and a slice after the other is read ...
    begin_to_want(c, 20);
    begin_to_send(c, 20, state_of(2));
    const journal::LogPosition before = log.written;
    ASSERT_TRUE(runtime.run_until([&] { return log.written > before; }));
    const Words first = hearer.take();
    EXPECT_LT(first.size(), 3u);
    durable();  // ... and then those of the newer one, and no others.
    EXPECT_EQ(hearer.take(), (Words{"restore 20", "restore 20"}));
    EXPECT_EQ(FakeCore::latest->count<consensus::SnapshotInstalled>(), 2u);
}

TEST_F(GroupTest, AnOwnCheckpointThatIsFinishedWhenTheConsensusStartsAgainDoesNotCount) {
    lead();
    const auto writer = begin_own();
    want(b, 10);
    std::optional<Result<void>> finished;
    say_gone(b, 10);
    EXPECT_EQ(FakeCore::latest, nullptr);
    writer->finish([&](Result<void> result) { finished = std::move(result); });
    runtime.settle();
    ASSERT_TRUE(finished);
    ASSERT_FALSE(*finished);
    EXPECT_EQ(finished->error().code, Errc::limit_exceeded) << "it is tried again";
    EXPECT_EQ(group->checkpoint(), Index{});
    recover();
    EXPECT_NE(FakeCore::latest, nullptr);
    EXPECT_EQ(around.ends, 0);
}

TEST_F(GroupTest, TheCheckpointThatCountsStaysHoweverManyNewerOnesComeToNothing) {
    lead();
    const auto take = [&] {
        const auto writer = begin_own();
        std::optional<Result<void>> finished;
        writer->finish([&](Result<void> result) { finished = std::move(result); });
        runtime.settle();
        durable();
        EXPECT_TRUE(finished && *finished);
    };
    take();
    ASSERT_EQ(group->checkpoint(), Index{3});
    for (std::uint64_t index = 4; index <= 6; ++index) {
        FakeCore::latest->scripted.push_back({consensus::PersistEntries{
            .from = Index{index},
            .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::barrier, .body = {}}},
            .write = ++FakeCore::latest->writes}});
        FakeCore::latest->last_now = Index{index};
        receive();
        durable();
        commit(index);
        // It is finished while another is on its way, which never comes.
        const auto writer = begin_own();
        want(b, 100);
        writer->finish([](const Result<void>&) {});
        runtime.settle();
        say_gone(b, 100);
        recover();
        ASSERT_NE(FakeCore::latest, nullptr);
        FakeCore::latest->configuration_now = members.configuration();
        FakeCore::latest->last_now = Index{index};
        EXPECT_EQ(group->checkpoint(), Index{3});
        EXPECT_TRUE(on_disk(3)) << "after the one of " << index;
    }
}

TEST_F(GroupTest, AGroupThatEndsInTheMiddleOfAnInstallIsToldNothingMore) {
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, "state");
    log.refuse = Error{.code = Errc::disk_failed, .detail = {}};
    FakeCore::latest->scripted.push_back(
        {consensus::PersistHardState{.hard = {.term = {9}, .vote = {}}}});
    receive();
    EXPECT_EQ(hearer.take(), Words{"failed disk_failed"});
    EXPECT_EQ(FakeCore::latest, nullptr);
    durable();
    EXPECT_EQ(hearer.take(), Words{});
}

TEST_F(GroupTest, AGroupThatIsLetGoInTheMiddleOfARestorationIsToldNothingMore) {
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, "state");
    log.durable_position = log.written;
    group->durable(log.written);
    group->give_up();
    runtime.settle();
    durable();
    EXPECT_EQ(hearer.take(), Words{});
    EXPECT_EQ(around.ends, 1);
}

}  // namespace
}  // namespace understudy::replicated
