#include "journal/node_log/node_log.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/checksum.h"
#include "base/plant.h"
#include "journal/format/segment.h"
#include "journal/node_log/node_log_core.h"
#include "journal/node_log/node_log_later.h"

namespace understudy::journal {

namespace {

// Offsets in a segment have 32 bits.
constexpr std::uint64_t node_segment_bytes_max = 1 * GiB;

/// An opening under way. It owns the log until the log is given to the caller.
class NodeLogOpening final : public Opening {
public:
    NodeLogOpening(std::unique_ptr<NodeLogCore> core, NodeLog::Opened opened)
        : core_(std::move(core)), opened_(std::move(opened)) {
        core_->begin([this](Result<void> result) { ended(std::move(result)); });
    }
    NodeLogOpening(const NodeLogOpening&) = delete;
    NodeLogOpening& operator=(const NodeLogOpening&) = delete;
    ~NodeLogOpening() override = default;

private:
    // The callback may destroy this object, so its members are moved out before.
    void ended(Result<void> result) {
        const NodeLog::Opened opened = std::move(opened_);
        std::unique_ptr<NodeLogCore> core = std::move(core_);
        if (!result) return opened(std::move(result).error());
        opened(std::unique_ptr<NodeLog>(std::move(core)));
    }

    std::unique_ptr<NodeLogCore> core_;
    NodeLog::Opened opened_;
};

}  // namespace

std::unique_ptr<Opening> NodeLog::open(Runtime& runtime, Log& log, Options options,
                                       Observer& observer, Opened opened) {
    auto core = std::make_unique<NodeLogCore>(runtime, log, std::move(options), observer);
    return std::make_unique<NodeLogOpening>(std::move(core), std::move(opened));
}

void NodeLogCore::begin(std::function<void(Result<void>)> opened) {
    on_opened_ = std::move(opened);
    if (options_.segment_size_bytes > node_segment_bytes_max) {
        later([this] {
            end_opening(
                Error{.code = Errc::bad_config,
                      .detail = fmt::format("node's log: segments of {} bytes, {} at most",
                                            options_.segment_size_bytes, node_segment_bytes_max)});
        });
        return;
    }
    opening_ = LocalJournal::open(runtime_, log_,
                                  {.directory = options_.directory,
                                   .segment_size_bytes = options_.segment_size_bytes,
                                   .queue_bytes_max = options_.queue_bytes_max,
                                   .keeps_segments = true,
                                   .identities = options_.identities},
                                  *this, [this](Result<std::unique_ptr<Journal>> journal) {
                                      opened_journal(std::move(journal));
                                  });
}

void NodeLogCore::opened_journal(Result<std::unique_ptr<Journal>> journal) {
    if (!journal) return end_opening(std::move(journal).error());
    if (damage_) return end_opening(*damage_);
    journal_ = *std::move(journal);
    if (auto taken = take_index(); !taken) return end_opening(std::move(taken));
    if (identity_ != 0) return end_opening({});
    identity_ = planted(Plant::empty_disk_votes)
                    ? hash64(as_bytes(options_.directory))
                    : runtime_.random().between(std::uint64_t{1}, UINT64_MAX);
    draft_for(record_overhead_max);
    note({.what = RecordWhat::identity, .number = identity_});
    static_cast<void>(turn());  // The opening ends when this is durable.
}

/// The index that was rebuilt from the records becomes the current one.
Result<void> NodeLogCore::take_index() {
    const std::vector<std::uint64_t> generations = local().segments();
    std::set<std::uint32_t> segments;
    for (const std::uint64_t one : generations) segments.insert(static_cast<std::uint32_t>(one));
    reader_ = std::make_shared<PlaceReader>(runtime_.disk(), options_.directory,
                                            journal_id(generations.back()));
    identity_ = index_.identity();
    for (auto& [id, group] : index_.groups()) {
        for (std::size_t i = 0; i < group.entries.size(); ++i) {
            const std::uint32_t segment = group.entries[i].segment;
            if (segments.contains(segment)) continue;
            const std::uint64_t generation =
                (generations.back() & ~std::uint64_t{UINT32_MAX}) | segment;
            return Error{
                .code = Errc::corrupt,
                .detail = fmt::format("entry {} of group {} lay in {} of {}, which is gone or not "
                                      "whole",
                                      group.first.value + i, id.value, segment_name(generation),
                                      options_.directory)};
        }
        found_[id] = {.state = group.state, .first = group.first, .last = group.last()};
        groups_[id].index = std::move(group);
    }
    index_ = {};
    return {};
}

/// May destroy this.
void NodeLogCore::end_opening(Result<void> result) {
    std::exchange(on_opened_, {})(std::move(result));
}

}  // namespace understudy::journal
