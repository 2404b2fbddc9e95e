#include "replicated/node/incoming.h"

#include <utility>

#include <fmt/format.h>

#include "base/checksum.h"
#include "replicated/surroundings.h"

namespace understudy::replicated {

Incoming::Incoming(Runtime& runtime, Surroundings& surroundings, GroupId group,
                   std::string directory, Source source, Done done)
    : runtime_(runtime),
      surroundings_(surroundings),
      group_(group),
      directory_(std::move(directory)),
      source_(std::move(source)),
      done_(std::move(done)),
      heard_at_(runtime.now()) {
    ask();
    arm();
}

Incoming::~Incoming() {
    if (file_ == nullptr || ended_) return;
    // A job that is under way is done before this one.
    runtime_.worker(checkpoint_worker).submit([file = file_] { file->abandon(); }, [] {});
}

void Incoming::ask() {
    if (last_seen_ || ended_) return;
    const Index index = source_.snapshot ? source_.snapshot->index : Index{};
    surroundings_.tell(source_.from, group_, wire::MessageType::fetch,
                       encode(Fetch{.group = group_,
                                    .index = index,
                                    .offset = expected_,
                                    .beyond = source_.beyond}));
}

void Incoming::arm() {
    timer_ = runtime_.at(runtime_.now() + retry_interval, [this] {
        if (ended_ || last_seen_) return;
        if (runtime_.now() - heard_at_ >= patience) {
            return end(Error{.code = Errc::unavailable, .detail = "the checkpoint did not come"});
        }
        if (runtime_.now() - heard_at_ >= retry_interval) ask();
        arm();
    });
}

void Incoming::chunk(const Chunk& chunk) {
    if (ended_ || last_seen_) return;
    if (auto checked = check(chunk); !checked) return end(std::move(checked).error());
    // It answers an earlier question. The right chunk will come.
    if (chunk.offset != expected_) return;
    if (!source_.snapshot) source_.snapshot = chunk.snapshot;
    if (!source_.snapshot || chunk.index != source_.snapshot->index) return;
    const std::uint32_t checksum = crc32c(chunk.bytes, checksum_);
    if (checksum != chunk.checksum) {
        return end(Error{.code = Errc::corrupt, .detail = "a checkpoint on its way"});
    }
    checksum_ = checksum;
    expected_ += chunk.bytes.size();
    heard_at_ = runtime_.now();
    last_seen_ = chunk.place == Chunk::Place::last;
    write(chunk);
}

Result<void> Incoming::check(const Chunk& chunk) const {
    if (chunk.place == Chunk::Place::gone) {
        return Error{.code = Errc::unavailable, .detail = "the checkpoint is no longer there"};
    }
    if (source_.snapshot && chunk.snapshot && chunk.index == source_.snapshot->index &&
        (chunk.snapshot->term != source_.snapshot->term ||
         chunk.snapshot->reference != source_.snapshot->reference)) {
        return Error{.code = Errc::corrupt, .detail = "another checkpoint of the same entry"};
    }
    return {};
}

void Incoming::write(const Chunk& chunk) {
    struct Shared {
        std::shared_ptr<journal::CheckpointFile> file;
        Buffer bytes;
        std::uint64_t end = 0;
        bool last = false;
        Result<void> result;
    };
    if (file_ == nullptr) {
        file_ = std::make_shared<journal::CheckpointFile>(
            runtime_.disk(), directory_,
            journal::Checkpoint{.journal = static_cast<std::uint32_t>(group_.value),
                                .at = source_.snapshot->index,
                                .epoch = source_.snapshot->term,
                                .checksum = 0});
    }
    const auto job = std::make_shared<Shared>();
    job->file = file_;
    job->bytes.assign(chunk.bytes.begin(), chunk.bytes.end());
    job->end = expected_;
    job->last = last_seen_;
    runtime_.worker(checkpoint_worker)
        .submit(
            [job] {
                job->result = job->file->write(job->bytes);
                if (job->result && job->last) job->result = job->file->finish();
            },
            life_.guarded([this, job] {
                if (ended_) return;
                if (!job->result) return end(std::move(job->result).error());
                surroundings_.tell(
                    source_.from, group_, wire::MessageType::chunk_taken,
                    encode(ChunkTaken{
                        .group = group_, .index = source_.snapshot->index, .offset = job->end}));
                if (job->last) end(*source_.snapshot);
            }));
}

// The owner may destroy this object in the callback.
void Incoming::end(Result<consensus::SnapshotRef> result) {
    US_ASSERT(!ended_);
    ended_ = true;
    timer_.reset();
    if (!result && file_ != nullptr) {
        runtime_.worker(checkpoint_worker).submit([file = file_] { file->abandon(); }, [] {});
    }
    runtime_.post(life_.guarded([this, result = std::move(result)]() mutable {
        const Done done = done_;
        done(std::move(result));
    }));
}

}  // namespace understudy::replicated
