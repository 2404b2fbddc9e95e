#include "sim/disk/sim_disk.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/checksum.h"
#include "sim/draw.h"
#include "sim/node.h"
#include "sim/process.h"
#include "sim/sim_runtime.h"
#include "sim/world.h"

namespace understudy::sim {

enum class SimDisk::Call : std::uint8_t {
    open,
    list,
    make_directory,
    rename,
    remove,
    free_bytes,
    sync_directory,
    size,
    read,
    write,
    truncate,
    sync,
    lock,
    is_at,
};

namespace {

Error failed(const std::string& path, std::string_view why, Effect effect = Effect::none) {
    return {
        .code = Errc::disk_failed, .effect = effect, .detail = fmt::format("{}: {}", path, why)};
}

}  // namespace

class SimDisk::SimFile final : public File {
public:
    SimFile(SimDisk& disk, DiskStore& store, std::shared_ptr<StoredFile> file, std::string path)
        : disk_(disk),
          store_(store),
          file_(std::move(file)),
          path_(std::move(path)),
          number_(++disk.last_file_),
          // One number for each open description in the world: a process opens fewer than 2^32.
          description_(disk.runtime_.owner().value << 32 | number_) {
        disk_.files_.emplace(number_, this);
        file_->hold();
    }
    SimFile(const SimFile&) = delete;
    SimFile& operator=(const SimFile&) = delete;
    ~SimFile() override {
        unlock();
        file_->drop();
        disk_.files_.erase(number_);
    }

    Result<std::uint64_t> size() override {
        US_CHECK(enter(Call::size));
        return file_->cached().size();
    }

    Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
        US_CHECK(enter(Call::read, out.size()));
        if (happens(store_.random(), store_.options().read_error_rate)) {
            return failed(path_, "read: input/output error");
        }
        if (out.empty()) return {};
        const std::uint64_t size = file_->cached().size();
        if (offset > size || out.size() > size - offset) {
            return Error{
                .code = Errc::corrupt,
                .detail = fmt::format("{}: {} bytes at {} of {}", path_, out.size(), offset, size)};
        }
        file_->cached().read(offset, out);
        return {};
    }

    Result<void> write_at(std::uint64_t offset, Bytes data) override {
        const Owner owner = disk_.runtime_.owner();
        const bool room = store_.has_room(file_->cached().missing_pages(offset, data.size()));
        if (room && disk_.runtime_.alive() && disk_.runtime_.process().dies_at_next_disk_call()) {
            file_->write(offset, data.first(store_.random().below(data.size() + 1)), owner);
        }
        US_CHECK(enter(Call::write, data.size()));
        if (!room) return fill_up(offset, data);
        if (happens(store_.random(), store_.options().write_error_rate)) {
            file_->write(offset, data.first(store_.random().below(data.size() + 1)), owner);
            return failed(path_, "write: input/output error", Effect::unknown);
        }
        file_->write(offset, data, owner);
        disk_.runtime_.world().trace().mix(hash64(data, offset));
        return {};
    }

    Result<void> truncate(std::uint64_t size) override {
        US_CHECK(enter(Call::truncate));
        file_->truncate(size, disk_.runtime_.owner());
        return {};
    }

    Result<void> sync() override {
        US_CHECK(enter(Call::sync));
        if (happens(store_.random(), store_.options().sync_error_rate)) {
            file_->fail_sync(store_.random());
            return failed(path_, "sync: input/output error", Effect::unknown);
        }
        file_->sync();
        return {};
    }

    Result<void> lock() override {
        US_CHECK(enter(Call::lock));
        const bool free = file_->locked_by == 0 || file_->locked_by == description_ ||
                          file_->locked_until <= disk_.runtime_.world().now();
        if (!free) return Error{.code = Errc::in_use, .detail = fmt::format("{}: locked", path_)};
        file_->locked_by = description_;
        file_->locked_until = TimePoint::max();
        locked_ = true;
        return {};
    }

    Result<bool> is_at(const std::string& path) override {
        US_CHECK(enter(Call::is_at));
        const auto [store, inside] = disk_.runtime_.node().store_of(path);
        return store == &store_ && store_.names(inside, *file_);
    }

    void unlock() {
        // If it is unreachable, the store is not told, and the lease expires.
        if (holds_lock() && file_->locked_until == TimePoint::max()) file_->locked_by = 0;
    }
    void storage_changed(bool cut) {
        if (!holds_lock() || !is_shared()) return;
        file_->locked_until =
            cut ? disk_.runtime_.world().now() + store_.options().lock_lease : TimePoint::max();
    }
    void lose_power() {
        if (!is_shared()) return unlock();
        if (file_->locked_until == TimePoint::max()) storage_changed(true);
        locked_ = false;
    }

private:
    // The kernel writes the part that fits, then reports that there is no room for the rest.
    Error fill_up(std::uint64_t offset, Bytes data) {
        std::size_t fits = 0;
        if (store_.random().chance(1, 2)) {
            const std::size_t step = PagedFile::page_bytes;
            const auto first =
                std::min(data.size(), step - static_cast<std::size_t>(offset % step));
            for (std::size_t next = first; next <= data.size(); next += step) {
                if (!store_.has_room(file_->cached().missing_pages(offset, next))) break;
                fits = next;
            }
        }
        file_->write(offset, data.first(fits), disk_.runtime_.owner());
        return {.code = Errc::no_space,
                .effect = fits == 0 ? Effect::none : Effect::unknown,
                .detail = path_};
    }

