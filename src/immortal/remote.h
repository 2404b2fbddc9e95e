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
/// One connection is one life of it: it begins with nothing, is restored and told all inputs, and
/// when it ends, whatever the reason, this copy of the service is no use any more. Its owner then
/// opens the journal anew for the next one.
///
/// It lags: inputs are sent up to window_bytes ahead of what it has performed, more wait here. One
/// that makes no progress for `stall_max` although there is something to do is given up; so is one
/// that contradicts the protocol, or lags by more than backlog_bytes_max.
///
/// Thread: loop only. Source: docs/protocols/coordinator.md.
class RemoteApplication final : public Application, private Connection::Observer {
public:
    static constexpr std::size_t window_bytes = 4 * MiB;
    static constexpr std::size_t impulses_max = 1024;  ///< That wait for an answer.

    struct Options {
        std::string service = {};  ///< Empty: whichever the application has.
        std::string member = {};
        CoordinatorMode mode = CoordinatorMode::live;
        std::uint32_t version = 0;  ///< Wanted, if not the journal's.
        Duration hello_max = 5s;
        Duration stall_max = 10s;
        std::size_t backlog_bytes_max = 1 * GiB;  ///< Of inputs that wait here.
        std::uint64_t image_bytes_max = 8 * GiB;
    };

    /// Must not destroy the application within these calls.
    class Owner {
    public:
        virtual ~Owner() = default;
        /// It has said who it is, and waits for its welcome.
        virtual void application_here(RemoteApplication& application) = 0;
        /// It asks for a call from outside, as the active copy's. To be answered once, by answer().
        virtual void application_impulse(RemoteApplication& application, std::uint64_t id,
                                         std::string_view name, Bytes arguments) = 0;
        virtual void application_upgrade(RemoteApplication& application, std::uint64_t id,
                                         std::uint32_t version) = 0;
        /// The last call, once; the stage has been told already.
        virtual void application_ended(RemoteApplication& application, const Error& reason) = 0;
    };

    /// Starts the connection. All outlive this.
    RemoteApplication(Runtime& runtime, Log& log, Options options,
                      std::unique_ptr<Connection> connection, Owner& owner);
    ~RemoteApplication() override;

    /// Whoever is told from now on.
    void give_to(Owner& owner) { owner_ = &owner; }
    /// Takes it. Requires: application_here() came, and application_ended() did not.
    void welcome();
    /// What this copy is. Only the active one's impulses are taken.
    void set_role(Role role, Epoch epoch);
    void answer(std::uint64_t id, const Result<void>& result);
    /// Whoever it was told for is gone; what it still says is not heard.
    void leave_stage() { stage_ = nullptr; }
    /// Says why, and ends: the stage and the owner hear it.
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
    /// Of inputs that it was not sent, or has not performed.
    [[nodiscard]] std::size_t lag_bytes() const override {
        return waiting_bytes_ + flying_bytes_;
    }
    [[nodiscard]] Position performed_upto() const { return performed_; }
    /// It has said itself that it holds what it was told up to there, be it from an image.
    [[nodiscard]] bool holds(Position upto) const {
        return !restore_open_ && restoring_ == 0 && performed_ >= upto;
    }

private:
    /// A frame that must come in the order of the inputs.
    struct Waiting {
        Position position;
        std::uint32_t version = 0;  ///< From here on; 0: as before.
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
    /// What it says is about a state that has been replaced meanwhile.
    [[nodiscard]] bool outdated() const {
        return stage_ == nullptr || restore_open_ || restoring_ > 0;
    }

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    Owner* owner_;
    std::unique_ptr<Connection> connection_;
    FrameStream stream_;
    Stage* stage_ = nullptr;  ///< Whom it was told for; none before the first input.

    std::string name_;
    std::vector<std::uint32_t> versions_;
    bool greeted_ = false;
    bool welcomed_ = false;
    bool ended_ = false;
    Role role_ = Role::joining;
    std::size_t asked_ = 0;  ///< Impulses without an answer.

    std::uint32_t version_ = 0;
    Position told_;       ///< The newest input, or what was restored.
    Position performed_;  ///< By it.
    std::uint32_t version_performed_ = 0;
    std::deque<Waiting> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::deque<Flying> flying_;
    std::size_t flying_bytes_ = 0;

    bool restore_open_ = false;   ///< Its first piece was sent, its last was not.
    std::size_t restoring_ = 0;   ///< Sent whole, not confirmed.
    Buffer restore_head_;
    bool image_wanted_ = false;  ///< Before there was a stage.
    bool imaging_ = false;
    Position image_at_;
    std::shared_ptr<Buffer> image_;

    std::size_t backlog_seen_ = 0;
    TimePoint progress_at_;
    std::unique_ptr<Timer> watch_;
};

}  // namespace understudy::immortal
