#include "replica/proposals.h"

#include <utility>

namespace understudy::replica {

namespace {

constexpr std::size_t spare_max = 4;

}  // namespace

void Results::add(Kind kind, Bytes reply) {
    bytes_.insert(bytes_.end(), reply.begin(), reply.end());
    US_ASSERT(bytes_.size() <= UINT32_MAX);
    rows_.push_back({.kind = kind, .end = static_cast<std::uint32_t>(bytes_.size())});
}

Result<Reply> Results::at(std::size_t i) const {
    US_ASSERT(i < rows_.size());
    if (rows_[i].kind == Kind::abandoned) return request_abandoned();
    if (rows_[i].kind == Kind::expired) return request_expired();
    const std::size_t begin = i == 0 ? 0 : rows_[i - 1].end;
    return Reply{.index = index_, .bytes = Bytes(bytes_).subspan(begin, rows_[i].end - begin)};
}

Error request_abandoned() {
    return {.code = Errc::refused, .detail = "the request has been abandoned"};
}

Error request_expired() {
    return {.code = Errc::session_expired,
            .effect = Effect::unknown,
            .detail = "nobody knows any more whether the request was carried out"};
}

Result<void> Proposals::add(const Item& item, Duration time, journal::Urgency urgency,
                            Answered& answered) {
    const std::size_t size = item.body.size() + item_overhead_max;
    if (bytes_ + size > options_.bytes_max) {
        return Error{.code = Errc::limit_exceeded, .detail = "too many commands at once"};
    }
    auto& packs = queue(urgency);
    if (packs.empty() || packs.back().body.size() + size > options_.pack_bytes_max) {
        packs.emplace_back();
    }
    Pack& pack = packs.back();
    encode(item, time, pack.body);
    pack.waiting.push_back(std::move(answered));
    bytes_ += size;
    return {};
}

std::optional<std::pair<journal::Urgency, Proposals::Pack>> Proposals::take() {
    for (const auto urgency : {journal::Urgency::promotion, journal::Urgency::ordinary}) {
        auto& packs = queue(urgency);
        if (packs.empty()) continue;
        std::pair<journal::Urgency, Pack> taken(urgency, std::move(packs.front()));
        packs.pop_front();
        if (promotions_.empty() && ordinary_.empty()) bytes_ = 0;
        return taken;
    }
    return std::nullopt;
}

std::vector<Answered> Proposals::take_waiting() {
    std::vector<Answered> waiting;
    while (auto taken = take()) {
        for (Answered& answered : taken->second.waiting) waiting.push_back(std::move(answered));
    }
    return waiting;
}

Results& Proposals::applied(Index index) {
    US_ASSERT(results_.empty() || results_.back().index() < index);
    if (spare_.empty()) {
        results_.emplace_back();
    } else {
        results_.push_back(std::move(spare_.back()));
        spare_.pop_back();
    }
    results_.back().clear(index);
    return results_.back();
}

Results Proposals::take_results(Index index) {
    while (!results_.empty() && results_.front().index() < index) results_.pop_front();
    US_ASSERT(!results_.empty());
    US_ASSERT(results_.front().index() == index);
    Results results = std::move(results_.front());
    results_.pop_front();
    return results;
}

void Proposals::forget_results() { results_.clear(); }

void Proposals::reuse(Results results) {
    if (spare_.size() < spare_max) spare_.push_back(std::move(results));
}

}  // namespace understudy::replica
