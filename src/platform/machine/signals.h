#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "platform/asio_runtime.h"

namespace understudy::platform {

/// Turns signals of the process into calls on the loop. For programs: the library never creates
/// one, because the signals belong to the host process.
///
/// Thread: loop only. Destroy it before the runtime; the signals then have their previous effect.
class Signals {
public:
    using Handler = std::function<void(int signal)>;

    /// Calls `handler` for each of `signals` that arrives, for as long as this lives.
    /// Errors: bad_config (none): a signal cannot be caught.
    [[nodiscard]] static Result<std::unique_ptr<Signals>> open(AsioRuntime& runtime,
                                                               const std::vector<int>& signals,
                                                               Handler handler);
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

private:
    struct Parts;
    explicit Signals(std::shared_ptr<Parts> parts);
    std::shared_ptr<Parts> parts_;
};

}  // namespace understudy::platform
