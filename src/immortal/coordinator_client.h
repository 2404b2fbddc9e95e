#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "immortal/application.h"
#include "immortal/coordinator_frame.h"
#include "runtime/runtime.h"

namespace understudy::immortal {

/// The other end of a RemoteApplication: connects an immediate application, such as a
/// LinkedApplication, to a coordinator in another process.
///
/// Each connection begins with a new application, which the coordinator then restores. If the
/// connection breaks, that application is destroyed, and new connections are tried until close().
///
/// The destructor ends everything without a message. It may be called in any callback.
/// Thread: loop only. Source: docs/protocols/coordinator.md.
class CoordinatorClient final : private Stage, private Connection::Observer {
public:
    static constexpr std::size_t impulses_max = 1024;  ///< Impulses that wait for an answer.

    struct Options {
        Address coordinator;
        std::string service;      ///< Empty: any service that the coordinator runs.
        std::string application;  ///< For its log.
        std::vector<std::uint32_t> versions = {1};  ///< Versions of the code, ascending.
        Duration connect_timeout = 1s;
        Duration retry_min = 50ms;  ///< Doubles up to retry_max.
        Duration retry_max = 2s;
    };

    /// What the coordinator has reported about this copy.
    struct Situation {
        bool welcomed = false;  ///< The coordinator uses this application.
        CoordinatorMode mode = CoordinatorMode::live;
        std::string service;
        std::string member;
        Role role = Role::joining;
        Epoch epoch;
    };

    using Make = std::function<std::unique_ptr<Application>()>;
    using Answered = std::function<void(Result<void>)>;

    /// `make` returns a new immediate application.
    CoordinatorClient(Runtime& runtime, Log& log, Options options, Make make);
    ~CoordinatorClient() override;
    CoordinatorClient(const CoordinatorClient&) = delete;
    CoordinatorClient& operator=(const CoordinatorClient&) = delete;

    /// Calls a handler from outside. It is answered when the call is durable: once, never within
    /// this call.
    /// Errors: not_active, limit_exceeded (none); unavailable (none: there is no coordinator;
    /// unknown: it has gone meanwhile); those of ImmortalMember::impulse().
    void impulse(std::string_view handler, Bytes arguments, Answered answered);
    /// Switches all copies to the code of this version. Errors: as above, bad_config (none).
    void upgrade(std::uint32_t version, Answered answered);

    [[nodiscard]] const Situation& situation() const { return situation_; }
    /// Null while there is no connection.
    [[nodiscard]] const Application* application() const { return application_.get(); }

    void on_situation(std::function<void(const Situation&)> changed);
    /// Reports why a connection ended or could not be made; another one will be tried.
    void on_trouble(std::function<void(const Error&)> heard);

private:
    void output(const Output& output) override;
    void performed(Position upto) override;
    void imaged(Position at, std::shared_ptr<const Buffer> image) override;
    void broken(const Error& error) override;

    void received(Bytes data) override;
    void drained() override;
    void closed(const Error& reason) override;

    void on(const WelcomeFrame& welcome);
    void on(const RestoreFrame& restore);
    void on(const Input& input);
    void on(const RoleFrame& role);
    void on(const TakeImageFrame& take);
    void on(const DoneFrame& done);
    void on(const EndFrame& end);
    template <class Frame>
    void on(const Frame&);

    void connect();
    void connect_later();
    void connected(std::unique_ptr<Connection> connection);
    void work();
    void send_image();
    void tell_situation();
    void settle_performed();
    void flush();
    void give_up(const Error& error);
    void lose(const Error& reason);
    void ask(const AnyFrame& frame, std::uint64_t id, Answered answered);
    void answer_later(Answered answered, Error error);

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    const Make make_;
    std::function<void(const Situation&)> on_situation_;
    std::function<void(const Error&)> on_trouble_;

    Situation situation_;
    std::unique_ptr<Application> application_;
    Position performed_;
    bool performed_new_ = false;
    /// An image that is being sent; no other frame is read meanwhile.
    std::unique_ptr<Snapshot> image_;
    Position image_at_;
    Buffer image_stream_;
    Buffer restore_stream_;
    bool restore_first_ = false;
    bool given_up_ = false;
    bool losing_ = false;

    std::uint64_t next_ask_ = 1;
    std::map<std::uint64_t, Answered> asked_;

    FrameStream stream_;
    Buffer out_;
    Duration retry_{};
    std::unique_ptr<Timer> retry_timer_;
    Lifetime life_;
    std::unique_ptr<Attempt> attempt_;
    std::unique_ptr<Connection> connection_;
};

}  // namespace understudy::immortal
