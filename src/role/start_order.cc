#include "role/start_order.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"

namespace understudy::role {

std::string_view name(Checkpointer checkpointer) {
    return checkpointer == Checkpointer::shared ? "shared" : "dedicated";
}

StartOrder StartOrder::restored(Options options, const Saved& saved,
                                const std::vector<std::string>& line) {
    StartOrder order(options);
    order.founded_ = order.founded_ || saved.has_checkpoint;
    order.copies_.insert(saved.copies.begin(), saved.copies.end());
    order.copies_.insert(line.begin(), line.end());
    for (const std::string& name : line) {
        if (order.running(name) == nullptr) order.line_.push_back({.name = name, .told = {}});
    }
    order.first_start_ = saved.first_start;
    if (order.line_.empty()) return order;
    const auto runs = [&](const std::string& name) {
        return order.running(name) == nullptr ? std::string() : name;
    };
    order.active_ = runs(saved.active);
    if (!order.shared_ && saved.checkpointer != saved.active)
        order.checkpointer_ = runs(saved.checkpointer);
    if (saved.stand_in != saved.active) order.stand_in_ = runs(saved.stand_in);
    order.had_checkpointer_ = saved.had_checkpointer;
    order.may_resort_ = saved.may_resort;
    (void)order.changes();
    return order;
}

StartOrder::Saved StartOrder::save() const {
    return {.has_checkpoint = founded_,
            .copies = {copies_.begin(), copies_.end()},
            .active = active_,
            .checkpointer = checkpointer_,
            .stand_in = stand_in_,
            .first_start = first_start_,
            .had_checkpointer = had_checkpointer_,
            .may_resort = may_resort_};
}

StartOrder::Changes StartOrder::added(const std::string& member) {
    copies_.insert(member);
    return changes();
}

StartOrder::Changes StartOrder::removed(const std::string& member) {
    if (running(member) != nullptr) leave(member);
    copies_.erase(member);
    return changes();
}

StartOrder::Changes StartOrder::started(const std::string& member) {
    US_ASSERT(copies_.contains(member));
    if (running(member) != nullptr) return {};
    const bool first = line_.empty();
    line_.push_back({.name = member, .told = {}});
    if (first) first_start_ = !founded_;
    const bool to_be_checkpointer =
        first_start_ || planted(Plant::start_order_ignored) ? line_.size() == 2 : first;
    if (to_be_checkpointer && !shared_ && !had_checkpointer_ && copies_.size() > 1) {
        checkpointer_ = member;
        had_checkpointer_ = true;
    }
    return changes();
}

StartOrder::Changes StartOrder::stopped(const std::string& member) {
    if (running(member) != nullptr) leave(member);
    return changes();
}

StartOrder::Changes StartOrder::elected(const std::string& member) {
    if (running(member) == nullptr || active_ == member) return {};
    active_ = member;
    if (checkpointer_ == member) checkpointer_.clear();
    if (stand_in_ == member) stand_in_.clear();
    return changes();
}

void StartOrder::to_the_back(const std::string& member) {
    const auto found = std::find_if(line_.begin(), line_.end(),
                                    [&](const Member& each) { return each.name == member; });
    if (found == line_.end() || planted(Plant::giver_keeps_place)) return;
    std::rotate(found, std::next(found), line_.end());
}

StartOrder::Changes StartOrder::allow(LastResort last_resort) {
    last_resort_ = last_resort;
    return changes();
}

StartOrder::Changes StartOrder::choose(Checkpointer checkpointer) {
    shared_ = checkpointer == Checkpointer::shared;
    if (shared_ && !checkpointer_.empty()) stand_in_ = std::exchange(checkpointer_, {});
    return changes();
}

StartOrder::Changes StartOrder::caught_up(const std::string& member, bool whole) {
    if (Member* found = running(member)) found->whole = whole;
    return changes();
}

StartOrder::Changes StartOrder::majority(bool runs) {
    majority_ = runs;
    return changes();
}

StartOrder::Changes StartOrder::waited() {
    may_resort_ = !line_.empty();
    return changes();
}

void StartOrder::leave(const std::string& member) {
    std::erase_if(line_, [&](const Member& each) { return each.name == member; });
    if (active_ == member) {
        active_.clear();
        may_resort_ = true;
    }
    if (checkpointer_ == member) checkpointer_.clear();
    if (stand_in_ == member) stand_in_.clear();
    if (line_.empty()) {
        had_checkpointer_ = false;
        may_resort_ = false;
    }
}

StartOrder::Changes StartOrder::changes() {
    if (copies_.size() == 1) checkpointer_.clear();
    elect();
    share_out_duty();
    Changes changes;
    for (Member& member : line_) {
        const Designation now = designation(member);
        if (std::exchange(member.is_told, true) && member.told == now) continue;
        member.told = now;
        changes.push_back({.member = member.name, .what = now});
    }
    check_invariants();
    return changes;
}

/// Chooses the earliest member that is whole and does not have the duty; if there is none, the
/// stand-in; then, as the last resort, the checkpointer.
void StartOrder::elect() {
    if (!active_.empty() || !majority_) return;
    const auto choose = [this](auto&& fits) {
        const auto found = std::find_if(line_.begin(), line_.end(), [&](const Member& each) {
            return each.whole && fits(each.name);
        });
        if (found != line_.end()) active_ = found->name;
    };
    choose([this](const std::string& name) {
        if (shared_ || planted(Plant::checkpointer_elected)) return true;
        return name != checkpointer_ && name != stand_in_;
    });
    if (active_.empty() && !other_electable(stand_in_)) {
        choose([this](const std::string& name) { return name == stand_in_; });
    }
    const bool resort = last_resort_ == LastResort::allow && may_resort_;
    if (active_.empty() && resort && !other_electable(checkpointer_)) {
        choose([this](const std::string& name) { return name == checkpointer_; });
    }
    if (active_ == checkpointer_) checkpointer_.clear();
    if (active_ == stand_in_) stand_in_.clear();
}

/// A stand-in keeps the duty, so that a checkpoint that it has begun is not lost.
void StartOrder::share_out_duty() {
    if (!checkpointer_.empty()) {
        stand_in_.clear();
        return;
    }
    if (!stand_in_.empty()) return;
    const auto last = std::find_if(line_.rbegin(), line_.rend(), [this](const Member& each) {
        return each.name != active_;
    });
    if (last != line_.rend()) stand_in_ = last->name;
}

/// Another member that runs could become active.
bool StartOrder::other_electable(const std::string& member) const {
    return std::any_of(line_.begin(), line_.end(), [&](const Member& each) {
        return each.name != member && each.name != active_ && each.name != checkpointer_;
    });
}

Designation StartOrder::designation(const Member& member) const {
    const bool has_duty = member.name == duty();
    if (member.name == active_) {
        return {.role = Role::active, .electable = true, .takes_checkpoints = has_duty};
    }
    const bool gives_way = !shared_ && has_duty && other_electable(member.name);
    if (member.name == checkpointer_ || gives_way) {
        return {.role = Role::checkpointer, .electable = false, .takes_checkpoints = true};
    }
    return {.role = Role::standby, .electable = true, .takes_checkpoints = has_duty};
}

const Designation* StartOrder::find(std::string_view member) const {
    const Member* found = running(member);
    return found == nullptr ? nullptr : &found->told;
}

std::string_view StartOrder::duty() const {
    if (!checkpointer_.empty()) return checkpointer_;
    if (!stand_in_.empty()) return stand_in_;
    return active_;
}

StartOrder::Member* StartOrder::running(std::string_view member) {
    return const_cast<Member*>(std::as_const(*this).running(member));
}

const StartOrder::Member* StartOrder::running(std::string_view member) const {
    const auto found = std::find_if(line_.begin(), line_.end(),
                                    [&](const Member& each) { return each.name == member; });
    return found == line_.end() ? nullptr : &*found;
}

void StartOrder::check_invariants() const {
    std::size_t actives = 0;
    std::size_t duties = 0;
    for (const Member& member : line_) {
        US_ASSERT(copies_.contains(member.name));
        actives += member.told.role == Role::active ? 1 : 0;
        duties += member.told.takes_checkpoints ? 1 : 0;
        US_ASSERT(member.told.electable == (member.told.role != Role::checkpointer));
    }
    US_ASSERT(!shared_ || checkpointer_.empty());
    US_ASSERT(actives == (active_.empty() ? 0U : 1U));
    US_ASSERT(duties <= 1);
    US_ASSERT(line_.empty() || duties == 1);
}

}  // namespace understudy::role
