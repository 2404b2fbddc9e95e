#pragma once

#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include "base/random.h"
#include "hosting/locator.h"

namespace understudy::hosting {

/// Who is asked next for the active member of a service.
///
/// First whom somebody named, then all that are known in their order; who did not help goes to the
/// back. After a whole round in vain it waits, longer each time, with jitter.
///
/// Machine. Thread: loop only.
class ActiveSearch {
public:
    static constexpr Duration wait_min = 10ms;
    static constexpr Duration wait_max = 500ms;
    /// Members that name each other are believed so often in a round.
    static constexpr std::size_t hints_max = 3;

    struct Ask {
        Locator::Place place;
    };
    struct Wait {
        Duration time;
    };
    struct Nobody {};  ///< Until somebody is found.
    using Step = std::variant<Ask, Wait, Nobody>;

    /// All that are known now. True if it says something new: then there is no reason to wait.
    bool found(const std::vector<Locator::Place>& places);
    [[nodiscard]] Step next(Random& random);
    /// The last one asked did not answer, or not as it should.
    void failed();
    /// It is not active, and names who is; port 0: it does not know.
    void elsewhere(const Locator::Place& active);
    /// It is the one, and was for so long.
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
