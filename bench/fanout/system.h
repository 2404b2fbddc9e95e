#pragma once

#include <memory>
#include <string>

#include "bench/harness/bench.h"
#include "bench/harness/place.h"
#include "understudy/types.h"

namespace understudy::bench {

/// One system that carries messages from this process to many subscribers.
class System {
public:
    virtual ~System() = default;
    [[nodiscard]] virtual std::string name() const = 0;     ///< The name for bench_subscribers.
    [[nodiscard]] virtual std::string address() const = 0;  ///< The address for the subscribers.
    /// It may keep the message back until flush().
    virtual Result<void> publish(const std::string& text) = 0;
    virtual Result<void> flush() = 0;
};

/// Starts its servers and connects. Errors: failed, timed_out: it is not installed.
using SystemStart = Result<std::unique_ptr<System>> (*)(const Bench& bench, const Place& place);

Result<std::unique_ptr<System>> start_understudy(const Bench& bench, const Place& place);
Result<std::unique_ptr<System>> start_redis(const Bench& bench, const Place& place);
Result<std::unique_ptr<System>> start_mosquitto(const Bench& bench, const Place& place);

}  // namespace understudy::bench
