#include "immortal/machine.h"

#include <algorithm>
#include <utility>

#include "base/checksum.h"
#include "base/plant.h"

namespace understudy::immortal {

namespace {

// How often clients that were silent for long are removed.
constexpr Duration sweep_interval = 60s;

}  // namespace

Machine::Machine(std::string name, Application& application, Observer& observer)
    : name_(std::move(name)), application_(application), observer_(observer) {}

Machine::~Machine() = default;

const Peer* Machine::find(std::string_view peer) const {
    const auto found = peers_.find(peer);
    return found == peers_.end() ? nullptr : &found->second;
}

std::size_t Machine::waiting_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, peer] : peers_) bytes += peer.out.bytes();
    return bytes;
}

Outbox::ChunkPtr Machine::chunk(std::string_view peer, MessageNo from) {
    const auto found = peers_.find(peer);
    return found == peers_.end() ? nullptr : found->second.out.at(from);
}

Result<MessageNo> Machine::greet(std::string_view peer, std::uint64_t instance) const {
    if (!started()) return Error{.code = Errc::not_active, .detail = name_ + " is not started yet"};
    const Peer* known = find(peer);
    if (known == nullptr) {
        if (is_client(peer) && clients_ >= clients_max) {
            return Error{.code = Errc::limit_exceeded,
                         .detail = name_ + " has " + std::to_string(clients_max) + " clients"};
        }
        return MessageNo{};
    }
    if (known->instance != 0 && known->instance != instance) {
        return Error{.code = Errc::refused,
                     .detail = std::string(peer) + " is another one than the one that " + name_ +
                               " knows: it was created again; forget the old one first"};
    }
    return known->received;
}

// --- Commands ------------------------------------------------------------------------------------

void Machine::apply(const Command& command, Buffer& reply) {
    if (broken_) return;
    time_ = command.time;
    const auto decoded = decode_command(command.body);
    if (!decoded) return;  // Every copy ignores it, as if it had not been proposed.
    reply_ = &reply;
    std::visit([this](const auto& each) { on(each); }, *decoded);
    reply_ = nullptr;
    sweep();
    settle();
}

void Machine::on(const StartCommand& start) {
    if (started()) return;
    instance_ = start.instance;
    seed_ = start.seed;
    version_ = start.version;
    swept_ = time_;
    deliver({.kind = InputKind::start, .id = start.version, .wall_ms = start.wall_ms});
}

void Machine::on(const ReceiveCommand& receive) {
    if (!started() || !greet(receive.source, receive.instance)) return;
    const auto from = peer(receive.source);
    from->second.instance = receive.instance;
    from->second.used = time_;
    MessageNo number = receive.batch.first;
    const MessageNo end{number.value + receive.batch.count};
    // A gap cannot be repaired here: the sender begins again at the end of the stream.
    if (number > from->second.received.next()) return;
    ByteReader in(receive.batch.messages);
    for (; number < end && !broken_; number = number.next()) {
        const auto message = decode_message(in);
        if (!message) break;
        if (number <= from->second.received && !planted(Plant::repeated_message_taken)) continue;
        from->second.received = number;
        Input input{.source = from->first,
                    .id = message->id,
                    .name = message->name,
                    .body = message->body,
                    .wall_ms = receive.wall_ms};
        if (message->kind == MessageKind::reply || message->kind == MessageKind::refusal) {
            input.kind = InputKind::reply;
            input.refused = message->kind == MessageKind::refusal;
        }
        deliver(input);
    }
    if (from->first == name_) from->second.out.confirm(from->second.received);
    observer_.input_durable(from->first, from->second.received);
}

void Machine::on(const ImpulseCommand& impulse) {
    if (!started()) return;
    deliver({.id = 1, .name = impulse.name, .body = impulse.arguments, .wall_ms = impulse.wall_ms});
}

void Machine::on(const ConfirmCommand& confirm) {
    for (const ConfirmCommand::Row& row : confirm.rows) {
        auto found = peers_.find(row.peer);
        if (found == peers_.end()) {
            // A lagging application may not have made these messages yet, although an earlier run
            // of it did.
            if (application_.immediate() || is_client(row.peer)) continue;
            found = this->peer(row.peer);
        }
        Peer& peer = found->second;
        if (peer.instance != 0 && row.instance != peer.instance) continue;
        peer.instance = row.instance;
        peer.used = time_;
        if (application_.immediate() && row.upto >= peer.out.next()) {
            return broken({.code = Errc::corrupt,
                           .detail = found->first + " has had message " +
                                     std::to_string(row.upto.value) + " of " + name_ +
                                     ", which this copy has not made: the application is not "
                                     "deterministic"});
        }
        peer.out.confirm(row.upto);
    }
}

void Machine::on(const FireCommand& fire) {
    if (!started()) return;
    for (const std::uint64_t timer : fire.timers) {
        if (broken_) return;
        deliver({.kind = InputKind::timer, .id = timer, .wall_ms = fire.wall_ms});
    }
}

void Machine::on(const UpgradeCommand& upgrade) {
    if (!started() || upgrade.version <= version_) return;
    version_ = upgrade.version;
    deliver({.kind = InputKind::upgrade, .id = upgrade.version, .wall_ms = upgrade.wall_ms});
}

void Machine::on(const ForgetCommand& forget) {
    const auto found = peers_.find(forget.peer);
    if (found != peers_.end() && found->first != name_) erase(found);
}

