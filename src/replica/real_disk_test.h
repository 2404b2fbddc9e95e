#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/log.h"
#include "base/scratch_test.h"
#include "platform/asio_runtime.h"
#include "replica/list_machine_test.h"
#include "replica/local_test.h"

namespace understudy::replica {

/// A replica on real threads and a real disk.
class RealReplica {
public:
    RealReplica(StateMachine& machine, const Replica::Options& options,
                journal::LocalJournal::Options where)
        : runtime(log) {
        opening = Replica::open(runtime, log, options, local(runtime, log, std::move(where)),
                                machine, [this](Result<std::unique_ptr<Replica>> opened) {
                                    if (opened) {
                                        replica = *std::move(opened);
                                    } else {
                                        error = opened.error();
                                    }
                                });
        run_until([this] { return replica != nullptr || error; });
    }
    ~RealReplica() {
        if (!replica) return;
        bool closed = false;
        replica->close([&] { closed = true; });
        run_until([&] { return closed; });
    }
    RealReplica(const RealReplica&) = delete;
    RealReplica& operator=(const RealReplica&) = delete;

    void run_until(const std::function<bool()>& reached) {
        while (!reached()) runtime.poll_for(10ms);
    }

    NullLog log;
    platform::AsioRuntime runtime;
    std::unique_ptr<journal::Opening> opening;
    std::unique_ptr<Replica> replica;
    std::optional<Error> error;
};

}  // namespace understudy::replica