    Result<void> enter(Call call, std::uint64_t bytes = 0) {
        const bool reachable = disk_.runtime_.node().reaches(store_);
        US_CHECK(disk_.enter(call, reachable ? &store_ : nullptr, path_, bytes));
        // The Linux client of NFS gives this error on the descriptor that held the lock.
        if (locked_ && !holds_lock()) return failed(path_, "the lock was lost");
        return {};
    }
    [[nodiscard]] bool holds_lock() const { return locked_ && file_->locked_by == description_; }
    [[nodiscard]] bool is_shared() const { return &store_ != &disk_.runtime_.node().disk(); }

    SimDisk& disk_;
    DiskStore& store_;
    const std::shared_ptr<StoredFile> file_;
    const std::string path_;
    const std::uint64_t number_;
    const std::uint64_t description_;
    bool locked_ = false;  // It was locked at some time.
};

Result<std::unique_ptr<File>> SimDisk::open(const std::string& path, Open how) {
    const auto [store, inside] = runtime_.node().store_of(path);
    US_CHECK(enter(Call::open, store, path));
    US_CHECK(take_descriptor(*store, path));
    auto file = how == Open::directory ? US_TRY(store->open_directory(inside))
                                       : US_TRY(store->open(inside, how, runtime_.owner()));
    return std::unique_ptr<File>(std::make_unique<SimFile>(*this, *store, std::move(file), path));
}

Result<std::vector<std::string>> SimDisk::list(const std::string& directory) {
    const auto [store, inside] = runtime_.node().store_of(directory);
    US_CHECK(enter(Call::list, store, directory));
    US_CHECK(take_descriptor(*store, directory));
    return store->list(inside);
}

Result<void> SimDisk::make_directory(const std::string& path) {
    const auto [store, inside] = runtime_.node().store_of(path);
    US_CHECK(enter(Call::make_directory, store, path));
    return store->make_directory(inside);
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
    const auto [store, inside] = runtime_.node().store_of(from);
    const auto [target, target_inside] = runtime_.node().store_of(to);
    US_CHECK(enter(Call::rename, store, from));
    if (target != store) return failed(to, "rename: another file system");
    return store->rename(inside, target_inside, runtime_.owner());
}

Result<void> SimDisk::remove(const std::string& path) {
    const auto [store, inside] = runtime_.node().store_of(path);
    US_CHECK(enter(Call::remove, store, path));
    return store->remove(inside, runtime_.owner());
}

Result<std::uint64_t> SimDisk::free_bytes(const std::string& directory) {
    const auto [store, inside] = runtime_.node().store_of(directory);
    US_CHECK(enter(Call::free_bytes, store, directory));
    return store->free_bytes();
}

Result<void> SimDisk::sync_directory(const std::string& path) {
    const auto [store, inside] = runtime_.node().store_of(path);
    US_CHECK(enter(Call::sync_directory, store, path));
    US_CHECK(take_descriptor(*store, path));
    if (happens(store->random(), store->options().sync_error_rate)) {
        return failed(path, "sync: input/output error", Effect::unknown);
    }
    return store->sync_directory(inside);
}

void SimDisk::close_all() {
    for (const auto& [number, file] : files_) file->unlock();
}

void SimDisk::lose_power() {
    for (const auto& [number, file] : files_) file->lose_power();
}

void SimDisk::storage_changed(bool cut) {
    for (const auto& [number, file] : files_) file->storage_changed(cut);
}

Result<void> SimDisk::enter(Call call, DiskStore* store, const std::string& path,
                            std::uint64_t bytes) {
    if (!runtime_.alive()) return failed(path, "the process is dead", Effect::unknown);
    // Disk calls are allowed only in a Worker's job, or before the loop runs.
    US_ASSERT(runtime_.meter() != nullptr);
    Trace& trace = runtime_.world().trace();
    trace.mix(static_cast<std::uint64_t>(call));
    trace.mix(path);
    if (runtime_.process().count_disk_call()) {
        runtime_.process().crash();
        return failed(path, "the process is dead", Effect::unknown);
    }
    if (store == nullptr) return failed(path, "storage is out of reach");
    *runtime_.meter() += cost_of(call, *store, bytes);
    return {};
}

Result<void> SimDisk::take_descriptor(DiskStore& store, const std::string& path) {
    if (!happens(store.random(), store.options().shortage_rate)) return {};
    return Error{.code = Errc::no_descriptors,
                 .detail = fmt::format("{}: too many open files", path)};
}

Duration SimDisk::cost_of(Call call, DiskStore& store, std::uint64_t bytes) {
    const DiskOptions& options = store.options();
    if (call != Call::sync && call != Call::sync_directory) {
        const auto transfer = static_cast<std::int64_t>(bytes) * options.per_mebibyte /
                              static_cast<std::int64_t>(MiB);
        return exponential(store.random(), options.call) + transfer;
    }
    if (happens(store.random(), options.stall_rate)) {
        return store.random().between(Duration::zero(), options.stall_max);
    }
    return exponential(store.random(), options.sync);
}

}  // namespace understudy::sim
