#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "understudy/agent.h"
#include "understudy/types.h"

namespace understudy {

struct RegistryOptions {
    std::string platform = "understudy";
    std::string listen = "127.0.0.1:22222";
    std::string data;  ///< Directory of its journal; one registry at a time.
    std::optional<TlsFiles> tls = {};
    bool insecure = false;  ///< Allows `listen` beyond loopback without TLS.
    std::uint64_t segment_size = 1 * MiB;
    LogSink log = {};
};

/// A registry inside this process: the same as `understudy registry`.
///
/// Thread: any; has its own loop thread. Destroying it closes it in bounded time; what was
/// acknowledged is durable, roles and connections of members and clients go on without it.
class US_API Registry {
public:
    /// Recovers, listens, then returns.
    /// Errors: bad_config, in_use (another registry on the directory or the port), corrupt,
    ///         disk_failed, no_space (none).
    [[nodiscard]] static Result<Registry> open(RegistryOptions options);

    Registry(Registry&&) noexcept;
    Registry& operator=(Registry&&) noexcept;
    ~Registry();

    [[nodiscard]] std::string address() const;
    /// The disk failed and the registry has ended; called once, on its loop thread.
    void on_failed(std::function<void(const Error&)> listener);
    /// Blocks until close(), the destructor, or a failed disk.
    void wait();
    void close();

    struct Impl;

private:
    explicit Registry(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
