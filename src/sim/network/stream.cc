#include "sim/network/stream.h"

#include <algorithm>
#include <utility>

#include "base/checksum.h"
#include "sim/draw.h"
#include "sim/network/fabric.h"
#include "sim/network/sim_network.h"
#include "sim/sim_runtime.h"
#include "sim/world.h"

namespace understudy::sim {

Stream::Stream(Fabric& fabric, std::uint64_t id, SimRuntime& dialler, SimRuntime& acceptor)
    : fabric_(fabric), id_(id) {
    ends_[0].runtime = &dialler;
    ends_[1].runtime = &acceptor;
}

void Stream::attach(Side side, SimConnection& connection) {
    US_ASSERT(ends_[side].connection == nullptr);
    ends_[side].connection = &connection;
}

void Stream::start(Side side, Connection::Observer& observer) {
    US_ASSERT(ends_[side].observer == nullptr);
    ends_[side].observer = &observer;
    want_turn(side);
}

void Stream::send(Side side, Bytes data) {
    End& end = ends_[side];
    if (!end.open || end.finishing || data.empty()) return;
    Flow& flow = flows_[side];
    flow.bytes.append(data);
    flow.backlog += data.size();
    if (flow.backlog >= Connection::high_water_bytes) end.high = true;
    if (end.unsent) return;
    end.unsent = true;
    end.runtime->flush_later(*this, side);
}

void Stream::finish(Side side, Duration grace) {
    End& end = ends_[side];
    if (!end.open || end.finishing) return;
    end.finishing = true;
    const Duration wait =
        std::clamp<Duration>(grace, Duration::zero(), std::chrono::hours(24 * 365));
    end.grace = fabric_.world().at(fabric_.now() + wait, [this, side] { grace_over(side); });
    if (end.unsent) return;
    end.unsent = true;
    end.runtime->flush_later(*this, side);
}

void Stream::detach(Side side) {
    ends_[side].connection = nullptr;
    ends_[side].observer = nullptr;
    close(side);
    settle();
}

void Stream::flush(Side side) {
    End& end = ends_[side];
    Flow& flow = flows_[side];
    end.unsent = false;
    if (!end.open) return settle();
    const std::size_t window = fabric_.options().window_bytes;
    const std::size_t room = window - std::min(window, flow.unread + flow.flying);
    const std::size_t count = std::min(flow.backlog, room);
    if (count > 0) {
        flow.backlog -= count;
        flow.flying += count;
        later(arrival(side), Step::arrive, side, count);
        if (happens(fabric_.random(), fabric_.options().reset_rate)) return break_now();
    }
    if (flow.backlog > 0) return;
    if (end.finishing) return conclude(side);
    if (std::exchange(end.high, false)) {
        end.drained_due = true;
        want_turn(side);
    }
}

void Stream::abandon(Side side) {
    send_ending(side, Ending::reset);
    close(side);
    settle();
}

void Stream::lose_process(Side side, Goodbye goodbye) {
    End& end = ends_[side];
    if (end.connection) end.connection->forget_stream();
    end.connection = nullptr;
    end.observer = nullptr;
    end.turn_due = false;
    end.unsent = false;
    if (goodbye == Goodbye::none) {
        close_socket(side);
    } else {
        // The kernel sends a reset instead of an end if bytes were unread; a peer cannot tell
        // which.
        if (fabric_.random().chance(1, 2)) send_ending(side, Ending::reset);
        close(side);
    }
    settle();
}

void Stream::break_now() {
    for (const Side side : {Side{0}, Side{1}}) {
        Flow& flow = flows_[side];
        drop_backlog(side);
        lose_tail(flow);
        flow.ending = Ending::reset;
    }
    for (const Side side : {Side{0}, Side{1}}) {
        if (ends_[side].open) later(arrival(other(side)), Step::reset, other(side));
    }
}

void Stream::path_changed() {
    for (const Side side : {Side{0}, Side{1}}) {
        Flow& flow = flows_[side];
        if (passes(other(side))) flow.unacked = false;
        if (!passes(side)) continue;
        if ((flow.stuck > 0 || flow.fin_stuck) && !flow.retransmit_due) {
            flow.retransmit_due = true;
            const Duration wait =
                fabric_.random().between(Duration::zero(), fabric_.options().retransmit_max);
            later(fabric_.now() + wait, Step::retransmit, side);
        }
        if (flow.backlog > 0 && passes(other(side)) && !flow.window_due) {
            flow.window_due = true;
            later(arrival(side), Step::window, side);
        }
    }
}

bool Stream::over() const {
    const auto gone = [](const End& end) {
        return !end.open && end.connection == nullptr && !end.turn_due && !end.unsent;
    };
    return pending_ == 0 && gone(ends_[0]) && gone(ends_[1]);
}

void Stream::later(TimePoint when, Step step, Side side, std::size_t amount) {
    ++pending_;
    // Packed, so that the call fits into the small buffer of std::function.
    const std::uint64_t packed =
        std::uint64_t{amount} << 8 | static_cast<std::uint64_t>(step) << 1 | side;
    fabric_.world().at(when, [this, packed] {
        --pending_;
        happen(static_cast<Step>(packed >> 1 & 0x7f), static_cast<Side>(packed & 1),
               static_cast<std::size_t>(packed >> 8));
        settle();
    });
}

void Stream::happen(Step step, Side side, std::size_t amount) {
    switch (step) {
        case Step::arrive:
            return arrive(side, amount);
        case Step::fin:
            return fin_arrives(side);
        case Step::reset:
            return reset_arrives(side);
        case Step::retransmit:
            return retransmit(side);
        case Step::stalled:
            return stalled(side);
        case Step::window:
            flows_[side].window_due = false;
            // Otherwise it is lost, and path_changed() asks again.
            if (passes(other(side))) flush(side);
            return;
    }
}

void Stream::arrive(Side side, std::size_t count) {
    Flow& flow = flows_[side];
    count = std::min(count, flow.flying - flow.stuck);  // A reset may have cut it short.
    if (count == 0) return;
    if (flow.stuck == 0 && passes(side)) return land(side, count);
    watch_stall(side);
    flow.stuck += count;
    if (passes(side)) path_changed();
}

void Stream::land(Side side, std::size_t count) {
    Flow& flow = flows_[side];
    const End& receiver = ends_[other(side)];
    if (!receiver.open) {  // There is no such socket, so a reset comes back.
        drop_backlog(side);
        flow.bytes.drop_back(flow.flying);
        flow.flying = flow.stuck = 0;
        if (ends_[side].open) later(arrival(other(side)), Step::reset, other(side));
        return;
    }
    flow.flying -= count;
    flow.unread += count;
    if (!passes(other(side))) {
        watch_stall(side);
        flow.unacked = true;
    }
    want_turn(other(side));
}

void Stream::fin_arrives(Side side) {
    Flow& flow = flows_[side];
    if (!passes(side) || flow.stuck > 0) {
        watch_stall(side);
        flow.fin_stuck = true;
        if (passes(side)) path_changed();
        return;
    }
    end_with(other(side), {.code = Errc::closed, .detail = "closed by the peer"});
}

void Stream::reset_arrives(Side side) {
    if (!ends_[other(side)].open || ends_[other(side)].last) return;
    // The message is lost and not sent again. A break of both ends is not a packet.
    if (!passes(side) && flows_[other(side)].ending != Ending::reset) return;
    if (fabric_.random().chance(1, 2)) ends_[other(side)].skip_unread = true;
    end_with(other(side), {.code = Errc::unavailable, .detail = "connection reset"});
}

void Stream::retransmit(Side side) {
    Flow& flow = flows_[side];
    flow.retransmit_due = false;
    if (!passes(side)) return;
    const std::size_t count = std::exchange(flow.stuck, 0);
    if (count > 0) land(side, std::min(count, flow.flying));
    if (std::exchange(flow.fin_stuck, false)) fin_arrives(side);
}

void Stream::stalled(Side side) {
    Flow& flow = flows_[side];
    flow.stall_watched = false;
    if (!flow.stalled()) return;
    const TimePoint limit = flow.stalled_since + fabric_.options().stall_limit;
    if (fabric_.now() < limit) {
        flow.stall_watched = true;
        return later(limit, Step::stalled, side);
    }
    // The sender's kernel gives up. The receiver is not told, because it could not be reached.
    drop_backlog(side);
    flow.bytes.drop_back(flow.flying);
    flow.flying = flow.stuck = 0;
    flow.fin_stuck = flow.unacked = false;
    if (!ends_[side].open) return;
    close_socket(side);
    end_with(side, {.code = Errc::unavailable, .detail = "no acknowledgement from the peer"});
}

void Stream::grace_over(Side side) {
    End& end = ends_[side];
    if (!end.open || end.last) return;
    drop_backlog(side);
    send_ending(side, Ending::reset);
    end_with(side, {.code = Errc::unavailable, .detail = "not sent within the grace period"});
}

void Stream::want_turn(Side side) {
    End& end = ends_[side];
    // After finish() only closed() is called.
    const bool news = !end.finishing && (end.drained_due || flows_[other(side)].unread > 0);
    if ((!news && !end.last) || end.turn_due || end.observer == nullptr) return;
    end.turn_due = true;
    end.runtime->deliver(SimRuntime::Cause::socket, id_ << 1 | side, [this, side] { turn(side); });
}

// One call to the observer. It may destroy the connection. With the last connection this stream is
// over, but it is removed only after the event.
void Stream::turn(Side side) {
    End& end = ends_[side];
    end.turn_due = false;
    if (end.observer == nullptr) return settle();
    const bool listens = !end.finishing && !end.skip_unread;
    if (listens && std::exchange(end.drained_due, false)) {
        end.observer->drained();
    } else if (listens && flows_[other(side)].unread > 0) {
        read(side);
    } else if (end.last) {
        Connection::Observer* const observer = std::exchange(end.observer, nullptr);
        const Error why = *end.last;
        close(side);
        fabric_.note(*end.runtime, "net.closed", id_, static_cast<std::uint64_t>(why.code));
        observer->closed(why);
    }
    want_turn(side);
    settle();
}

void Stream::read(Side side) {
    Flow& flow = flows_[other(side)];
    const std::span<std::byte> data = fabric_.read_buffer(flow.unread);
    flow.bytes.take(data);
    flow.unread -= data.size();
    if (flow.backlog > 0 && !flow.window_due) {
        flow.window_due = true;
        later(arrival(side), Step::window, other(side));
    }
    fabric_.note(*ends_[side].runtime, "net.received", id_, data.size());
    fabric_.world().trace().mix(hash64(data));
    ends_[side].observer->received(data);
}

void Stream::conclude(Side side) {
    End& end = ends_[side];
    if (end.last) return;
    send_ending(side, Ending::fin);
    end_with(side, {.code = Errc::closed, .detail = "finished"});
}

void Stream::close(Side side) {
    if (!ends_[side].open) return;
    close_socket(side);
    Flow& incoming = flows_[other(side)];
    // A kernel that discards unread data of its process sends a reset.
    send_ending(side, incoming.unread > 0 ? Ending::reset : Ending::fin);
    incoming.bytes.drop_front(incoming.unread);
    incoming.unread = 0;
}

void Stream::close_socket(Side side) {
    ends_[side].open = false;
    fabric_.world().cancel(ends_[side].grace);
    drop_backlog(side);
}

void Stream::send_ending(Side side, Ending ending) {
    Flow& flow = flows_[side];
    if (flow.ending != Ending::none) return;
    flow.ending = ending;
    drop_backlog(side);
    if (ending == Ending::reset) lose_tail(flow);
    later(arrival(side), ending == Ending::fin ? Step::fin : Step::reset, side);
}

void Stream::end_with(Side side, Error why) {
    End& end = ends_[side];
    if (end.last) return;
    end.last = std::move(why);
    // There is no object to call, but the socket itself has ended.
    if (end.connection == nullptr && !end.open) return;
    want_turn(side);
}

void Stream::drop_backlog(Side side) {
    Flow& flow = flows_[side];
    flow.bytes.drop_back(flow.backlog);
    flow.backlog = 0;
}

// Requires: no backlog after the bytes in flight.
void Stream::lose_tail(Flow& flow) {
    const std::size_t lost = fabric_.random().below(flow.flying + 1);
    flow.bytes.drop_back(lost);
    flow.flying -= lost;
    flow.stuck = std::min(flow.stuck, flow.flying);
}

// Called before the first byte of the flow is stuck, and before each further one.
void Stream::watch_stall(Side side) {
    Flow& flow = flows_[side];
    if (!flow.stalled()) flow.stalled_since = fabric_.now();
    if (std::exchange(flow.stall_watched, true)) return;
    later(flow.stalled_since + fabric_.options().stall_limit, Step::stalled, side);
}

bool Stream::passes(Side side) const {
    return fabric_.passes(ends_[side].runtime->node(), ends_[other(side)].runtime->node());
}

TimePoint Stream::arrival(Side side) {
    Flow& flow = flows_[side];
    const Duration delay =
        fabric_.delay(ends_[side].runtime->node(), ends_[other(side)].runtime->node());
    flow.last_arrival = std::max(flow.last_arrival, fabric_.now() + delay);
    return flow.last_arrival;
}

void Stream::settle() {
    if (over()) fabric_.over(id_);
}

}  // namespace understudy::sim
