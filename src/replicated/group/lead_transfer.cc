#include "replicated/group/lead_transfer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "consensus/configuration.h"

namespace understudy::replicated {

namespace {

constexpr Duration full_pause_min = 2s;
constexpr Duration full_pause_max = 5min;
constexpr Duration campaign_retry = 2ms;

}  // namespace

// --- Candidates ------------------------------------------------------------------------------

bool LeadTransfer::may_be_active() const {
    switch (context_.self.kind) {
        case MemberKind::data:
            return context_.options.electable;
        case MemberKind::checkpointer:
            return last_resort_;
        case MemberKind::witness:
            return false;
    }
    return false;
}

Result<ServerId> LeadTransfer::target(const std::string& name, const Members& members,
                                      const consensus::Configuration& newest) const {
    const MemberRow* row = members.find(name);
    if (row == nullptr) {
        return Error{.code = Errc::not_found,
                     .detail = fmt::format("{} has no member {}", context_.options.service, name)};
    }
    if (row->id == context_.self_id) return row->id;
    if (row->member.kind == MemberKind::witness) {
        return Error{.code = Errc::refused, .detail = fmt::format("{} is a witness", name)};
    }
    if (!consensus::is_voter(newest, row->id)) {
        return Error{.code = Errc::refused, .detail = fmt::format("{} does not vote yet", name)};
    }
    return row->id;
}

ServerId LeadTransfer::best_target(const Members& members,
                                   const consensus::ConsensusCore& core) const {
    return target_from(0, members, core);
}

ServerId LeadTransfer::target_from(std::size_t begin, const Members& members,
                                   const consensus::ConsensusCore& core) const {
    const auto& rows = members.rows();
    ServerId best;
    Index match;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const MemberRow& row = rows[(begin + i) % rows.size()];
        if (row.member.kind != MemberKind::data || row.id == context_.self_id) continue;
        if (!consensus::is_voter(core.configuration(), row.id)) continue;
        if (context_.surroundings.name_of(row.id, context_.id).empty()) continue;
        if (const Index has = core.match(row.id); best.value == 0 || has > match) {
            best = row.id;
            match = has;
        }
    }
    return best;
}

// --- The transfer that is under way ----------------------------------------------------------

void LeadTransfer::begin(ServerId to, Done done, TimePoint now) {
    US_ASSERT(!transfer_);
    transfer_ = Transfer{
        .to = to, .done = std::move(done), .deadline = now + 2 * context_.node.election_timeout};
}

std::optional<LeadTransfer::Ended> LeadTransfer::look(ServerId leader, TimePoint now) {
    if (!transfer_) return std::nullopt;
    Result<void> result;
    if (leader != transfer_->to) {
        if (now < transfer_->deadline) return std::nullopt;
        result = Error{.code = Errc::timed_out,
                       .effect = Effect::unknown,
                       .detail = "the member did not take the lead"};
    }
    Ended ended{.done = std::move(transfer_->done), .result = std::move(result)};
    transfer_.reset();
    return ended;
}

// --- A full disk -----------------------------------------------------------------------------

std::optional<ServerId> LeadTransfer::next_with_room(const Members& members,
                                                     const consensus::ConsensusCore& core,
                                                     TimePoint now) const {
    if (transfer_ || now < full_.until) return std::nullopt;
    const ServerId after = full_.tried.value != 0 ? full_.tried : context_.self_id;
    const auto& rows = members.rows();
    const auto at = std::find_if(rows.begin(), rows.end(),
                                 [&](const MemberRow& row) { return row.id == after; });
    const ServerId next =
        target_from(static_cast<std::size_t>(at - rows.begin()) + 1, members, core);
    return next.value == 0 ? std::nullopt : std::optional(next);
}

void LeadTransfer::tries(ServerId server, TimePoint now) {
    full_.tried = server;
    full_.pause = std::clamp(2 * full_.pause, full_pause_min, full_pause_max);
    full_.until = now + full_.pause;
}

// --- Evidence --------------------------------------------------------------------------------

std::optional<std::size_t> LeadTransfer::leader_gone(ServerId leader, const Members& members,
                                                     const consensus::Configuration& applied,
                                                     TimePoint now) {
    std::size_t place = 0;
    for (const MemberRow& row : members.rows()) {
        if (row.id == context_.self_id) {
            campaign_ = {
                .gone = leader,
                .at = now + static_cast<Duration::rep>(place) * context_.node.succession_delay,
                .until = now + context_.node.election_timeout};
            return place;
        }
        if (row.member.kind == MemberKind::data && row.id != leader &&
            consensus::is_voter(applied, row.id)) {
            ++place;
        }
    }
    return std::nullopt;
}

bool LeadTransfer::campaign_is_due(ServerId leader, consensus::State state, TimePoint now) {
    if (campaign_.at > now) return false;
    campaign_.at = TimePoint::max();
    return state == consensus::State::follower && (leader == campaign_.gone || leader.value == 0);
}

void LeadTransfer::campaign_refused(TimePoint now) {
    if (now < campaign_.until) campaign_.at = now + campaign_retry;
}

}  // namespace understudy::replicated
