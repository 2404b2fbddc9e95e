#pragma once

#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include "base/random.h"
#include "hosting/locator.h"

namespace understudy::hosting {

/// Chooses which member is asked next when a client looks for the active member of a service.
///
/// It first asks the member that another member has named, then all known members in their order. A
/// member that did not help goes to the end of the list. After a round without success the search
/// waits, longer each time, with jitter.
///
/// Machine. Thread: loop only.
class ActiveSearch {
public:
    static constexpr Duration wait_min = 10ms;
    static constexpr Duration wait_max = 500ms;
    /// How often in one round the search asks a member that another member has named. It is bounded
    /// because two members may name each other.
    static constexpr std::size_t hints_max = 3;

    struct Ask {
        Locator::Place place;
    };
    struct Wait {
        Duration time;
    };
    struct Nobody {};  ///< No member is known: call found() first.
    using Step = std::variant<Ask, Wait, Nobody>;

    /// Takes all places that are known now. Returns true if they have changed: then there is no
    /// reason to wait.
    bool found(const std::vector<Locator::Place>& places);
    [[nodiscard]] Step next(Random& random);
    /// Whether a search expects this failure: no process answers, or its member is not active. Any
    /// other reason should be reported.
    [[nodiscard]] static bool expects(const Error& reason);
    /// The member that was asked last did not answer, or not correctly.
    void failed();
    /// It is not active, and names the active member. Port 0: it does not know the address.
    void elsewhere(const Locator::Place& active);
    /// It was the active member, and the connection to it lasted this long.
    void ended(Duration after);

private:
    std::vector<Locator::Place> known_;   ///< As found() said.
    std::vector<Locator::Place> places_;  ///< In the order of this search.
    std::optional<Locator::Place> hint_;
    std::optional<Locator::Place> asked_;
    std::size_t asked_in_round_ = 0;
    std::size_t hints_ = 0;
    Duration wait_ = wait_min;
};

}  // namespace understudy::hosting
