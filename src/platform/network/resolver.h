#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "platform/loop.h"
#include "platform/network/socket.h"

namespace understudy::platform {

/// Looks names up without stopping the loop.
///
/// Each look-up blocks a thread until the name servers answer, and nothing can interrupt it. There
/// are several threads, so that one dead name delays no other. They are detached, so that the
/// destructor of the resolver does not wait.
/// Thread: loop only.
/// Bounds: threads_max look-ups at once; others are queued. The threads end when the queue is
/// empty.
class Resolver {
public:
    using Done = std::function<void(Result<std::vector<SocketAddress>>)>;

    static constexpr std::size_t threads_max = 8;

    explicit Resolver(Loop& loop);
    /// Look-ups that are not answered yet will not be answered.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// Calls `done` on the loop. `done` may be destroyed on another thread, so it must not own
    /// anything that forbids that.
    void resolve(const Address& address, Done done);

private:
    struct Line;
    std::shared_ptr<Line> line_;
};

}  // namespace understudy::platform
