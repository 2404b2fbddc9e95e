#include "journal/shared/shared_trim.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "journal/format/checkpoint.h"
#include "journal/shared/shared_cursor.h"

namespace understudy::journal {

namespace {

class Trim {
public:
    Trim(Disk& disk, const std::string& directory, const EpochRecord& own, SharedNames names)
        : disk_(disk), directory_(directory), own_(own), names_(std::move(names)) {}

    Result<void> segments() {
        // With fewer than two checkpoints everything that counts is kept.
        const bool enough = names_.checkpoints.size() >= checkpoints_kept;
        const Index needed = enough ? names_.checkpoints[checkpoints_kept - 1].next() : Index{1};
        const auto parts = US_TRY(read_parts(disk_, directory_, names_, needed));
        std::set<Epoch> counting;
        for (const SharedPart& part : parts) counting.insert(part.epoch);
        for (const auto& [epoch, generations] : names_.segments) {
            if (epoch >= own_.epoch || counting.contains(epoch)) continue;
            for (const std::uint64_t generation : generations) {
                remove(shared_segment_name(epoch, generation));
            }
        }
        if (parts.empty() || !enough) return {};
        const SharedPart& oldest = parts.front();
        for (std::size_t i = 0; i + 1 < oldest.generations.size(); ++i) {
            const auto next = US_TRY(
                read_shared_header(disk_, directory_, oldest.epoch, oldest.generations[i + 1]));
            if (!next || next->first > needed) break;
            remove(shared_segment_name(oldest.epoch, oldest.generations[i]));
        }
        return {};
    }

    void checkpoints() {
        for (std::size_t i = checkpoints_kept; i < names_.checkpoints.size(); ++i) {
            remove(checkpoint_name(names_.checkpoints[i]));
        }
    }

    void claims() {
        for (const Epoch claim : names_.claims) {
            if (claim < own_.epoch) remove(claim_name(claim));
        }
    }

    /// Removes unfinished files of processes that have ended or have been superseded.
    void unfinished() {
        for (const std::string& name : names_.spares) {
            if (free(name)) remove(name);
        }
        std::unique_ptr<File> lock;
        const std::string lock_path = path_in(directory_, checkpoint_lock_name);
        for (const std::string& name : names_.temporaries) {
            const auto epoch = name.size() > 17
                                   ? parse_hex16(std::string_view(name).substr(0, 17), "-")
                                   : std::nullopt;
            if (epoch ? Epoch{*epoch} < own_.epoch
                      : lock_checkpoints(disk_, lock_path, lock) && free(name)) {
                remove(name);
            }
        }
    }

    [[nodiscard]] std::size_t removed() const { return removed_; }

private:
    void remove(const std::string& name) {
        // If the maker of a checkpoint ended early, the checkpoint may be there without being
        // durable. It must be durable before the files are removed that it makes superfluous.
        if (!settled_) settled_ = disk_.sync_directory(directory_);
        if (*settled_ && disk_.remove(path_in(directory_, name))) ++removed_;
    }
    [[nodiscard]] bool free(const std::string& name) {
        const auto file = disk_.open(path_in(directory_, name), Disk::Open::existing);
        return file && (*file)->lock();
    }

    Disk& disk_;
    const std::string& directory_;
    const EpochRecord& own_;
    const SharedNames names_;
    std::optional<Result<void>> settled_;  ///< Whether the names that were listed are durable.
    std::size_t removed_ = 0;
};

}  // namespace

Result<Trimmed> trim_shared(Disk& disk, const std::string& directory, const EpochRecord& own) {
    US_CHECK(check_epoch(disk, directory, own));
    const SharedNames names = SharedNames::of(US_TRY(disk.list(directory)));
    Trim trim(disk, directory, own, names);
    US_CHECK(trim.segments());
    trim.checkpoints();
    trim.claims();
    trim.unfinished();
    return Trimmed{.checkpoint = names.checkpoints.empty() ? Index{} : names.checkpoints.front(),
                   .removed = trim.removed()};
}

Result<void> lock_checkpoints(Disk& disk, const std::string& path, std::unique_ptr<File>& lock) {
    if (lock) {
        // The lock of a deleted file excludes no other member. Another member may already write
        // under the same names.
        const auto there = lock->is_at(path);
        if (!there || *there) return {};
        return Error{.code = Errc::limit_exceeded, .detail = path + " was removed or replaced"};
    }
    auto file = US_TRY(disk.open(path, Disk::Open::create));
    if (auto locked = file->lock(); !locked) {
        if (locked.error().code != Errc::in_use) return locked;
        return Error{.code = Errc::limit_exceeded,
                     .detail = "another member is writing a checkpoint"};
    }
    // Between the two calls the name may have been removed or given to another file.
    if (!US_TRY(file->is_at(path))) {
        return Error{.code = Errc::limit_exceeded, .detail = path + " was removed or replaced"};
    }
    lock = std::move(file);
    return {};
}

}  // namespace understudy::journal
