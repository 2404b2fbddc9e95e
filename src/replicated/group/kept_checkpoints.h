#pragma once

#include <utility>
#include <vector>

#include "understudy/types.h"

namespace understudy::replicated {

/// The checkpoints in a group's directory.
///
/// Two are kept: the one that counts, and the one before it. A checkpoint that is newer and does
/// not count stays until a newer one counts: its name may be that of a checkpoint that is about to
/// come.
///
/// Value.
class KeptCheckpoints {
public:
    static constexpr std::size_t kept_max = 2;

    void add(Index index) { indexes_.push_back(index); }
    void reset(std::vector<Index> indexes) { indexes_ = std::move(indexes); }
    /// Those that are needed no more, if the one at `counting` counts. They are forgotten.
    [[nodiscard]] std::vector<Index> take_superfluous(Index counting);

private:
    std::vector<Index> indexes_;
};

}  // namespace understudy::replicated
