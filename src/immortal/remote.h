#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "immortal/application.h"
#include "immortal/coordinator_frame.h"
#include "runtime/runtime.h"

namespace understudy::immortal {

/// An application in another process, at the other end of a connection.
///
/// One connection is one life of the application. It begins with an empty state, is restored and
/// gets all inputs. When it ends, for any reason, this copy of the service cannot be used any more;
/// its owner then opens the journal again for the next connection.
///
/// The application lags. Inputs are sent up to window_bytes beyond what it has performed; further
/// inputs wait here. The connection is closed if the application makes no progress for `stall_max`
/// although it has something to do, violates the protocol, or lags by more than backlog_bytes_max.
///
/// Thread: loop only. Source: docs/protocols/coordinator.md.
class RemoteApplication final : public Application, private Connection::Observer {
public:
    static constexpr std::size_t window_bytes = 4 * MiB;
    static constexpr std::size_t impulses_max = 1024;  ///< Impulses that wait for an answer.

    struct Options {
        std::string service = {};  ///< Empty: the one that the application names.
        std::string member = {};
        CoordinatorMode mode = CoordinatorMode::live;
        std::uint32_t version = 0;  ///< The version that is wanted, if it is not the journal's.
        Duration hello_max = 5s;
        Duration stall_max = 10s;
        std::size_t backlog_bytes_max = 1 * GiB;  ///< Of inputs that wait here.
        std::uint64_t image_bytes_max = 8 * GiB;
    };

    /// These calls must not destroy the application.
    class Owner {
    public:
        virtual ~Owner() = default;
        /// It has sent its hello and waits for the welcome.
        virtual void application_here(RemoteApplication& application) = 0;
        /// It requests an impulse, which only the active copy takes. It must be answered once, by
        /// answer().
        virtual void application_impulse(RemoteApplication& application, std::uint64_t id,
                                         std::string_view name, Bytes arguments) = 0;
        virtual void application_upgrade(RemoteApplication& application, std::uint64_t id,
                                         std::uint32_t version) = 0;
        /// The last call, once. The stage has been told before.
        virtual void application_ended(RemoteApplication& application, const Error& reason) = 0;
    };

    /// Starts the connection. All outlive this.
    RemoteApplication(Runtime& runtime, Log& log, Options options,
                      std::unique_ptr<Connection> connection, Owner& owner);
    ~RemoteApplication() override;

    /// The owner that is called from now on.
    void set_owner(Owner& owner) { owner_ = &owner; }
    /// Sends the welcome. Requires: application_here() was called, and application_ended() was not.
    void welcome();
    /// Sets the role of this copy. Impulses are taken only if it is active.
    void set_role(Role role, Epoch epoch);
    void answer(std::uint64_t id, const Result<void>& result);
    /// The stage has gone; further frames of the application are ignored.
    void leave_stage() { stage_ = nullptr; }
    /// Sends the reason and ends the connection. The stage and the owner are told.
    void end(const Error& reason);

    [[nodiscard]] bool immediate() const override { return false; }
    [[nodiscard]] std::uint32_t version() const override { return version_; }
    [[nodiscard]] std::uint32_t version_newest() const override;
    [[nodiscard]] Result<void> check_upgrade(std::uint32_t version) const override;
    void perform(const Input& input, Stage& stage) override;
    [[nodiscard]] std::unique_ptr<Snapshot> begin_image() override;
    void want_image() override;
    [[nodiscard]] Result<void> restore_piece(Bytes piece, PiecePlace place, std::uint32_t version,
                                             Stage& stage) override;
    [[nodiscard]] std::uint64_t hash() const override { return 0; }

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] bool has_version(std::uint32_t version) const;
    [[nodiscard]] bool ended() const { return ended_; }
    /// The size of inputs that were not sent or not performed.
    [[nodiscard]] std::size_t lag_bytes() const override {
        return waiting_bytes_ + flying_bytes_;
    }
    [[nodiscard]] Position performed_upto() const { return performed_; }
    /// The application has confirmed that it holds all inputs up to there, possibly from an image.
    [[nodiscard]] bool holds(Position upto) const {
        return !restore_open_ && restoring_ == 0 && performed_ >= upto;
    }

private:
    /// A frame that must be sent in the order of the inputs.
    struct Waiting {
        Position position;
        std::uint32_t version = 0;  ///< From here on; 0: unchanged.
        bool input = true;
        Buffer frame;
    };
    struct Flying {
        Position position;
        std::uint32_t version = 0;
        std::size_t bytes = 0;
    };

    void received(Bytes data) override;
    void drained() override;
    void closed(const Error& reason) override;

    void on(const HelloFrame& hello);
    void on(const Output& output);
    void on(const PerformedFrame& performed);
    void on(const ImageFrame& image);
    void on(const ImpulseFrame& impulse);
    void on(const BrokenFrame& broken);
    void on(const RestoredFrame& restored);
    void on(const UpgradeFrame& upgrade);
    template <class Frame>
    void on(const Frame&);

    [[nodiscard]] bool may_ask(std::uint64_t id);
    void queue(Waiting waiting);
    void pump();
    void send_now(const Waiting& waiting);
    void send(const AnyFrame& frame);
    void begin_image_at(Position at);
    void contradiction(std::string detail);
    void progressed();
    void watch();
    void look();
    [[nodiscard]] bool has_work() const { return !flying_.empty() || imaging_ || restoring_ > 0; }
    /// True if a frame refers to a state that has been replaced meanwhile.
    [[nodiscard]] bool outdated() const {
        return stage_ == nullptr || restore_open_ || restoring_ > 0;
    }

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    Owner* owner_;
    std::unique_ptr<Connection> connection_;
    FrameStream stream_;
    Stage* stage_ = nullptr;  ///< The receiver of its outputs; null before the first input.

    std::string name_;
    std::vector<std::uint32_t> versions_;
    bool greeted_ = false;
    bool welcomed_ = false;
    bool ended_ = false;
    Role role_ = Role::joining;
    std::size_t asked_ = 0;  ///< Impulses without an answer.

    std::uint32_t version_ = 0;
    Position told_;       ///< The newest input, or the position that was restored.
    Position performed_;  ///< By it.
    std::uint32_t version_performed_ = 0;
    std::deque<Waiting> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::deque<Flying> flying_;
    std::size_t flying_bytes_ = 0;

    bool restore_open_ = false;  ///< The first piece was sent, the last was not.
    std::size_t restoring_ = 0;  ///< Restorations that were sent completely and are not confirmed.
    Buffer restore_head_;
    bool image_wanted_ = false;  ///< An image was requested before there was a stage.
    bool imaging_ = false;
    Position image_at_;
    std::shared_ptr<Buffer> image_;

    std::size_t backlog_seen_ = 0;
    TimePoint progress_at_;
    std::unique_ptr<Timer> watch_;
};

}  // namespace understudy::immortal
