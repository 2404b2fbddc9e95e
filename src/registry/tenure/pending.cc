#include "registry/tenure/pending.h"

#include <utility>

namespace understudy::registry {

std::optional<std::uint64_t> Pending::add(Proposal proposal) {
    if (proposals_.size() >= size_max) return std::nullopt;
    proposals_.emplace(++token_last_, std::move(proposal));
    return token_last_;
}

Proposal Pending::take(std::uint64_t token) {
    auto found = proposals_.extract(token);
    US_ASSERT(!found.empty());
    return std::move(found.mapped());
}

}  // namespace understudy::registry
