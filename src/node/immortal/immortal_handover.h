#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/lifetime.h"
#include "base/log.h"
#include "client/journaled.h"
#include "node/immortal/immortal_member.h"
#include "role/start_order.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// A copy's part in a switchover that its registry steers: gives its role away, or takes one over.
///
/// Who gives lets callers wait, says so when nothing is on its way into the journal, and goes on
/// where it was if the registry calls it off or says nothing for too long. Who takes reports how
/// far it is, and acts when it is designated. The journal is what decides: both only look what it
/// says.
///
/// The owner passes on what it hears, from the registry and from the member.
/// Thread: loop only. Source: docs/protocols/roles.md, "Switchover on a journal".
class ImmortalHandover {
public:
    static constexpr Duration look_interval = 1ms;     ///< Whether the role has gone.
    static constexpr Duration report_interval = 10ms;  ///< Of who takes.

    using Done = std::function<void(Result<void>)>;
    /// What it needs of its copy.
    class Copy {
    public:
        virtual ~Copy() = default;
        /// Null while it is not open.
        virtual ImmortalMember* handover_member() = 0;
        virtual void handover_report() = 0;
        virtual void handover_ready(Epoch epoch) = 0;
        /// Who becomes active takes the role itself, above this epoch. False: it is given.
        [[nodiscard]] virtual bool handover_takes() const = 0;
        virtual void handover_take(Epoch above, Done done) = 0;
        virtual void handover_give(const std::string& to, Done done) = 0;
    };

    ImmortalHandover(Runtime& runtime, Log& log, std::string service, std::string member,
                     Copy& copy);
    ~ImmortalHandover();
    ImmortalHandover(const ImmortalHandover&) = delete;
    ImmortalHandover& operator=(const ImmortalHandover&) = delete;

    void wanted(const client::Handover& what);
    void designated(const role::Designation& what);
    /// The member is open, or open again, or has another role.
    void standing_changed();
    /// The member ends: whatever is under way is over.
    void stop();

private:
    struct Going {
        client::Handover what;
        bool gives = false;
        bool held = false;   ///< Gives: nothing is under way any more.
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
    Copy& copy_;
    std::optional<Going> going_;
    std::uint64_t number_ = 0;  ///< Of what goes on: what is late is of an earlier one.
    std::unique_ptr<Timer> timer_;
    std::unique_ptr<Timer> limit_;
    Lifetime life_;
};

}  // namespace understudy::node
