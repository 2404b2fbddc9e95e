#include "journal/whole_file.h"

#include <algorithm>

#include "journal/segment.h"

namespace understudy::journal {

namespace {

constexpr std::uint64_t step_bytes = 1 * MiB;  // One write: long enough to be cheap.

Result<std::unique_ptr<File>> make_temporary(Disk& disk, const std::string& path,
                                             const std::function<Result<void>(File&)>& fill) {
    // A new file each time, never the rest of an older attempt: a sync that failed on that one
    // would be reported as a success the second time.
    if (auto removed = disk.remove(path); !removed && removed.error().code != Errc::not_found) {
        return removed.error();
    }
    auto file = US_TRY(disk.open(path, Disk::Open::create_new));
    US_CHECK(fill(*file));
    US_CHECK(file->sync());
    return file;
}

}  // namespace

Result<std::unique_ptr<File>> make_whole_file(Disk& disk, const std::string& directory,
                                              const std::string& name,
                                              const std::function<Result<void>(File&)>& fill) {
    const std::string path = path_in(directory, name);
    const std::string temporary = path + std::string(temporary_suffix);

    auto file = make_temporary(disk, temporary, fill);
    Result<void> made;
    if (!file) {
        made = file.error();
    } else {
        made = disk.rename(temporary, path);
    }
    if (!made) {
        // Gives the space back; if that fails too, the next attempt or the next opening does it.
        static_cast<void>(disk.remove(temporary));
        Error error = std::move(made).error();
        error.effect = Effect::none;
        return error;
    }
    if (auto synced = disk.sync_directory(directory); !synced) {
        Error error = std::move(synced).error();
        error.effect = Effect::unknown;
        return error;
    }
    return file;
}

Result<void> write_zeros(File& file, std::uint64_t from, std::uint64_t to) {
    const Buffer zeros(static_cast<std::size_t>(std::min(to - from, step_bytes)));
    while (from < to) {
        const std::uint64_t bytes = std::min<std::uint64_t>(to - from, zeros.size());
        US_CHECK(file.write_at(from, Bytes(zeros).first(static_cast<std::size_t>(bytes))));
        from += bytes;
    }
    return {};
}

Result<std::unique_ptr<File>> make_segment(Disk& disk, const std::string& directory,
                                           std::uint64_t generation, std::uint64_t size_bytes) {
    return make_whole_file(disk, directory, segment_name(generation),
                           [&](File& file) { return write_zeros(file, 0, size_bytes); });
}

Result<void> write_checkpoint(Disk& disk, const std::string& directory,
                              const Checkpoint& checkpoint, Bytes state) {
    const auto fill = [&](File& file) -> Result<void> {
        US_CHECK(file.write_at(0, encode_checkpoint_header(checkpoint, state)));
        for (std::size_t done = 0; done < state.size();) {
            const Bytes part =
                state.subspan(done, std::min<std::size_t>(state.size() - done, step_bytes));
            US_CHECK(file.write_at(checkpoint_header_bytes + done, part));
            done += part.size();
        }
        return {};
    };
    US_CHECK(make_whole_file(disk, directory, checkpoint_name(checkpoint.at), fill));
    return {};
}

Result<LoadedCheckpoint> read_checkpoint(Disk& disk, const std::string& directory, Index at) {
    auto file = US_TRY(disk.open(path_in(directory, checkpoint_name(at)), Disk::Open::existing));
    const std::uint64_t size = US_TRY(file->size());
    Buffer bytes(static_cast<std::size_t>(size));
    US_CHECK(file->read_at(0, bytes));
    auto loaded = US_TRY(decode_checkpoint(std::move(bytes)));
    if (loaded.checkpoint.at != at) {
        return Error{.code = Errc::corrupt, .detail = "checkpoint: of another entry"};
    }
    return loaded;
}

}  // namespace understudy::journal
