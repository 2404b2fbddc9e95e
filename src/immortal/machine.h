#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "immortal/application.h"
#include "immortal/command.h"
#include "immortal/outbox.h"

namespace understudy::immortal {

/// The first character of client names; no service name begins with it.
inline constexpr char client_mark = '~';
[[nodiscard]] inline bool is_client(std::string_view peer) {
    return !peer.empty() && peer.front() == client_mark;
}

/// Another immortal, or one client's session.
struct Peer {
    std::uint64_t instance = 0;  ///< 0: nothing was received from it yet.
    /// Of its stream: all messages up to this one were carried out, each once.
    MessageNo received;
    Outbox out;       ///< Messages for it, replies included.
    Duration used{};  ///< Clients only: when it was last heard.
};

/// The replicated part of an immortal: the messages received from each peer, the messages made for
/// each peer, its timers, and the application's state.
///
/// Exactly-once execution rests on three rules. A message is carried out when it is committed, in
/// the order of the journal, and only if its number is the next of its stream. The messages that
/// this produces are numbered as part of the state, so a replay makes them again with the same
/// numbers. A message is kept until the receiver has confirmed that it is durable.
///
/// An application that is not immediate lags: it carries out inputs some time after their entries.
/// Its state after entry N is then its image at an earlier position and the inputs since.
///
/// Deterministic. Thread: loop only. Source: docs/protocols/immortals.md.
class Machine final : public StateMachine, private Stage {
public:
    static constexpr std::size_t clients_max = 10'000;  ///< A further client is refused.
    static constexpr Duration client_idle_max = 1h;     ///< In the service's time.

    /// Calls to the owner, also during a replay. They must not destroy the machine.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// There are new messages for this peer.
        virtual void output_ready(const std::string& peer) = 0;
        /// This peer's stream is committed up to here.
        virtual void input_durable(const std::string& peer, MessageNo upto) = 0;
        virtual void timers_changed() = 0;
        /// The requested image has arrived, so a checkpoint may begin.
        virtual void image_ready() = 0;
        /// This copy cannot be used any more: its application cannot go on, or contradicts its
        /// past.
        virtual void broken(const Error& error) = 0;
    };

    /// All arguments outlive this. `name` is the service's name.
    Machine(std::string name, Application& application, Observer& observer);
    ~Machine() override;

    /// The reply is empty, except for an impulse to an immediate application: then it is a byte
    /// that is 1 for a refusal, followed by what the handler returned.
    void apply(const Command& command, Buffer& reply) override;
    /// Requires: the application is immediate, or has_image().
    [[nodiscard]] std::unique_ptr<Snapshot> begin_snapshot() override;
    [[nodiscard]] Result<void> restore_piece(Bytes piece, PiecePlace place) override;
    /// With an application that is not immediate, only its inputs are included.
    [[nodiscard]] std::uint64_t hash() const override;

    /// Requests an image from the application; image_ready() follows. From now on inputs are kept.
    void want_image();
    [[nodiscard]] bool has_image() const { return frozen_.has_value(); }
    /// The image is no longer needed.
    void drop_image();

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] bool started() const { return instance_ != 0; }
    [[nodiscard]] std::uint64_t instance() const { return instance_; }
    [[nodiscard]] std::uint32_t version() const { return version_; }
    [[nodiscard]] Position position() const { return position_; }    ///< Of the newest input.
    [[nodiscard]] Position performed() const { return performed_; }  ///< By the application.
    [[nodiscard]] const std::map<std::string, Peer, std::less<>>& peers() const { return peers_; }
    [[nodiscard]] const Peer* find(std::string_view peer) const;
    /// Bytes that wait in all outboxes.
    [[nodiscard]] std::size_t waiting_bytes() const;
    /// As Outbox::at().
    [[nodiscard]] Outbox::ChunkPtr chunk(std::string_view peer, MessageNo from);

    /// Checks whether a stream of this instance can be accepted. Returns the number up to which it
    /// was carried out.
    /// Errors: refused (none): the peer has been created again since it was last heard.
    /// limit_exceeded (none): too many clients. not_active (none): not started yet.
    [[nodiscard]] Result<MessageNo> greet(std::string_view peer, std::uint64_t instance) const;

    /// When the next timer is due, in the service's time.
    [[nodiscard]] std::optional<Duration> next_due() const;
    /// All timers that are due at `time`.
    [[nodiscard]] std::vector<std::uint64_t> due(Duration time) const;

private:
    class Image;
    struct Frozen {
        Position at;
        std::uint32_t version = 0;
        std::shared_ptr<const Buffer> image;
        std::map<std::string, Outbox::Image> outboxes;
        std::map<std::uint64_t, Duration> timers;
    };

    void output(const Output& output) override;
    void performed(Position upto) override;
    void imaged(Position at, std::shared_ptr<const Buffer> image) override;
    void broken(const Error& error) override;

    void on(const StartCommand& start);
    void on(const ReceiveCommand& receive);
    void on(const ImpulseCommand& impulse);
    void on(const ConfirmCommand& confirm);
    void on(const FireCommand& fire);
    void on(const UpgradeCommand& upgrade);
    void on(const ForgetCommand& forget);
    void deliver(Input input);
    void settle();
    void sweep();
    using Peers = std::map<std::string, Peer, std::less<>>;
    [[nodiscard]] Peers::iterator peer(std::string_view name);
    void erase(Peers::iterator peer);
    void set_timer(std::uint64_t timer, Duration due);
    bool end_timer(std::uint64_t timer);
    void reset();
    [[nodiscard]] std::uint64_t random_at(Position position) const;

    [[nodiscard]] Buffer envelope(const Frozen& frozen) const;
    [[nodiscard]] Result<void> restore_envelope(Bytes piece);
    [[nodiscard]] Result<void> restore_outbox(Bytes piece);
    [[nodiscard]] Result<void> restore_application(Bytes piece);
    [[nodiscard]] Result<void> restore_inputs(Bytes piece);
    void keep(const Input& input);
    [[nodiscard]] Frozen freeze(Position at, std::uint32_t version);
    void touch(Peers::iterator peer);

    const std::string name_;
    Application& application_;
    Observer& observer_;

    std::uint64_t instance_ = 0;  ///< 0: not started.
    std::uint64_t seed_ = 0;
    std::uint32_t version_ = 0;
    Position position_;
    Position performed_;
    Peers peers_;
    std::size_t clients_ = 0;
    std::map<std::uint64_t, Duration> timers_;
    std::set<std::pair<Duration, std::uint64_t>> by_due_;
    /// Timers that fired before the lagging application has started them.
    std::set<std::uint64_t> fired_early_;
    Duration swept_{};

    Duration time_{};                       ///< Of the command that is being applied.
    Buffer* reply_ = nullptr;               ///< To that command.
    std::vector<Peers::iterator> touched_;  ///< Peers with new messages in their outboxes.
    bool timers_touched_ = false;
    bool broken_ = false;
    std::uint32_t restoring_version_ = 0;  ///< Of the image that is being restored.

    bool keeping_ = false;     ///< Inputs are kept for an image.
    std::deque<Buffer> kept_;  ///< Inputs after keeping_from_.
    Position keeping_from_;
    std::uint32_t keeping_version_ = 0;
    std::optional<Frozen> frozen_;
};

}  // namespace understudy::immortal
