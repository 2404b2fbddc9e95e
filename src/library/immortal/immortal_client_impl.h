#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "hosting/places.h"
#include "library/registry/asks.h"
#include "library/threads/callbacks.h"
#include "library/threads/ending.h"
#include "library/threads/hidden.h"
#include "library/threads/loop_thread.h"
#include "library/threads/waiter.h"
#include "node/immortal/immortal_client.h"
#include "understudy/immortal_client.h"

namespace understudy {

/// The implementation of an ImmortalClient, as ImmortalMember::Impl.
struct US_HIDDEN ImmortalClient::Impl final : std::enable_shared_from_this<Impl> {
    Impl(std::shared_ptr<Log> its_log, ImmortalClientOptions its_options,
         std::uint64_t its_session);

    /// Errors: in_use, bad_config (none).
    [[nodiscard]] Result<void> begin(hosting::Places::Options where);
    void close(Duration limit);

    // Any thread.
    using Told = std::function<void(Result<Bytes>)>;
    /// Calls `begin` on the loop and waits for the answer.
    [[nodiscard]] Result<Buffer> await(Duration timeout,
                                       std::function<void(node::ImmortalClient&, Told)> begin);
    /// The same, once the position of the session is known.
    [[nodiscard]] Result<Buffer> await_ready(
        Duration timeout, std::function<void(node::ImmortalClient&, Told)> begin);

    // On the loop.
    void became_ready();
    void resume(std::uint64_t number, Told told);
    void close_on_loop();
    void later(std::function<void()> task);

    const std::shared_ptr<Log> log;
    const ImmortalClientOptions options;
    const std::uint64_t session;
    const std::shared_ptr<library::Callbacks> callbacks;
    library::Ending ending;
    const library::Waiter waiter;
    library::Asks asks;

    // Loop only.
    std::unique_ptr<hosting::Places> places;
    std::unique_ptr<node::ImmortalClient> client;
    std::vector<std::function<void()>> when_ready;
    struct Resumed {
        std::optional<Result<Buffer>> reply;
        std::vector<Told> waiting;
    };
    std::map<std::uint64_t, Resumed> resumed;

    library::LoopThread loop;  ///< It ends before the objects that it uses.
};

}  // namespace understudy
