#include "replicated/node/shipper.h"

#include <algorithm>
#include <utility>

#include "base/checksum.h"
#include "replicated/surroundings.h"

namespace understudy::replicated {

Shipper::Shipper(Runtime& runtime, std::uint64_t in_flight_bytes_max, Send send)
    : runtime_(runtime),
      in_flight_bytes_max_(std::max<std::uint64_t>(in_flight_bytes_max, chunk_bytes)),
      send_(std::move(send)) {}

void Shipper::fetch(const Fetch& fetch, std::optional<Source> source) {
    if (const auto found = streams_.find(fetch.group);
        source && found != streams_.end() && found->second.reading &&
        found->second.source.index == source->index && found->second.from == fetch.offset) {
        return;  // The peer asks again while the file is still being read.
    }
    streams_.erase(fetch.group);
    if (!source) return gone(fetch.group, fetch.index);
    // A stream that is never acknowledged again must not block the others.
    std::erase_if(streams_, [&](const auto& each) {
        return runtime_.now() - each.second.heard_at > patience;
    });
    Stream& stream = streams_[fetch.group];
    stream.number = ++last_number_;
    stream.source = *std::move(source);
    stream.from = fetch.offset;
    stream.heard_at = runtime_.now();
    open(fetch.group, stream);
}

void Shipper::taken(const ChunkTaken& taken) {
    const auto found = streams_.find(taken.group);
    if (found == streams_.end()) return;
    Stream& stream = found->second;
    if (stream.source.index != taken.index || taken.offset > stream.sent) return;
    stream.acknowledged = std::max(stream.acknowledged, taken.offset);
    stream.heard_at = runtime_.now();
    if (stream.all_sent && stream.acknowledged == stream.sent) streams_.erase(found);
    pump();
}

void Shipper::forget(GroupId group) { streams_.erase(group); }

Shipper::Stream* Shipper::find(GroupId group, std::uint64_t number) {
    const auto found = streams_.find(group);
    return found != streams_.end() && found->second.number == number ? &found->second : nullptr;
}

void Shipper::open(GroupId group, Stream& stream) {
    struct Job {
        Result<std::unique_ptr<journal::CheckpointReader>> reader{
            Error{.code = Errc::closed, .detail = {}}};
    };
    const auto job = std::make_shared<Job>();
    stream.reading = true;
    runtime_.worker(checkpoint_worker)
        .submit(
            [job, directory = stream.source.directory, index = stream.source.index,
             &disk = runtime_.disk()] {
                job->reader = journal::CheckpointReader::open(disk, directory, index);
            },
            life_.guarded([this, group, number = stream.number, job] {
                Stream* const opened = find(group, number);
                if (opened == nullptr) return;
                if (!job->reader) return gone(group, opened->source.index);
                opened->reader = *std::move(job->reader);
                read(group, *opened);
            }));
}

void Shipper::read(GroupId group, Stream& stream) {
    struct Job {
        Result<journal::CheckpointReader::Slice> slice{Error{.code = Errc::closed, .detail = {}}};
    };
    const auto job = std::make_shared<Job>();
    stream.reading = true;
    runtime_.worker(checkpoint_worker)
        .submit([job, reader = stream.reader] { job->slice = reader->next(); },
                life_.guarded([this, group, number = stream.number, job] {
                    slice_read(group, number, std::move(job->slice));
                }));
}

void Shipper::slice_read(GroupId group, std::uint64_t number,
                         Result<journal::CheckpointReader::Slice> slice) {
    Stream* stream = find(group, number);
    if (stream == nullptr) return;
    stream->reading = false;
    if (!slice) return gone(group, stream->source.index);
    stream->slice_at += stream->slice.size();
    stream->slice = std::move(slice->bytes);
    stream->slice_is_last = slice->last;
    if (stream->sent < stream->from) {
        // The stream begins at a later offset. What the peer has already is read only for the
        // checksum.
        const std::uint64_t skipped =
            std::min<std::uint64_t>(stream->slice.size(), stream->from - stream->slice_at);
        stream->checksum =
            crc32c(Bytes(stream->slice).first(static_cast<std::size_t>(skipped)), stream->checksum);
        stream->sent = stream->slice_at + skipped;
        stream->acknowledged = stream->sent;
        if (skipped == stream->slice.size() && !slice->last) return read(group, *stream);
    }
    pump();
}

void Shipper::gone(GroupId group, Index index) {
    streams_.erase(group);
    send_({.group = group,
           .index = index,
           .offset = 0,
           .place = Chunk::Place::gone,
           .checksum = 0,
           .snapshot = std::nullopt,
           .bytes = {}});
}

std::uint64_t Shipper::in_flight() const {
    std::uint64_t bytes = 0;
    for (const auto& [group, stream] : streams_) bytes += stream.sent - stream.acknowledged;
    return bytes;
}

void Shipper::pump() {
    bool progress = true;
    while (progress && in_flight() + chunk_bytes <= in_flight_bytes_max_) {
        progress = false;
        auto next = streams_.upper_bound(turn_);
        for (std::size_t i = 0; i < streams_.size() && !progress; ++i) {
            if (next == streams_.end()) next = streams_.begin();
            progress = send_one(next->first, next->second);
            turn_ = next->first;
            ++next;
        }
    }
}

bool Shipper::send_one(GroupId group, Stream& stream) {
    if (stream.reading || stream.all_sent || stream.reader == nullptr) return false;
    const auto done = static_cast<std::size_t>(stream.sent - stream.slice_at);
    const Bytes rest = Bytes(stream.slice).subspan(done);
    const Bytes bytes = rest.first(std::min(rest.size(), chunk_bytes));
    const bool slice_ends = bytes.size() == rest.size();
    stream.checksum = crc32c(bytes, stream.checksum);
    const std::uint64_t offset = stream.sent;
    stream.sent += bytes.size();
    stream.all_sent = slice_ends && stream.slice_is_last;
    send_({.group = group,
           .index = stream.source.index,
           .offset = offset,
           .place = stream.all_sent ? Chunk::Place::last : Chunk::Place::within,
           .checksum = stream.checksum,
           .snapshot = offset == 0 ? stream.source.snapshot : std::nullopt,
           .bytes = bytes});
    if (slice_ends && !stream.all_sent) read(group, stream);
    return true;
}

}  // namespace understudy::replicated
