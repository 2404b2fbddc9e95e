#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "understudy/types.h"

namespace understudy {

namespace library {
struct Access;
}

/// Receives the library's log events: one line each, a dotted name and key=value fields.
using LogSink = std::function<void(std::string_view line)>;

/// Two threads that several agents share: one for communication, one for callbacks.
///
/// They are for processes with many agents; an agent without Threads has its own two. The callbacks
/// of all agents that share them run one at a time, so a slow callback delays the others; those of
/// one agent stay in order. A process may have several of these pairs.
///
/// Copies are the same threads. They end when both the last copy and the last agent that uses them
/// are gone. Closing an agent does not affect the others.
/// Thread: any. It may be destroyed inside a callback.
class US_API Threads {
public:
    /// `log` receives events that belong to no particular agent. Empty: warnings and errors go to
    /// stderr.
    explicit Threads(LogSink log = {});

    struct Impl;

private:
    friend struct library::Access;
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
