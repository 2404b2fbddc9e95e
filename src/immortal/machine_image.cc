// A machine's state as the pieces of a checkpoint. Byte layout: docs/formats/immortal.md,
// "Checkpoints".

#include <utility>

#include "base/plant.h"
#include "immortal/machine.h"

namespace understudy::immortal {

namespace {

enum class PieceKind : std::uint8_t {
    envelope = 1,     ///< The first piece: everything except the following.
    outbox = 2,       ///< A run of messages for a peer.
    application = 3,  ///< A piece of the application's image.
    inputs = 4,       ///< The inputs of the application since that image.
};

constexpr std::uint8_t first_flag = 1;
constexpr std::uint8_t last_flag = 2;

void lead(Buffer& out, PieceKind kind) {
    out.push_back(static_cast<std::byte>(kind));
}

Error bad_machine_image(const char* what) {
    return {.code = Errc::corrupt,
            .detail = std::string("invalid checkpoint of an immortal: ") + what};
}

std::uint64_t nanoseconds(Duration duration) {
    return static_cast<std::uint64_t>(duration.count());
}
Duration duration(std::optional<std::uint64_t> nanoseconds) {
    return Duration(static_cast<std::int64_t>(nanoseconds.value_or(0)));
}

}  // namespace

/// Thread: that of the machine. The contents were fixed when the image was made.
class Machine::Image final : public Snapshot {
public:
    Image(Buffer envelope, Frozen frozen, std::unique_ptr<Snapshot> application,
          std::deque<Buffer> inputs)
        : envelope_(std::move(envelope)),
          frozen_(std::move(frozen)),
          application_(std::move(application)),
          inputs_(std::move(inputs)) {}

    bool next(Buffer& out, std::size_t bytes_about) override {
        if (!envelope_.empty()) {
            ByteWriter(out).raw(std::exchange(envelope_, {}));
            return true;
        }
        if (next_outbox(out)) return true;
        if (!application_done_) {
            next_application(out, bytes_about);
            return !application_done_ || !inputs_.empty();
        }
        const std::size_t end = out.size() + bytes_about;
        lead(out, PieceKind::inputs);
        while (!inputs_.empty() && out.size() < end) {
            ByteWriter(out).bytes(inputs_.front());
            inputs_.pop_front();
        }
        return !inputs_.empty();
    }

private:
    bool next_outbox(Buffer& out) {
        auto& outboxes = frozen_.outboxes;
        while (!outboxes.empty() && outboxes.begin()->second.chunks.empty()) {
            outboxes.erase(outboxes.begin());
        }
        if (outboxes.empty()) return false;
        lead(out, PieceKind::outbox);
        ByteWriter(out).text(outboxes.begin()->first);
        Outbox::take_batch(outboxes.begin()->second, out);
        return true;
    }

    void next_application(Buffer& out, std::size_t bytes_about) {
        lead(out, PieceKind::application);
        const std::size_t flags = out.size();
        out.push_back(std::byte{0});
        bool more = false;
        if (application_ != nullptr) {
            more = application_->next(piece_, bytes_about);
            ByteWriter(out).raw(piece_);
            piece_.clear();
        } else {
            const Bytes whole = *frozen_.image;
            const std::size_t size = std::min(bytes_about, whole.size() - taken_);
            ByteWriter(out).raw(whole.subspan(taken_, size));
            taken_ += size;
            more = taken_ < whole.size();
        }
        out[flags] = static_cast<std::byte>((application_begun_ ? 0 : first_flag) |
                                            (more ? 0 : last_flag));
        application_begun_ = true;
        application_done_ = !more;
    }

