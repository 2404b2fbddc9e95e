#pragma once

#include <memory>
#include <string_view>

#include "base/complaints.h"
#include "runtime/runtime.h"

namespace understudy::link {

/// True if a connection ended because of its peer's identity or messages, and not because of the
/// network.
[[nodiscard]] inline bool blames_peer(const Error& reason) {
    return reason.code == Errc::corrupt || reason.code == Errc::limit_exceeded ||
           reason.code == Errc::denied;
}

/// Reports about peers. The first report of a kind is logged at once, the number of the others
/// later.
///
/// Thread: loop only.
class Refusals {
public:
    Refusals(Runtime& runtime, Log& log) : runtime_(runtime), complaints_(log) {}

    /// Requires: `event` and the key of `about` are literals.
    void heard(std::string_view event, const Address& peer, const Error& reason) {
        heard(event, kv("peer", peer.host), reason);
    }
    void heard(std::string_view event, const LogField& about, const Error& reason);
    void forget();

private:
    void arm();

    Runtime& runtime_;
    Complaints complaints_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace understudy::link
