#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/history/history.h"

namespace understudy::history {

/// The end of an operation whose outcome is not known.
inline constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

/// A request of a client and its answer: an invoke, and the line that completes it.
struct Operation {
    const Event* asked = nullptr;
    const Event* told = nullptr;  ///< Null if the history ends first.

    [[nodiscard]] Type outcome() const { return told == nullptr ? Type::info : told->type; }
    [[nodiscard]] std::uint64_t invoked() const { return asked->index; }
    [[nodiscard]] std::uint64_t returned() const {
        return outcome() == Type::info ? never : told->index;
    }
};

/// Pairs the lines of each client. `faults` gets what is impossible: two open operations of one
/// client, an answer without a request, an answer to another request, lines after `info`, time that
/// runs backwards.
///
/// An `ok` without an invoke is an observation if its verb is that of a watch; all lines of
/// witnesses are observations. Observations are not operations.
/// Thread: any. The operations point into `history`.
[[nodiscard]] std::vector<Operation> operations_of(const History& history,
                                                   std::vector<std::string>& faults);

/// "#12 process 3 read r1 -> 5", for people.
[[nodiscard]] std::string to_string(const Operation& operation);

/// True if the verb is an observation without an invoke, as for a watch.
[[nodiscard]] bool is_observation(const std::string& f);

}  // namespace understudy::history
