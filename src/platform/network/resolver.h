#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "platform/loop.h"
#include "platform/network/socket.h"

namespace understudy::platform {

/// Looks names up without stopping the loop.
///
/// Each look-up blocks a thread for as long as the name servers please, and nothing can interrupt
/// it. Hence several threads, so that one dead name delays no other, and detached ones, so that
/// destroying the resolver waits for nobody.
/// Thread: loop only.
/// Bounds: threads_max look-ups at once, the others wait in line; threads end when the line does.
class Resolver {
public:
    using Done = std::function<void(Result<std::vector<SocketAddress>>)>;

    static constexpr std::size_t threads_max = 8;

    explicit Resolver(Loop& loop);
    /// Those not answered yet never will be.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// Calls `done` on the loop. It may be destroyed on another thread, so let it own nothing that
    /// minds.
    void resolve(const Address& address, Done done);

private:
    struct Line;
    std::shared_ptr<Line> line_;
};

}  // namespace understudy::platform
