#pragma once

#include <utility>
#include <vector>

#include "understudy/types.h"

namespace understudy::replicated {

/// The checkpoints in a group's directory.
///
/// Two are kept: the one that counts, and the one before it. A checkpoint that is newer and does
/// not count stays until a newer one counts: a checkpoint that arrives soon may have the same name.
///
/// Value.
class KeptCheckpoints {
public:
    static constexpr std::size_t kept_max = 2;

    void add(Index index) { indexes_.push_back(index); }
    void reset(std::vector<Index> indexes) { indexes_ = std::move(indexes); }
    /// Removes and returns those that are not needed any more if the one at `counting` counts.
    [[nodiscard]] std::vector<Index> take_superfluous(Index counting);

private:
    std::vector<Index> indexes_;
};

}  // namespace understudy::replicated
