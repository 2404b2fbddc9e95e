#pragma once

#include <cstdint>
#include <optional>

#include "runtime/network.h"
#include "sim/event_queue.h"
#include "sim/network/byte_queue.h"
#include "understudy/types.h"

namespace understudy::sim {

class Fabric;
class SimConnection;
class SimRuntime;

/// Whether the kernel closes the connection of a process that has gone.
enum class Goodbye : std::uint8_t { by_kernel, none };

/// One TCP connection: two ends, and the data between them.
///
/// Each direction is one queue of bytes in four parts, from front to back: unread in the receiver's
/// kernel, in flight, (of these: stuck at a cut), and the backlog in the sender. Bytes only move
/// from part to part, so their order is kept. TCP's reaction to loss appears as delay: data that
/// meets a cut is stuck until some time after the cut heals, or until the sender's kernel gives up.
/// The other end is then half-open; it learns of that when it sends.
///
/// Side 0 has dialled, side 1 has accepted.
class Stream {
public:
    using Side = std::uint8_t;

    Stream(Fabric& fabric, std::uint64_t id, SimRuntime& dialler, SimRuntime& acceptor);
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // Calls of the connection objects.
    void attach(Side side, SimConnection& connection);
    void start(Side side, Connection::Observer& observer);
    void send(Side side, Bytes data);
    void finish(Side side, Duration grace);
    /// The object was destroyed.
    void detach(Side side);
    [[nodiscard]] std::size_t backlog(Side side) const { return flows_[side].backlog; }

    /// Sends the output of the turn that ends now, as far as the receiver has room.
    void flush(Side side);

    // Calls of the fabric.
    /// The kernel closes a socket without an owner: it was not accepted, or its attempt was
    /// abandoned.
    void abandon(Side side);
    void lose_process(Side side, Goodbye goodbye);
    /// Both ends get a reset now; what is in flight is lost from an arbitrary byte on.
    void break_now();
    void path_changed();

    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] SimRuntime& runtime(Side side) { return *ends_[side].runtime; }
    [[nodiscard]] bool open(Side side) const { return ends_[side].open; }
    [[nodiscard]] bool held(Side side) const { return ends_[side].connection != nullptr; }
    /// True if no object refers to it and nothing more will happen to it.
    [[nodiscard]] bool over() const;

private:
    enum class Ending : std::uint8_t { none, fin, reset };
    enum class Step : std::uint8_t { arrive, fin, reset, retransmit, window, stalled };

    struct End {
        SimRuntime* runtime = nullptr;
        SimConnection* connection = nullptr;  // Null: not passed on yet, or destroyed.
        Connection::Observer* observer = nullptr;
        bool open = true;  // The socket in the kernel.
        bool turn_due = false;
        bool unsent = false;  // It is in the flush list of its runtime.
        bool high = false;    // The backlog has reached the high-water mark.
        bool drained_due = false;
        bool finishing = false;
        bool skip_unread = false;   // `last` comes before the unread data.
        std::optional<Error> last;  // closed() must be called with this error.
        EventQueue::Id grace;
    };
    struct Flow {  // From the end of the same number to the other.
        ByteQueue bytes;
        [[nodiscard]] bool stalled() const { return stuck > 0 || fin_stuck || unacked; }

        std::size_t unread = 0;
        std::size_t flying = 0;  // Stuck bytes included.
        std::size_t stuck = 0;
        std::size_t backlog = 0;
        Ending ending = Ending::none;  // Was sent.
        bool fin_stuck = false;
        bool unacked = false;  // It has arrived, but the way back is cut.
        bool window_due = false;
        bool retransmit_due = false;
        bool stall_watched = false;
        TimePoint stalled_since;
        TimePoint last_arrival;
    };

    static constexpr Side other(Side side) { return side == 0 ? 1 : 0; }

    void later(TimePoint when, Step step, Side side, std::size_t amount = 0);
    void happen(Step step, Side side, std::size_t amount);
    void arrive(Side side, std::size_t count);
    void land(Side side, std::size_t count);
    void fin_arrives(Side side);
    void reset_arrives(Side side);
    void retransmit(Side side);
    void stalled(Side side);
    void grace_over(Side side);

    void want_turn(Side side);
    void turn(Side side);
    void read(Side side);
    void conclude(Side side);
    void close(Side side);
    void close_socket(Side side);
    void send_ending(Side side, Ending ending);
    void end_with(Side side, Error why);
    void drop_backlog(Side side);
    void lose_tail(Flow& flow);
    void watch_stall(Side side);
    [[nodiscard]] bool passes(Side side) const;
    [[nodiscard]] TimePoint arrival(Side side);
    void settle();

    Fabric& fabric_;
    const std::uint64_t id_;
    End ends_[2];
    Flow flows_[2];
    std::size_t pending_ = 0;  // Steps that are scheduled.
};

}  // namespace understudy::sim
