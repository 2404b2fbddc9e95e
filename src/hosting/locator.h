#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/runtime.h"

namespace understudy::hosting {

/// Finds the copies of services. Thread: loop only.
class Locator {
public:
    struct Place {
        std::string member = {};  ///< Empty: not known.
        Address address = {};
        Epoch epoch = {};  ///< Of its tenure as active; 0: not known to be active.
        friend bool operator==(const Place&, const Place&) = default;
    };
    /// The active member first, if it is known, then other members, which may know a newer one.
    using Found = std::function<void(const std::vector<Place>&)>;
    class Watch {
    public:
        virtual ~Watch() = default;  ///< Ends it.
    };

    virtual ~Locator() = default;
    /// Calls `found` with the known places, never within this call, and again whenever they change.
    /// `found` may end the watch.
    [[nodiscard]] virtual std::unique_ptr<Watch> watch(const std::string& service,
                                                       Found found) = 0;
    /// A member has reported that this member is active. No callback is called within this call.
    virtual void heard(const std::string& /*service*/, const Place& /*active*/) {}
};

/// Services whose copies are listed in advance and do not move.
///
/// Do not use it for members that move. What it learns is lost when the process ends.
class StaticLocator final : public Locator {
public:
    explicit StaticLocator(Runtime& runtime);
    ~StaticLocator() override;
    StaticLocator(const StaticLocator&) = delete;
    StaticLocator& operator=(const StaticLocator&) = delete;

    void set(const std::string& service, std::vector<Place> places);

    [[nodiscard]] std::unique_ptr<Watch> watch(const std::string& service, Found found) override;
    void heard(const std::string& service, const Place& active) override;

private:
    class Registration;
    struct Core;

    Runtime& runtime_;
    std::shared_ptr<Core> core_;
};

}  // namespace understudy::hosting
