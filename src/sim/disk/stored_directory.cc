#include "sim/disk/stored_directory.h"

#include <utility>

namespace understudy::sim {

void StoredDirectory::link(const std::string& name, Entry entry, Owner owner) {
    change({owner, {}, name, std::move(entry), false, {}});
}

void StoredDirectory::unlink(const std::string& name, Owner owner) {
    US_ASSERT(entries_.contains(name));
    change({owner, name, {}, std::nullopt, false, {}});
}

void StoredDirectory::rename(const std::string& from, const std::string& to, Owner owner) {
    US_ASSERT(entries_.contains(from));
    if (from == to) return;
    change({owner, from, to, entries_.at(from), false, {}});
}

void StoredDirectory::move(const std::string& from, const DirectoryPtr& target,
                           const std::string& to, Owner owner) {
    US_ASSERT(target.get() != this);
    target->link(to, entries_.at(from), owner);
    change({owner, from, {}, std::nullopt, true, target});
}

void StoredDirectory::link_durably(const std::string& name, Entry entry) {
    put(name, entry);
    durable_.insert_or_assign(name, std::move(entry));
}

void StoredDirectory::sync() {
    for (const Pending& pending : std::exchange(pending_, {})) {
        if (const DirectoryPtr target = pending.moved_to.lock()) target->sync();
        apply(durable_, pending);
    }
}

void StoredDirectory::crash(std::optional<Owner> owner, Random& random) {
    const auto survival = static_cast<Survival>(random.below(survival_count));
    std::deque<Pending> others;
    std::size_t position = 0;
    const std::uint64_t prefix = random.below(pending_.size() + 1);
    for (Pending& pending : pending_) {
        if (owner && pending.owner != *owner) {
            others.push_back(std::move(pending));
            continue;
        }
        const bool kept = survival == Survival::all ||
                          (survival == Survival::prefix && position < prefix) ||
                          (survival == Survival::scattered && random.chance(1, 2));
        if (kept && !pending.moved) apply(durable_, pending);
        ++position;
    }
    pending_ = std::move(others);
    while (!entries_.empty()) take(entries_.begin()->first);
    for (const auto& [name, entry] : durable_) put(name, entry);
    for (const Pending& pending : pending_) show(pending);
}

void StoredDirectory::apply(Entries& entries, const Pending& pending) {
    if (!pending.unlinked.empty()) entries.erase(pending.unlinked);
    if (pending.entry) entries.insert_or_assign(pending.linked, *pending.entry);
}

void StoredDirectory::change(Pending pending) {
    show(pending);
    pending_.push_back(std::move(pending));
}

void StoredDirectory::show(const Pending& pending) {
    if (!pending.unlinked.empty()) take(pending.unlinked);
    if (pending.entry) put(pending.linked, *pending.entry);
}

void StoredDirectory::put(const std::string& name, const Entry& entry) {
    take(name);
    entries_.emplace(name, entry);
    if (const FilePtr* file = std::get_if<FilePtr>(&entry)) (*file)->hold();
}

void StoredDirectory::take(const std::string& name) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    if (const FilePtr* file = std::get_if<FilePtr>(&found->second)) (*file)->drop();
    entries_.erase(found);
}

}  // namespace understudy::sim
