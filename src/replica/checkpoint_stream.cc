#include "replica/checkpoint_stream.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/plant.h"
#include "replica/pack.h"

namespace understudy::replica {

namespace {

constexpr std::uint64_t version = 1;
constexpr std::size_t frame_head_bytes = 5;

// Kinds of frames. File format: never reuse, never renumber.
constexpr std::uint8_t head_frame = 1;
constexpr std::uint8_t sessions_frame = 2;
constexpr std::uint8_t machine_frame = 3;
constexpr std::uint8_t machine_last_frame = 4;

Error corrupt(const char* what) {
    return {.code = Errc::corrupt, .detail = std::string("checkpoint of a replica: ") + what};
}

// The body is appended after the head. The head is filled in when the body is complete.
class OpenFrame {
public:
    explicit OpenFrame(Buffer& out) : out_(out), at_(out.size()) {
        out_.resize(at_ + frame_head_bytes);
    }
    [[nodiscard]] std::size_t body_bytes() const { return out_.size() - at_ - frame_head_bytes; }
    void close(std::uint8_t kind) {
        const auto length = static_cast<std::uint32_t>(body_bytes());
        std::memcpy(out_.data() + at_, &length, sizeof length);
        out_[at_ + sizeof length] = static_cast<std::byte>(kind);
    }

private:
    Buffer& out_;
    const std::size_t at_;
};

}  // namespace

CheckpointSource::CheckpointSource(const Replicated& replicated, StateMachine& machine)
    : time_(replicated.time),
      sessions_(planted(Plant::sessions_not_in_checkpoint) ? session::Table().image()
                                                           : replicated.sessions.image()),
      machine_(machine.begin_snapshot()) {}

Result<bool> CheckpointSource::next(Buffer& out, std::size_t bytes_about) {
    const std::size_t end = out.size() + bytes_about;
    while (out.size() < end && stage_ != Stage::end) {
        const std::size_t room = end - out.size();
        OpenFrame frame(out);
        if (stage_ == Stage::head) {
            ByteWriter writer(out);
            writer.varint(version);
            writer.varint(static_cast<std::uint64_t>(
                std::chrono::duration_cast<std::chrono::milliseconds>(time_).count()));
            frame.close(head_frame);
            stage_ = Stage::sessions;
        } else if (stage_ == Stage::sessions) {
            const bool more = sessions_->next(out, room);
            frame.close(sessions_frame);
            if (!more) stage_ = Stage::machine;
        } else {
            const bool more = machine_->next(out, room);
            if (frame.body_bytes() > StateMachine::piece_bytes_max) {
                return Error{.code = Errc::limit_exceeded,
                             .detail = "a piece of a snapshot is longer than 64 MiB"};
            }
            frame.close(more ? machine_frame : machine_last_frame);
            if (!more) stage_ = Stage::end;
        }
    }
    return stage_ != Stage::end;
}

Result<void> CheckpointSink::take(Bytes slice, bool first, bool last) {
    if (first) {
        rest_.clear();
        stage_ = Stage::head;
    }
    // A frame that is complete in the slice is read in place, without a copy.
    while (!slice.empty()) {
        if (rest_.empty() && slice.size() >= frame_head_bytes) {
            std::uint32_t length = 0;
            std::memcpy(&length, slice.data(), sizeof length);
            const std::size_t whole = frame_head_bytes + std::size_t{length};
            if (slice.size() >= whole) {
                US_CHECK(frame(std::to_integer<std::uint8_t>(slice[sizeof length]),
                               slice.subspan(frame_head_bytes, length)));
                slice = slice.subspan(whole);
                continue;
            }
        }
        std::size_t wanted = frame_head_bytes;
        if (rest_.size() >= frame_head_bytes) {
            std::uint32_t length = 0;
            std::memcpy(&length, rest_.data(), sizeof length);
            if (length > StateMachine::piece_bytes_max) return corrupt("a piece that is too long");
            wanted += length;
        }
        const std::size_t taken = std::min(wanted - rest_.size(), slice.size());
        rest_.insert(rest_.end(), slice.begin(),
                     slice.begin() + static_cast<std::ptrdiff_t>(taken));
        slice = slice.subspan(taken);
        if (rest_.size() < wanted) break;
        if (wanted == frame_head_bytes) {
            std::uint32_t length = 0;
            std::memcpy(&length, rest_.data(), sizeof length);
            if (length > 0) continue;
        }
        const Buffer whole = std::exchange(rest_, {});
        US_CHECK(frame(std::to_integer<std::uint8_t>(whole[sizeof(std::uint32_t)]),
                       Bytes(whole).subspan(frame_head_bytes)));
    }
    if (last && (stage_ != Stage::ended || !rest_.empty())) return corrupt("cut short");
    return {};
}

Result<void> CheckpointSink::frame(std::uint8_t kind, Bytes body) {
    if (stage_ == Stage::ended) return corrupt("something behind the end");
    if (kind == head_frame && stage_ == Stage::head) {
        ByteReader reader(body);
        const std::uint64_t found = reader.varint().value_or(0);
        const std::uint64_t ms = reader.varint().value_or(0);
        if (found != version || !reader.done() || ms >= time_ms_max) {
            return corrupt("another version");
        }
        replicated_.time = std::chrono::milliseconds(ms);
        stage_ = Stage::sessions;
        first_of_stage_ = true;
        return {};
    }
    if (kind == sessions_frame && stage_ == Stage::sessions) {
        return replicated_.sessions.restore_piece(body, std::exchange(first_of_stage_, false));
    }
    const bool last = kind == machine_last_frame;
    if (!last && kind != machine_frame) return corrupt("an unknown part");
    if (stage_ == Stage::sessions && !first_of_stage_) {
        stage_ = Stage::machine;
        first_of_stage_ = true;
    }
    if (stage_ != Stage::machine) return corrupt("parts in another order");
    if (last) stage_ = Stage::ended;
    return machine_.restore_piece(body,
                                  {.first = std::exchange(first_of_stage_, false), .last = last});
}

}  // namespace understudy::replica
