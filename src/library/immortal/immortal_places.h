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
#include "node/locator.h"
#include "runtime/runtime.h"
#include "understudy/agent.h"

namespace understudy::library {

/// The addresses of immortals: from a list, and from the registry if there is one. Thread: loop
/// only, except check().
class ImmortalPlaces final : public node::Locator, private client::AgentObserver {
public:
    struct Options {
        std::string agent;  ///< The name of this process in the registry; empty: a generated name.
        std::vector<std::string> registry;
        std::map<std::string, std::vector<std::string>> listed;
        std::optional<TlsFiles> tls;
    };

    /// Errors: bad_config (none).
    [[nodiscard]] static Result<void> check(const Options& options);
    /// Requires: check() succeeded. Errors: in_use, bad_config (none).
    [[nodiscard]] static Result<std::unique_ptr<ImmortalPlaces>> open(Runtime& runtime, Log& log,
                                                                      const Options& options);
    ~ImmortalPlaces() override;

    [[nodiscard]] std::unique_ptr<Watch> watch(const std::string& service, Found found) override;
    void heard(const std::string& service, const Place& active) override;

    /// Null: there is no registry.
    [[nodiscard]] client::Agent* agent() { return agent_.get(); }
    void close(std::function<void()> done);

private:
    ImmortalPlaces(Runtime& runtime, Log& log);

    void registry_changed(bool available, const std::string& detail) override;
    void service_changed(const std::string& family) override;

    Log& log_;
    node::StaticLocator places_;
    std::map<std::string, std::vector<Place>> listed_;
    std::set<std::string> followed_;
    std::unique_ptr<client::Agent> agent_;
};

}  // namespace understudy::library
