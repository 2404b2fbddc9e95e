#include "replicated/group/delivery.h"

#include <algorithm>
#include <utility>

#include "consensus/configuration.h"
#include "replicated/entry_body.h"

namespace understudy::replicated {

namespace {

constexpr std::size_t apply_entries_max = 1024;
constexpr std::size_t apply_bytes_max = 4 * MiB;

}  // namespace

Delivery::Delivery(const GroupContext& context, Owner& owner, Schedule& schedule, Driver& driver,
                   GroupMembership& membership, const LeadTransfer& transfer,
                   PendingAppends& pending)
    : context_(context),
      owner_(owner),
      schedule_(schedule),
      driver_(driver),
      membership_(membership),
      transfer_(transfer),
      pending_(pending) {}

void Delivery::restored(const consensus::SnapshotRef& snapshot) {
    restoring_ = false;
    applied_ = snapshot.index;
    applied_term_ = snapshot.term;
}

// --- Entries ---------------------------------------------------------------------------------

void Delivery::apply() {
    if (applying_ || loading_ || !driver_.runs()) return;
    while (driver_.runs() && !restoring_ && applied_ < driver_.core().commit()) {
        const std::uint64_t count = std::min<std::uint64_t>(
            driver_.core().commit().value - applied_.value, apply_entries_max);
        const auto entries = context_.node_log.cached(
            context_.id, applied_.next(), static_cast<std::size_t>(count), apply_bytes_max);
        if (entries.empty()) return load_committed();
        deliver(entries);
    }
}

void Delivery::load_committed() {
    loading_ = true;
    const std::uint64_t count =
        std::min<std::uint64_t>(driver_.core().commit().value - applied_.value, apply_entries_max);
    context_.node_log.load(context_.id, applied_.next(), static_cast<std::size_t>(count),
                           apply_bytes_max,
                           driver_.guarded([this](Result<std::vector<journal::GroupEntry>> found) {
                               committed_loaded(std::move(found));
                           }));
}

void Delivery::committed_loaded(Result<std::vector<journal::GroupEntry>> entries) {
    loading_ = false;
    if (!entries) {
        // The entries were removed with the log that a checkpoint will replace.
        if (entries.error().code == Errc::not_found && owner_.expects_checkpoint()) return;
        return owner_.fail(std::move(entries).error());
    }
    deliver(*entries);
    owner_.settle();
}

void Delivery::deliver(const std::vector<journal::GroupEntry>& entries) {
    applying_ = true;
    for (const journal::GroupEntry& entry : entries) {
        if (applied_ >= driver_.core().commit()) break;
        if (!deliver(applied_.next(), entry)) break;
    }
    applying_ = false;
}

bool Delivery::deliver(Index index, const journal::GroupEntry& entry) {
    auto told = interpret(index, entry);
    if (!told) {
        owner_.fail(std::move(told).error());
        return false;
    }
    applied_ = index;
    applied_term_ = std::max(applied_term_, entry.term);
    membership_.applied(index);
    if (context_.self.kind != MemberKind::witness) context_.observer.committed(*told);
    if (owner_.detached()) return false;

    PendingAppends::Answers answers;
    pending_.applied(index, entry.term, answers);
    give(std::move(answers));
    if (owner_.detached()) return false;
    // The role comes with the entry that begins the tenure, before anything that follows it.
    if (driver_.leads() && standing_.role != Role::active) update_standing();
    return driver_.runs();
}

Result<journal::Entry> Delivery::interpret(Index index, const journal::GroupEntry& entry) {
    // A tenure begins with the first entry of its term, which is never a command.
    journal::Entry told{
        .index = index,
        .epoch = entry.term,
        .type = entry.term > applied_term_ ? journal::EntryType::tenure : journal::EntryType::mark,
        .body = {}};
    switch (kind_of(entry.kind)) {
        case consensus::EntryKind::barrier:
            break;
        case consensus::EntryKind::configuration:
            membership_.apply(US_TRY(consensus::decode_configuration(entry.body)));
            schedule_.tend_soon();
            break;
        case consensus::EntryKind::command: {
            const auto body = US_TRY(decode_body(entry.body));
            if (body.kind == BodyKind::members) US_CHECK(apply_members(body.content));
            if (body.kind == BodyKind::command) {
                told.type = journal::EntryType::command;
                told.body = body.content;
            }
            break;
        }
    }
    return told;
}

Result<void> Delivery::apply_members(Bytes encoded) {
    membership_.apply(US_TRY(Members::decode(encoded)));
    schedule_.tend_soon();
    return {};
}

// Answers may call back, close, or destroy.
void Delivery::give(PendingAppends::Answers answers) {
    for (const PendingAppends::Answer& answer : answers) {
        if (owner_.detached()) return;
        answer.give();
    }
}

// --- The role --------------------------------------------------------------------------------

void Delivery::tell_first_standing() {
    standing_.epoch = applied_term_;
    context_.observer.standing_changed(standing_);
}

void Delivery::update_standing() {
    if (!owner_.serving()) return;
    const auto group = owner_.keep();
    const bool active =
        driver_.leads() && transfer_.may_be_active() && applied_term_ == driver_.leading();
    journal::Standing now = present_standing(active);
    const bool lost = standing_.role == Role::active && (!active || now.epoch != standing_.epoch);
    // Another tenure follows. This one must end first.
    if (lost) now.role = Role::standby;
    if (now != standing_) {
        standing_ = now;
        context_.observer.standing_changed(standing_);
        if (owner_.detached()) return;
    }
    if (!lost) return;
    PendingAppends::Answers answers;
    pending_.lost(answers);
    give(std::move(answers));
    if (active && !owner_.detached()) update_standing();
}

journal::Standing Delivery::present_standing(bool active) const {
    journal::Standing now = standing_;
    now.role = active ? Role::active : Role::standby;
    // A member that leads only until it has transferred the lead, or has yet to begin its tenure,
    // is not the active member.
    const ServerId leader = driver_.leader();
    const MemberRow* row = membership_.members().find(leader);
    const bool hidden = leader == context_.self_id
                            ? !active
                            : row != nullptr && row->member.kind == MemberKind::witness;
    if (leader.value != 0 && !hidden) {
        now.active = membership_.name_of(leader);
        now.epoch = std::max(now.epoch, driver_.leader_term());
    } else {
        now.active.clear();
    }
    return now;
}

}  // namespace understudy::replicated
