#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hosting/locator.h"
#include "journal/journal.h"

namespace understudy::hosting {

/// What a member that is not active tells its callers: which member is active, and where that
/// member listens.
///
/// Thread: loop only.
class ActiveHint {
public:
    /// All arguments outlive this object.
    ActiveHint(Locator& locator, const std::string& service, std::string member)
        : member_(std::move(member)),
          watch_(locator.watch(
              service, [this](const std::vector<Locator::Place>& places) { places_ = places; })) {}
    ActiveHint(const ActiveHint&) = delete;
    ActiveHint& operator=(const ActiveHint&) = delete;

    /// The member is empty if it is not known or is this one. The port is 0 if its address is not
    /// known.
    [[nodiscard]] Locator::Place active(const journal::Standing& standing) const {
        Locator::Place active;
        if (standing.active.empty() || standing.active == member_) return active;
        active.member = standing.active;
        active.epoch = standing.epoch;
        for (const Locator::Place& place : places_) {
            if (place.member == standing.active) active.address = place.address;
        }
        return active;
    }

private:
    const std::string member_;
    std::vector<Locator::Place> places_;
    std::unique_ptr<Locator::Watch> watch_;
};

}  // namespace understudy::hosting