void Machine::deliver(Input input) {
    position_ = position_.next();
    input.position = position_;
    input.time = time_;
    input.random = random_at(position_);
    if (input.kind == InputKind::timer && !end_timer(input.id) && !application_.immediate()) {
        fired_early_.insert(input.id);
    }
    if (keeping_) keep(input);
    application_.perform(input, *this);
    if (application_.immediate()) performed_ = position_;
}

std::uint64_t Machine::random_at(Position position) const {
    const auto* raw = reinterpret_cast<const std::byte*>(&position.value);
    return hash64(Bytes(raw, sizeof position.value), seed_);
}

void Machine::sweep() {
    if (clients_ == 0 || time_ - swept_ < sweep_interval) return;
    swept_ = time_;
    for (auto each = peers_.lower_bound(std::string_view(&client_mark, 1));
         each != peers_.end() && is_client(each->first);) {
        const auto next = std::next(each);
        if (time_ - each->second.used >= client_idle_max) erase(each);
        each = next;
    }
}

/// Tells the owner what is new, once for everything that a command did.
void Machine::settle() {
    for (const auto& peer : std::exchange(touched_, {})) observer_.output_ready(peer->first);
    if (std::exchange(timers_touched_, false)) observer_.timers_changed();
}

// --- Calls of the application --------------------------------------------------------------------

void Machine::output(const Output& output) {
    switch (output.kind) {
        case OutputKind::call: {
            const auto to = peer(output.to);
            to->second.out.append(
                {.kind = output.id == 0 ? MessageKind::one_way : MessageKind::call,
                 .id = output.id,
                 .name = output.name,
                 .body = output.body});
            return touch(to);
        }
        case OutputKind::reply: {
            if (output.to.empty()) {
                if (reply_ == nullptr || !application_.immediate()) return;
                reply_->push_back(std::byte{output.refused});
                return ByteWriter(*reply_).raw(output.body);
            }
            const auto to = peers_.find(output.to);
            if (to == peers_.end()) return;  // It was forgotten meanwhile.
            to->second.out.append(
                {.kind = output.refused ? MessageKind::refusal : MessageKind::reply,
                 .id = output.id,
                 .body = output.body});
            return touch(to);
        }
        case OutputKind::timer:
            if (fired_early_.erase(output.id) == 0) set_timer(output.id, output.due);
            return;
        case OutputKind::cancel: (void)end_timer(output.id); return;
    }
}

void Machine::performed(Position upto) {
    performed_ = std::max(performed_, upto);
    settle();
}

void Machine::imaged(Position at, std::shared_ptr<const Buffer> image) {
    if (!keeping_ || at != keeping_from_) return;  // It belongs to an older request.
    frozen_ = freeze(at, keeping_version_);
    frozen_->image = std::move(image);
    observer_.image_ready();
}

void Machine::broken(const Error& error) {
    if (std::exchange(broken_, true)) return;
    observer_.broken(error);
}

// --- Peers and timers ----------------------------------------------------------------------------

Machine::Peers::iterator Machine::peer(std::string_view name) {
    const auto found = peers_.find(name);
    if (found != peers_.end()) return found;
    const auto made = peers_.emplace(std::string(name), Peer{}).first;
    made->second.used = time_;
    if (name == name_) made->second.instance = instance_;
    if (is_client(name)) ++clients_;
    return made;
}

void Machine::erase(Peers::iterator peer) {
    if (is_client(peer->first)) --clients_;
    std::erase(touched_, peer);
    peers_.erase(peer);
}

void Machine::touch(Peers::iterator peer) {
    // The same peer often comes several times in a row.
    if (!touched_.empty() && touched_.back() == peer) return;
    if (std::find(touched_.begin(), touched_.end(), peer) == touched_.end()) {
        touched_.push_back(peer);
    }
}

void Machine::set_timer(std::uint64_t timer, Duration due) {
    (void)end_timer(timer);
    timers_.emplace(timer, due);
    by_due_.emplace(due, timer);
    timers_touched_ = true;
}

bool Machine::end_timer(std::uint64_t timer) {
    const auto found = timers_.find(timer);
    if (found == timers_.end()) return false;
    by_due_.erase({found->second, timer});
    timers_.erase(found);
    timers_touched_ = true;
    return true;
}

std::optional<Duration> Machine::next_due() const {
    if (by_due_.empty()) return std::nullopt;
    return by_due_.begin()->first;
}

std::vector<std::uint64_t> Machine::due(Duration time) const {
    std::vector<std::uint64_t> timers;
    for (const auto& [due, timer] : by_due_) {
        if (due > time) break;
        timers.push_back(timer);
    }
    return timers;
}

std::uint64_t Machine::hash() const {
    Buffer all;
    ByteWriter writer(all);
    writer.fixed(instance_);
    writer.fixed(seed_);
    writer.varint(version_);
    writer.varint(position_.value);
    const bool immediate = application_.immediate();
    for (const auto& [name, peer] : peers_) {
        writer.text(name);
        writer.fixed(peer.instance);
        writer.varint(peer.received.value);
        if (!immediate) continue;
        writer.varint(peer.out.confirmed().value);
        writer.varint(peer.out.next().value);
        writer.fixed(peer.out.chain());
    }
    if (immediate) {
        for (const auto& [timer, due] : timers_) {
            writer.varint(timer);
            writer.varint(static_cast<std::uint64_t>(due.count()));
        }
        writer.fixed(application_.hash());
    }
    return hash64(all);
}

}  // namespace understudy::immortal
