#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "understudy/types.h"

namespace understudy {

namespace library {
struct Access;
}

/// Where the library's events go: one line each, a dotted name and key=value fields.
using LogSink = std::function<void(std::string_view line)>;

/// Two threads that several agents share: one that talks, one for callbacks.
///
/// For processes with many agents; an agent that is given none has its own. The callbacks of all
/// that share run one at a time, so a slow one keeps them all waiting; each agent's stay in order.
/// Whoever wants more threads makes more of these.
///
/// Copies are the same threads. They end with the last copy and the last agent that uses them,
/// whichever is later, and an agent that is closed leaves the others alone.
/// Thread: any. May be destroyed inside a callback.
class US_API Threads {
public:
    /// `log` hears what concerns no agent in particular. Empty: warnings and errors go to stderr.
    explicit Threads(LogSink log = {});

    struct Impl;

private:
    friend struct library::Access;
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
