// Who leads next: the lead handed on, and taken when its holder is gone.

#include <algorithm>
#include <utility>

#include "consensus/configuration.h"
#include "replicated/group/group.h"

namespace understudy::replicated {

namespace {

constexpr Duration make_way_pause_min = 2s;
constexpr Duration make_way_pause_max = 5min;

}  // namespace

Result<void> Group::hand_over(ServerId to, Done done) {
    if (handover_) {
        return Error{.code = Errc::refused, .detail = "the lead is being handed on already"};
    }
    US_CHECK(step(consensus::Transfer{.to = to}));
    handover_ = Handover{
        .to = to, .done = std::move(done), .deadline = runtime_.now() + 2 * node_.election_timeout};
    tend_soon();
    return {};
}

void Group::tend_handover() {
    if (!handover_) return;
    if (leader_ == handover_->to) return finish_handover({});
    if (runtime_.now() >= handover_->deadline) {
        return finish_handover(Error{.code = Errc::timed_out,
                                     .effect = Effect::unknown,
                                     .detail = "the member did not take the lead"});
    }
    tend_soon();
}

void Group::finish_handover(const Result<void>& result) {
    if (!handover_) return;
    Done done = std::move(handover_->done);
    handover_.reset();
    schedule_turn();
    if (done) later([done = std::move(done), result](Group&) { done(result); });
}

// Of those that have the most, the first in joining order.
ServerId Group::best_heir() const { return heir_from(0); }

// The same, the first behind `behind` in joining order; around.
ServerId Group::next_heir(ServerId behind) const {
    const auto& rows = members_.rows();
    const auto at = std::find_if(rows.begin(), rows.end(),
                                 [&](const MemberRow& row) { return row.id == behind; });
    return heir_from(static_cast<std::size_t>(at - rows.begin()) + 1);
}

ServerId Group::heir_from(std::size_t begin) const {
    const auto& rows = members_.rows();
    ServerId heir;
    Index match;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const MemberRow& row = rows[(begin + i) % rows.size()];
        if (row.member.kind != MemberKind::data || row.id == self_id_) continue;
        if (!consensus::is_voter(core_->configuration(), row.id)) continue;
        if (surroundings_.name_of(row.id, id_).empty()) continue;
        if (const Index has = core_->match(row.id); heir.value == 0 || has > match) {
            heir = row.id;
            match = has;
        }
    }
    return heir;
}

// Who has no room refuses every change, and others may have some. Nobody knows who: so one after
// the other is given a try, more and more rarely, since each tenure costs some of the reserve.
void Group::make_way_when_full() {
    if (node_log_.space() == journal::Space::ok) {
        made_way_pause_ = {};
        made_way_until_ = {};
        return;
    }
    tend_soon();
    if (handover_ || runtime_.now() < made_way_until_) return;
    const ServerId heir = next_heir(made_way_for_.value != 0 ? made_way_for_ : self_id_);
    if (heir.value == 0 || !hand_over(heir, nullptr)) return;
    log_.warn("replicated.makes_way",
              {kv("service", options_.service), kv("to", surroundings_.name_of(heir, id_)),
               kv("reason", "the disk is full")});
    made_way_for_ = heir;
    made_way_pause_ = std::clamp(2 * made_way_pause_, make_way_pause_min, make_way_pause_max);
    made_way_until_ = runtime_.now() + made_way_pause_;
}

void Group::process_gone(const std::string& name) {
    if (!alive() || leader_.value == 0 || leader_ == self_id_ || !may_be_active()) return;
    if (leader_name() != name) return;
    const auto place = place_among_heirs(leader_);
    if (!place) return;
    gone_ = leader_;
    campaign_until_ = runtime_.now() + node_.election_timeout;
    campaign_at_ = runtime_.now() + static_cast<Duration::rep>(*place) * node_.succession_delay;
    log_.info("replicated.leader_gone",
              {kv("service", options_.service), kv("leader", name), kv("place", *place)});
    if (*place == 0) return woken();
    arm();
}

std::optional<std::size_t> Group::place_among_heirs(ServerId gone) const {
    std::size_t place = 0;
    for (const MemberRow& row : members_.rows()) {
        if (row.id == self_id_) return place;
        const bool heir = row.member.kind == MemberKind::data && row.id != gone &&
                          consensus::is_voter(configuration_, row.id);
        if (heir) ++place;
    }
    return std::nullopt;
}

}  // namespace understudy::replicated
