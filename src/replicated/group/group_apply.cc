// What is committed goes to the observer, and with it the role.

#include <algorithm>
#include <utility>

#include "consensus/configuration.h"
#include "replicated/entry_body.h"
#include "replicated/group/group.h"

namespace understudy::replicated {

namespace {

constexpr std::size_t apply_entries_max = 1024;
constexpr std::size_t apply_bytes_max = 4 * MiB;

}  // namespace

bool Group::leads() const {
    return alive() && leading_.value != 0 && core_->state() == consensus::State::leader &&
           core_->term() == leading_;
}

bool Group::may_be_active() const {
    switch (self_.kind) {
        case MemberKind::data:
            return options_.electable;
        case MemberKind::checkpointer:
            return last_resort_;
        case MemberKind::witness:
            return false;
    }
    return false;
}

std::string Group::leader_name() const {
    if (leader_.value == 0) return "not known";
    if (const MemberRow* row = members_.find(leader_)) return row->member.name;
    return surroundings_.name_of(leader_, id_);
}

void Group::apply() {
    if (applying_ || loading_ || restoring_ || !alive()) return;
    applying_ = true;
    while (alive() && !restoring_ && applied_ < core_->commit()) {
        const std::uint64_t count =
            std::min<std::uint64_t>(core_->commit().value - applied_.value, apply_entries_max);
        const auto entries = node_log_.cached(id_, applied_.next(), static_cast<std::size_t>(count),
                                              apply_bytes_max);
        if (entries.empty()) {
            load_committed();
            break;
        }
        for (const journal::GroupEntry& entry : entries) {
            if (applied_ >= core_->commit()) break;
            if (!deliver(applied_.next(), entry)) break;
        }
    }
    applying_ = false;
}

void Group::load_committed() {
    loading_ = true;
    const Index from = applied_.next();
    const std::uint64_t count =
        std::min<std::uint64_t>(core_->commit().value - applied_.value, apply_entries_max);
    node_log_.load(id_, from, static_cast<std::size_t>(count), apply_bytes_max,
                   work_.guarded([this](Result<std::vector<journal::GroupEntry>> entries) {
                       committed_loaded(std::move(entries));
                   }));
}

void Group::committed_loaded(Result<std::vector<journal::GroupEntry>> entries) {
    const auto self = shared_from_this();
    loading_ = false;
    if (!entries) {
        // They went with the log that a checkpoint is about to replace.
        if (entries.error().code == Errc::not_found && incoming_) return;
        return fail(std::move(entries).error());
    }
    applying_ = true;
    for (const journal::GroupEntry& entry : *entries) {
        if (applied_ >= core_->commit()) break;
        if (!deliver(applied_.next(), entry)) break;
    }
    applying_ = false;
    settle();
}

bool Group::deliver(Index index, const journal::GroupEntry& entry) {
    const auto self = shared_from_this();
    US_ASSERT(index == applied_.next());
    journal::Entry told{.index = index,
                        .epoch = entry.term,
                        .type = journal::EntryType::command,
                        .body = entry.body};
    // A tenure begins with the first entry of its term, which is never a command.
    const auto beginning =
        entry.term > applied_term_ ? journal::EntryType::tenure : journal::EntryType::mark;
    switch (kind_of(entry.kind)) {
        case consensus::EntryKind::barrier:
            told.type = beginning;
            told.body = {};
            break;
        case consensus::EntryKind::configuration: {
            auto configuration = consensus::decode_configuration(entry.body);
            if (!configuration) {
                fail(std::move(configuration).error());
                return false;
            }
            configuration_ = *std::move(configuration);
            told.type = beginning;
            told.body = {};
            tend_soon();
            break;
        }
        case consensus::EntryKind::command: {
            const auto body = decode_body(entry.body);
            if (!body) {
                fail(body.error());
                return false;
            }
            told.body = body->content;
            if (body->kind == BodyKind::members) {
                auto members = Members::decode(body->content);
                if (!members) {
                    fail(std::move(members).error());
                    return false;
                }
                members_ = *std::move(members);
                for (const MemberRow& row : members_.rows()) surroundings_.learn(row.member);
                tend_soon();
            }
            if (body->kind != BodyKind::command) {
                told.type = beginning;
                told.body = {};
            }
            break;
        }
    }
    applied_ = index;
    applied_term_ = std::max(applied_term_, entry.term);
    if (list_index_ && index >= *list_index_) list_index_.reset();
    if (wants_newer_checkpoint()) tend_at_ = std::min(tend_at_, fetch_newer_at_);
    if (self_.kind != MemberKind::witness) observer_.committed(told);
    if (detached_) return false;

    Proposals::Answers answers;
    proposals_.applied(index, entry.term, answers);
    give(std::move(answers));
    if (detached_) return false;
    // The role comes with the entry that begins the tenure, before anything behind it.
    if (leads() && standing_.role != Role::active) update_standing();
    return alive() && !detached_;
}

void Group::update_standing() {
    if (detached_ || opened_ || phase_ == Phase::ended) return;
    const auto self = shared_from_this();
    journal::Standing now = standing_;
    const bool active = leads() && may_be_active() && applied_term_ == leading_;
    now.role = active ? Role::active : Role::standby;
    // Who leads only to hand the lead on, or has yet to begin, is not the active member.
    const MemberRow* leader = members_.find(leader_);
    const bool hidden = leader_ == self_id_
                            ? !active
                            : leader != nullptr && leader->member.kind == MemberKind::witness;
    if (leader_.value != 0 && !hidden) {
        now.active = leader_name();
        now.epoch = std::max(now.epoch, leader_term_);
    } else {
        now.active.clear();
    }
    const bool lost = standing_.role == Role::active && (!active || now.epoch != standing_.epoch);
    if (lost) {
        // Whatever comes next is another tenure: this one is over first.
        now.role = Role::standby;
    }
    if (now != standing_) {
        standing_ = now;
        observer_.standing_changed(standing_);
        if (detached_) return;
    }
    if (lost) {
        Proposals::Answers answers;
        proposals_.lost(answers);
        give(std::move(answers));
        if (detached_) return;
        if (active) update_standing();
    }
}

}  // namespace understudy::replicated