    Buffer envelope_;
    Frozen frozen_;
    std::unique_ptr<Snapshot> application_;  ///< Null if the image is in frozen_.
    std::deque<Buffer> inputs_;
    std::size_t taken_ = 0;
    Buffer piece_;
    bool application_begun_ = false;
    bool application_done_ = false;
};

Machine::Frozen Machine::freeze(Position at, std::uint32_t version) {
    Frozen frozen;
    frozen.at = at;
    frozen.version = version;
    frozen.timers = timers_;
    for (auto& [name, peer] : peers_) frozen.outboxes.emplace(name, peer.out.image());
    return frozen;
}

std::unique_ptr<Snapshot> Machine::begin_snapshot() {
    if (!application_.immediate()) {
        US_ASSERT(frozen_.has_value());
        return std::make_unique<Image>(envelope(*frozen_), *frozen_, nullptr, kept_);
    }
    Frozen frozen = freeze(position_, application_.version());
    Buffer head = envelope(frozen);
    return std::make_unique<Image>(std::move(head), std::move(frozen), application_.begin_image(),
                                   std::deque<Buffer>());
}

Buffer Machine::envelope(const Frozen& frozen) const {
    Buffer out;
    lead(out, PieceKind::envelope);
    ByteWriter writer(out);
    writer.fixed(instance_);
    writer.fixed(seed_);
    writer.varint(version_);
    writer.varint(frozen.version);
    writer.varint(frozen.at.value);
    writer.varint(nanoseconds(swept_));
    writer.varint(peers_.size());
    for (const auto& [name, peer] : peers_) {
        writer.text(name);
        writer.fixed(peer.instance);
        writer.varint(planted(Plant::watermarks_not_in_checkpoint) ? 0 : peer.received.value);
        writer.varint(nanoseconds(peer.used));
        // A peer that did not exist at the time of the image had no messages then.
        const auto outbox = frozen.outboxes.find(name);
        const bool known = outbox != frozen.outboxes.end();
        writer.varint(known ? outbox->second.confirmed.value : 0);
        writer.varint(known ? outbox->second.next.value : 1);
        writer.fixed(known ? outbox->second.chain : std::uint64_t{0});
    }
    writer.varint(frozen.timers.size());
    for (const auto& [timer, due] : frozen.timers) {
        writer.varint(timer);
        writer.varint(nanoseconds(due));
    }
    return out;
}

void Machine::reset() {
    instance_ = 0;
    seed_ = 0;
    version_ = 0;
    position_ = {};
    performed_ = {};
    touched_.clear();
    peers_.clear();
    clients_ = 0;
    timers_.clear();
    by_due_.clear();
    fired_early_.clear();
    swept_ = {};
    keeping_ = false;
    kept_.clear();
    frozen_.reset();
}

Result<void> Machine::restore_piece(Bytes piece, PiecePlace place) {
    ByteReader reader(piece);
    const auto kind = reader.fixed<std::uint8_t>();
    if (place.first != (kind == static_cast<std::uint8_t>(PieceKind::envelope))) {
        return bad_machine_image("a piece is out of order");
    }
    switch (static_cast<PieceKind>(kind.value_or(0))) {
        case PieceKind::envelope: return restore_envelope(reader.rest());
        case PieceKind::outbox: return restore_outbox(reader.rest());
        case PieceKind::application: return restore_application(reader.rest());
        case PieceKind::inputs: return restore_inputs(reader.rest());
    }
    return bad_machine_image("a piece of an unknown kind");
}

Result<void> Machine::restore_envelope(Bytes piece) {
    reset();
    ByteReader in(piece);
    instance_ = in.fixed<std::uint64_t>().value_or(0);
    seed_ = in.fixed<std::uint64_t>().value_or(0);
    version_ = static_cast<std::uint32_t>(in.varint().value_or(0));
    restoring_version_ = static_cast<std::uint32_t>(in.varint().value_or(0));
    position_ = {in.varint().value_or(0)};
    performed_ = position_;
    swept_ = duration(in.varint());
    const std::uint64_t peers = in.varint().value_or(0);
    for (std::uint64_t i = 0; i < peers && !in.failed(); ++i) {
        const std::string_view name = in.text().value_or("");
        Peer peer;
        peer.instance = in.fixed<std::uint64_t>().value_or(0);
        peer.received = {in.varint().value_or(0)};
        peer.used = duration(in.varint());
        const MessageNo confirmed{in.varint().value_or(0)};
        const MessageNo next{in.varint().value_or(1)};
        const std::uint64_t chain = in.fixed<std::uint64_t>().value_or(0);
        if (in.failed() || name.empty()) break;
        const bool none_waits = confirmed.next() == next;
        if (planted(Plant::renumbered_by_recovery) && none_waits) {
            peer.out.restore({}, {1}, chain);
        } else {
            peer.out.restore(confirmed, next, chain);
        }
        if (is_client(name)) ++clients_;
        if (!peers_.emplace(std::string(name), std::move(peer)).second) {
            return bad_machine_image("a peer is there twice");
        }
    }
    const std::uint64_t timers = in.varint().value_or(0);
    for (std::uint64_t i = 0; i < timers && !in.failed(); ++i) {
        const std::uint64_t timer = in.varint().value_or(0);
        set_timer(timer, duration(in.varint()));
    }
    if (!in.done()) return bad_machine_image("invalid envelope");
    return {};
}

Result<void> Machine::restore_outbox(Bytes piece) {
    ByteReader in(piece);
    const std::string_view name = in.text().value_or("");
    const auto found = peers_.find(name);
    if (found == peers_.end()) return bad_machine_image("messages for an unknown peer");
    return found->second.out.restore(US_TRY(decode_batch(in.rest())));
}

Result<void> Machine::restore_application(Bytes piece) {
    ByteReader in(piece);
    const auto flags = in.fixed<std::uint8_t>();
    if (!flags) return bad_machine_image("an empty piece");
    const bool first = (*flags & first_flag) != 0;
    for (const auto& [name, peer] : peers_) {
        if (!first) break;
        if (!peer.out.whole()) return bad_machine_image("messages are missing");
    }
    return application_.restore_piece(
        in.rest(),
        {.first = first, .last = (*flags & last_flag) != 0},
        restoring_version_, *this);
}

void Machine::keep(const Input& input) {
    Buffer out;
    ByteWriter writer(out);
    out.push_back(static_cast<std::byte>(input.kind));
    out.push_back(std::byte{input.refused});
    writer.text(input.source);
    writer.varint(input.id);
    writer.text(input.name);
    writer.varint(nanoseconds(input.time));
    writer.varint(input.wall_ms);
    writer.raw(input.body);
    kept_.push_back(std::move(out));
}

Result<void> Machine::restore_inputs(Bytes piece) {
    ByteReader in(piece);
    while (!in.done()) {
        const auto kept = in.bytes();
        if (!kept) return bad_machine_image("an input is incomplete");
        ByteReader one(*kept);
        Input input;
        const auto kind = one.fixed<std::uint8_t>();
        if (!kind || *kind < 1 || *kind > 5)
            return bad_machine_image("an input of an unknown kind");
        input.kind = static_cast<InputKind>(*kind);
        input.refused = one.fixed<std::uint8_t>().value_or(0) != 0;
        input.source = one.text().value_or("");
        input.id = one.varint().value_or(0);
        input.name = one.text().value_or("");
        time_ = duration(one.varint());
        input.wall_ms = one.varint().value_or(0);
        if (one.failed()) return bad_machine_image("an input is incomplete");
        input.body = one.rest();
        deliver(input);
    }
    return {};
}

void Machine::want_image() {
    US_ASSERT(!application_.immediate());
    frozen_.reset();
    kept_.clear();
    keeping_ = true;
    keeping_from_ = position_;
    keeping_version_ = version_;
    application_.want_image();
}

void Machine::drop_image() {
    frozen_.reset();
    kept_.clear();
    keeping_ = false;
}

}  // namespace understudy::immortal
