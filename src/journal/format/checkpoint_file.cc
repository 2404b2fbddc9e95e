#include "journal/format/checkpoint_file.h"

#include <algorithm>
#include <utility>

#include "base/checksum.h"
#include "journal/format/segment.h"
#include "journal/format/whole_file.h"

namespace understudy::journal {

namespace {

constexpr std::uint64_t unsynced_bytes_max = 8 * MiB;

}  // namespace

CheckpointFile::CheckpointFile(Disk& disk, std::string directory, const Checkpoint& checkpoint)
    : disk_(disk),
      directory_(std::move(directory)),
      name_(checkpoint_name(checkpoint.at)),
      header_{.checkpoint = checkpoint} {}

Result<void> CheckpointFile::write(Bytes slice) {
    if (failed_) return *failed_;
    US_ASSERT(!named_);
    if (auto appended = append(slice); !appended) return give_up(std::move(appended).error());
    return {};
}

Result<void> CheckpointFile::finish() {
    if (failed_) return *failed_;
    US_ASSERT(!named_);
    auto written = append({});
    if (written) written = file_->write_at(0, encode(header_));
    if (!written) return give_up(std::move(written).error());
    const auto file = std::move(file_);
    auto named = name_whole_file(disk_, directory_, name_, *file);
    if (!named) failed_ = named.error();
    // The file may have its name already, and no other code would remove it in time.
    if (!named && is_shortage(failed_->code)) {
        static_cast<void>(disk_.remove(path_in(directory_, name_)));
    }
    named_ = named || failed_->effect == Effect::unknown;
    return named;
}

void CheckpointFile::abandon() {
    if (file_) give_up_whole_file(disk_, directory_, name_);
    if (named_) static_cast<void>(disk_.remove(path_in(directory_, name_)));
    file_.reset();
    named_ = false;
    failed_ = Error{.code = Errc::closed, .detail = "the checkpoint was given up"};
}

Result<void> CheckpointFile::append(Bytes slice) {
    if (!file_) file_ = US_TRY(begin_whole_file(disk_, directory_, name_));
    if (slice.empty()) return {};
    US_CHECK(file_->write_at(checkpoint_header_bytes + header_.state_bytes, slice));
    header_.state_bytes += slice.size();
    header_.state_checksum = crc32c(slice, header_.state_checksum);
    unsynced_bytes_ += slice.size();
    if (unsynced_bytes_ >= unsynced_bytes_max) {
        US_CHECK(file_->sync());
        unsynced_bytes_ = 0;
    }
    return {};
}

Result<void> CheckpointFile::give_up(Error error) {
    if (file_) give_up_whole_file(disk_, directory_, name_);
    file_.reset();
    error.effect = Effect::none;  // The journal loses nothing without this checkpoint.
    failed_ = error;
    return error;
}

Result<std::unique_ptr<CheckpointReader>> CheckpointReader::open(Disk& disk,
                                                                 const std::string& directory,
                                                                 Index at) {
    auto file = US_TRY(disk.open(path_in(directory, checkpoint_name(at)), Disk::Open::existing));
    const std::uint64_t size = US_TRY(file->size());
    if (size < checkpoint_header_bytes) return bad_checkpoint("shorter than its header");
    Buffer raw(checkpoint_header_bytes);
    US_CHECK(file->read_at(0, raw));
    const CheckpointHeader header = US_TRY(decode_checkpoint_header(raw));
    if (header.checkpoint.at != at) return bad_checkpoint("of another entry");
    if (header.state_bytes != size - checkpoint_header_bytes) return bad_checkpoint("wrong length");

    std::unique_ptr<CheckpointReader> reader(new CheckpointReader(std::move(file), header));
    while (!reader->ended_) US_CHECK(reader->next());
    reader->given_bytes_ = 0;
    reader->checksum_ = 0;
    reader->ended_ = false;
    return reader;
}

CheckpointReader::CheckpointReader(std::unique_ptr<File> file, const CheckpointHeader& header)
    : file_(std::move(file)), header_(header) {}

Result<CheckpointReader::Slice> CheckpointReader::next() {
    US_ASSERT(!ended_);
    Slice slice;
    slice.first = given_bytes_ == 0;
    const std::uint64_t left = header_.state_bytes - given_bytes_;
    slice.bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, slice_bytes)));
    US_CHECK(file_->read_at(checkpoint_header_bytes + given_bytes_, slice.bytes));
    given_bytes_ += slice.bytes.size();
    checksum_ = crc32c(slice.bytes, checksum_);
    slice.last = given_bytes_ == header_.state_bytes;
    ended_ = slice.last;
    if (slice.last && checksum_ != header_.state_checksum)
        return bad_checkpoint("checksum of the state");
    return slice;
}

}  // namespace understudy::journal
