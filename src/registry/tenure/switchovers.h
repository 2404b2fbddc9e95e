#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "registry/agents/grants.h"
#include "registry/agents/reports.h"
#include "registry/agents/sessions.h"
#include "registry/state/state.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

/// The switchovers that are under way, one of a service at most.
///
/// If the registry elects, the active member finishes its work, and the successor is promoted. If
/// the journal elects, there are three steps. The successor catches up, and clients notice nothing.
/// The active member finishes its work and holds back new requests. The state designates the
/// successor, which takes over the journal. If the journal elects another member meanwhile, that
/// counts.
///
/// Bounds: each step has a time limit.
class Switchovers {
public:
    struct Limits {
        Duration catch_up = 2s;  ///< For a successor with a journal, beforehand.
        Duration let_go = 2s;    ///< For the active member.
        Duration take = 2s;      ///< For a successor with a journal, afterwards.
    };

    /// Requires: all outlive this.
    Switchovers(Limits limits, const State& state, const Sessions& sessions, const Reports& reports,
                Grants& grants)
        : limits_(limits), state_(state), sessions_(sessions), reports_(reports), grants_(grants) {}

    /// Continues switchovers that the state knows of, from an earlier tenure.
    void start(TimePoint now);
    /// A request for a switchover. Errors: not_found, refused, unavailable (none).
    [[nodiscard]] Result<void> ask(Turn& turn, SessionId session, std::uint64_t request,
                                   const wire::pb::SwitchoverAsk& ask);
    /// A member has done its part, the handover.
    void ready(Turn& turn, SessionId session, const wire::pb::Drained& drained);
    /// A member of the service has reported its position.
    void reported(Turn& turn, const std::string& family);
    /// A command about the service was applied.
    void settled(Turn& turn, const Proposal& proposal);
    /// A command of the switchover was refused.
    void refused(Turn& turn, const Proposal& proposal, const Error& error);
    void tick(Turn& turn);
    /// The tenure has ended. Answers with `over` and the effect that is true.
    void retire(Turn& turn, Error over) const;

private:
    enum class Stage : std::uint8_t { catching_up, letting_go, taking };
    struct Row {
        SessionId session = {};  ///< 0: begun in an earlier tenure, and answered there.
        std::uint64_t request = 0;
        std::string from;
        std::string to;
        Epoch epoch;  ///< That ends with it.
        TimePoint deadline;
        Stage stage;         ///< Only in letting_go the active member holds back requests.
        bool ready = false;  ///< The successor has answered.
        bool proposed = false;
    };

    [[nodiscard]] Result<const Member*> successor(const Service& service,
                                                  const std::string& wanted) const;
    [[nodiscard]] Result<void> may_succeed(const Service& service, const Member& member) const;
    void want(Turn& turn, const std::string& family, const std::string& member,
              Duration limit) const;
    void let_go(Turn& turn, const std::string& family, Row& row);
    [[nodiscard]] std::string lag_of(const std::string& family, const Row& row) const;
    void overdue(Turn& turn, const std::string& family);
    [[nodiscard]] static std::string too_slow(const Row& row, const std::string& lag);
    static void propose(Turn& turn, Proposal::Kind kind, const std::string& family, const Row& row);
    void end(Turn& turn, const std::string& family, const std::optional<Error>& error);

    const Limits limits_;
    const State& state_;
    const Sessions& sessions_;
    const Reports& reports_;
    Grants& grants_;
    std::map<std::string, Row> rows_;  ///< By family.
};

}  // namespace understudy::registry
