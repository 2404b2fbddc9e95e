#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "journal/format/place_reader.h"
#include "journal/local/local_journal.h"
#include "journal/node_log/node_cache.h"
#include "journal/node_log/node_index.h"

namespace understudy::journal {

/// A node's log on a local journal.
///
/// A written entry is in the index at once; its place is known when it is durable. Checkpoints of
/// the journal hold the index as it was at the end of one turn. They are written while the log goes
/// on: when a group changes meanwhile, a copy of its index is kept for the checkpoint.
class NodeLogCore final : public NodeLog, private journal::Observer {
public:
    NodeLogCore(Runtime& runtime, Log& log, NodeLog::Options options, NodeLog::Observer& observer);
    ~NodeLogCore() override;
    NodeLogCore(const NodeLogCore&) = delete;
    NodeLogCore& operator=(const NodeLogCore&) = delete;

    /// To be called once. `opened` is called once, and may destroy this object.
    void begin(std::function<void(Result<void>)> opened);

    [[nodiscard]] std::uint64_t identity() const override { return identity_; }
    [[nodiscard]] const std::map<GroupId, Group>& groups() const override { return found_; }
    [[nodiscard]] Result<LogPosition> write(GroupId group, GroupWrite write,
                                            Urgency urgency) override;
    [[nodiscard]] LogPosition durable() const override { return durable_; }
    [[nodiscard]] Space space() const override { return journal_->space(); }
    [[nodiscard]] Error no_space() const override { return local().no_space(); }
    [[nodiscard]] Index first(GroupId group) const override;
    [[nodiscard]] Index last(GroupId group) const override;
    [[nodiscard]] std::optional<Epoch> term(GroupId group, Index index) const override;
    [[nodiscard]] std::vector<GroupEntry> cached(GroupId group, Index from, std::size_t count,
                                                 std::size_t bytes_max) const override;
    void load(GroupId group, Index from, std::size_t count, std::size_t bytes_max,
              Read done) override;
    [[nodiscard]] Result<LogPosition> forget(GroupId group) override;
    void look() override {
        if (journal_) journal_->look();
    }
    void close(std::function<void()> done) override;

private:
    struct LiveGroup {
        GroupIndex index;
        std::uint64_t snapshot = 0;  ///< The last snapshot that does not need this index any more.
    };
    /// An entry in a draft that is not durable yet.
    struct Unplaced {
        GroupId group;
        Index index;
        std::uint32_t offset = 0;  ///< In the draft.
        IndexedEntry before;       ///< What the index says about it until then.
    };
    struct Building {
        Buffer body;
        std::vector<Unplaced> entries;
        std::size_t added = 0;  ///< How many of them are new in the cache.
    };
    struct UnderWay {
        std::vector<Unplaced> entries;
        std::size_t added = 0;
    };
    /// The index as it was when `position` had been written.
    struct Snapshot {
        LogPosition position;
        std::vector<GroupId> groups;
        std::size_t next = 0;        ///< In `groups`: all groups before are written.
        std::size_t next_entry = 0;  ///< Next entry of that group.
        std::map<GroupId, GroupIndex> frozen;
        std::unique_ptr<CheckpointWriter> writer;
        /// The oldest segment that contains an entry; 0: none does.
        std::uint32_t oldest_segment = 0;
        std::uint64_t live_bytes = 0;
        std::uint64_t bytes_written = 0;   ///< NodeLogCore::bytes_written_ at `position`.
        std::uint32_t newest_segment = 0;  ///< At `position`.
        bool begun = false;
    };
    /// Live entries of the oldest segments are being written again.
    struct Cleaning {
        std::uint32_t below = 0;  ///< Entries in segments below this one are written again.
        GroupId group{};          ///< The next step begins here.
        Index index{};
        LogPosition written{};  ///< Position of the last step.
    };

    Result<void> restore(const StateSlice& slice) override;
    void committed(const Entry& entry) override;
    void standing_changed(const Standing&) override {}
    void space_changed(Space space) override;
    void failed(const Error& error) override;

    void opened_journal(Result<std::unique_ptr<Journal>> journal);
    [[nodiscard]] Result<void> take_index();
    void end_opening(Result<void> result);

    [[nodiscard]] LocalJournal& local() const;
    [[nodiscard]] const GroupIndex* find(GroupId group) const;
    [[nodiscard]] Result<void> check(const GroupWrite& write) const;
    [[nodiscard]] Result<void> admit(std::uint64_t bytes, Urgency urgency);
    LiveGroup& group_for(GroupId group);
    Building& draft_for(std::uint64_t bytes);
    void append(GroupId id, LiveGroup& group, GroupEntry entry);
    void note(const NodeRecord& record);
    LogPosition turn();
    void hand_over();
    void handed_over(LogPosition position, const Result<Index>& result);
    void place(const Entry& entry);

    void loaded(const std::vector<WantedBody>& wanted, Result<std::vector<GroupEntry>> found,
                std::size_t bytes_max, const Read& done);
    void load_later(const Error& error, std::function<void()> again);
    template <class Work>
    void read_bodies(std::vector<WantedBody> wanted, Work done);

    void begin_snapshot();
    void freeze(GroupId id, LiveGroup& group);
    void write_snapshot();
    [[nodiscard]] Buffer snapshot_slice();
    void end_snapshot(const Result<void>& result);

    void begin_cleaning(std::uint32_t oldest, std::uint64_t live_bytes);
    void clean();
    void rewrite(const std::vector<WantedBody>& wanted, Result<std::vector<GroupEntry>> found);

    template <class Task>
    void later(Task task);

    Runtime& runtime_;
    Log& log_;
    const NodeLog::Options options_;
    NodeLog::Observer& observer_;
    const std::uint64_t record_bytes_max_;
    const std::uint64_t draft_bytes_max_;

    std::function<void(Result<void>)> on_opened_;  ///< Empty once it is open.
    NodeIndex index_;                              ///< While it is opened.
    Buffer restoring_;
    std::optional<Error> damage_;

    std::uint64_t identity_ = 0;
    std::map<GroupId, Group> found_;
    std::map<GroupId, LiveGroup> groups_;
    NodeCache cache_;

    std::vector<Building> turn_;  ///< What was written since the last hand_over().
    std::uint64_t turn_bytes_ = 0;
    TurnEnd hand_over_;
    std::uint32_t appended_ = 0;  ///< Counts entries, and identifies those that have no place yet.
    std::deque<UnderWay> under_way_;
    LogPosition written_;
    LogPosition durable_;
    std::uint32_t newest_segment_ = 0;

    std::optional<Snapshot> snapshot_;
    std::uint64_t snapshots_ = 0;
    std::uint64_t bytes_written_ = 0;
    /// The next snapshot is due when this many bytes have been written.
    std::uint64_t snapshot_due_ = 0;
    bool trimmed_ = false;  ///< Since the last snapshot.
    std::optional<Cleaning> cleaning_;
    bool closing_ = false;
    std::vector<std::function<void()>> loads_short_;  ///< Loads that wait for a descriptor.
    std::unique_ptr<Timer> load_timer_;

    std::shared_ptr<PlaceReader> reader_;  ///< Belongs to the reader worker.
    Lifetime life_;
    std::unique_ptr<Opening> opening_;
    std::unique_ptr<Journal> journal_;  ///< Null while opening.
};

}  // namespace understudy::journal
