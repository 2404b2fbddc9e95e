#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "client/agent.h"
#include "hosting/locator.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// The addresses of services: from a list, and from the registry if there is one.
/// Thread: loop only, except check().
class Places final : public Locator, private client::AgentObserver {
public:
    struct Options {
        std::optional<client::AgentOptions> registry;  ///< Absent: there is none.
        /// HOST:PORT of copies, by service.
        std::map<std::string, std::vector<std::string>> listed;
    };

    /// Errors: bad_config (none).
    [[nodiscard]] static Result<void> check(const Options& options);
    /// Requires: check() succeeded. Errors: in_use, bad_config (none).
    [[nodiscard]] static Result<std::unique_ptr<Places>> open(Runtime& runtime, Log& log,
                                                              Options options);
    ~Places() override;

    [[nodiscard]] std::unique_ptr<Watch> watch(const std::string& service, Found found) override;
    void heard(const std::string& service, const Place& active) override;

    /// Null: there is no registry.
    [[nodiscard]] client::Agent* agent() { return agent_.get(); }
    void close(std::function<void()> done);

private:
    Places(Runtime& runtime, Log& log);

    void registry_changed(bool available, const std::string& detail) override;
    void service_changed(const std::string& family) override;

    Log& log_;
    StaticLocator places_;
    std::map<std::string, std::vector<Place>> listed_;
    std::set<std::string> followed_;
    std::unique_ptr<client::Agent> agent_;
};

}  // namespace understudy::hosting
