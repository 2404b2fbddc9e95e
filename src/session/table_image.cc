#include <utility>

#include "base/bytes.h"
#include "base/checksum.h"
#include "session/table.h"

namespace understudy::session {

namespace {

constexpr std::size_t hashed_at_once = 64 * KiB;

std::uint64_t to_ms(Duration time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

Duration from_ms(std::uint64_t ms) { return std::chrono::milliseconds(ms & 0xffff'ffff'ffff); }

Error corrupt(const char* what) {
    return {.code = Errc::corrupt, .detail = std::string("sessions in a checkpoint: ") + what};
}

}  // namespace

std::unique_ptr<Table::Image> Table::image() const {
    auto image = std::make_unique<Image>();
    image->last_id_ = last_id_;
    image->sessions_.assign(line_.begin(), line_.end());
    return image;
}

bool Table::Image::next(Buffer& out, std::size_t bytes_about) {
    const std::size_t end = out.size() + bytes_about;
    ByteWriter writer(out);
    if (!std::exchange(begun_, true)) writer.varint(last_id_.value);
    while (at_ < sessions_.size() && out.size() < end) {
        const Session& session = *sessions_[at_];
        writer.varint(session.id.value);
        writer.varint(to_ms(session.used));
        writer.varint(session.floor.value);
        writer.varint(session.slots.size());
        RequestNo before = session.floor;
        for (const Slot& slot : session.slots) {
            writer.varint(slot.number.value - before.value);
            before = slot.number;
            writer.varint(to_ms(slot.time));
            writer.varint(slot.abandoned ? 0 : slot.reply.size() + 1);
            writer.raw(as_bytes(slot.reply));
        }
        sessions_[at_++].reset();  // The table need not copy it any more.
    }
    return at_ < sessions_.size();
}

Result<void> Table::restore_piece(Bytes piece, bool first) {
    ByteReader reader(piece);
    if (first) {
        line_.clear();
        by_id_.clear();
        bytes_ = 0;
        last_id_ = SessionId{reader.varint().value_or(0)};
    }
    while (!reader.failed() && !reader.done()) {
        auto session = std::make_shared<Session>();
        session->id = SessionId{reader.varint().value_or(0)};
        session->used = from_ms(reader.varint().value_or(0));
        session->floor = RequestNo{reader.varint().value_or(0)};
        const std::uint64_t slots = reader.varint().value_or(0);
        if (reader.failed()) break;
        if (session->id > last_id_ || session->id == SessionId{}) return corrupt("an id");
        if (!line_.empty() && line_.back()->used > session->used) return corrupt("their order");
        if (slots > limits_.replies_max) return corrupt("too many replies");
        RequestNo before = session->floor;
        for (std::uint64_t i = 0; i < slots && !reader.failed(); ++i) {
            const std::uint64_t step = reader.varint().value_or(0);
            if (step == 0 || before.value + step < before.value) return corrupt("a number");
            before = RequestNo{before.value + step};
            Slot slot{.number = before, .time = from_ms(reader.varint().value_or(0)), .reply = {}};
            const std::uint64_t size = reader.varint().value_or(0);
            slot.abandoned = size == 0;
            if (size > 0) slot.reply = std::string(as_text(reader.raw(size - 1).value_or(Bytes{})));
            bytes_ += reply_cost(slot.reply.size());
            session->slots.push_back(std::move(slot));
        }
        const SessionId id = session->id;
        line_.push_back(std::move(session));
        if (!by_id_.emplace(id, std::prev(line_.end())).second) return corrupt("an id twice");
    }
    if (!reader.done()) return corrupt("cut short");
    if (line_.size() > limits_.sessions_max || bytes_ > limits_.bytes_max) {
        return corrupt("more than the bounds allow");
    }
    return {};
}

std::uint64_t Table::hash() const {
    const auto whole = image();
    std::uint64_t hash = 0;
    Buffer piece;
    for (bool more = true; more;) {
        piece.clear();
        more = whole->next(piece, hashed_at_once);
        hash = hash64(piece, hash);
    }
    return hash;
}

}  // namespace understudy::session
