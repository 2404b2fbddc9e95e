#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/lifetime.h"
#include "base/log.h"
#include "client/journaled.h"
#include "hosting/hosted.h"
#include "role/start_order.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// A copy's part in a switchover that its registry directs: it gives up its role, or takes over
/// one.
///
/// The active copy makes callers wait, and reports when none of its proposals is under way. It goes
/// on as before if the registry cancels the switchover or is silent for too long. The successor
/// reports its position, and takes the role when it is designated. The journal decides; both copies
/// only check its decision.
///
/// The owner passes on the events of the registry and of the member.
/// Thread: loop only. Source: docs/protocols/roles.md, "Switchover on a journal".
class Handover {
public:
    static constexpr Duration look_interval = 1ms;  ///< Between checks whether the role has moved.
    static constexpr Duration report_interval = 10ms;  ///< Between reports of the successor.

    using Done = std::function<void(Result<void>)>;
    /// What the handover needs of its copy.
    class Owner {
    public:
        virtual ~Owner() = default;
        /// Null while it is not open.
        virtual Hosted* handover_member() = 0;
        virtual void handover_report() = 0;
        virtual void handover_ready(Epoch epoch) = 0;
        /// True if the successor takes the role itself, above this epoch; false if it is given the
        /// role.
        [[nodiscard]] virtual bool handover_takes() const = 0;
        virtual void handover_take(Epoch above, Done done) = 0;
        virtual void handover_give(const std::string& to, Done done) = 0;
    };

    Handover(Runtime& runtime, Log& log, std::string service, std::string member, Owner& owner);
    ~Handover();
    Handover(const Handover&) = delete;
    Handover& operator=(const Handover&) = delete;

    void wanted(const client::Handover& what);
    void designated(const role::Designation& what);
    /// The member has opened, has opened again, or has another role.
    void standing_changed();
    /// The member ends, and with it any handover under way.
    void stop();

private:
    struct Going {
        client::Handover what;
        bool gives = false;
        bool held = false;   ///< Active copy: nothing is under way any more.
        bool acts = false;   ///< The registry has designated the successor.
        bool trying = false;
        TimePoint deadline;
    };

    void give();
    void take();
    void try_later(Duration pause);
    void look();
    void over(const char* how);
    template <class Task>
    auto guarded(Task task);

    Runtime& runtime_;
    Log& log_;
    const std::string service_;
    const std::string member_;
    Owner& owner_;
    std::optional<Going> going_;
    /// Of the present handover; late callbacks belong to an earlier one.
    std::uint64_t number_ = 0;
    std::unique_ptr<Timer> timer_;
    std::unique_ptr<Timer> limit_;
    Lifetime life_;
};

}  // namespace understudy::hosting
