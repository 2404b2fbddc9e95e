#include "replicated/group/kept_checkpoints.h"

#include <algorithm>

namespace understudy::replicated {

std::vector<Index> KeptCheckpoints::take_superfluous(Index counting) {
    std::sort(indexes_.begin(), indexes_.end());
    indexes_.erase(std::unique(indexes_.begin(), indexes_.end()), indexes_.end());
    const auto newer = std::upper_bound(indexes_.begin(), indexes_.end(), counting);
    const auto count = static_cast<std::size_t>(newer - indexes_.begin());
    if (count <= kept_max) return {};
    const auto kept = newer - static_cast<std::ptrdiff_t>(kept_max);
    std::vector<Index> superfluous(indexes_.begin(), kept);
    indexes_.erase(indexes_.begin(), kept);
    return superfluous;
}

}  // namespace understudy::replicated
