#include "tests/swarm/journal_member.h"

#include <utility>

#include <fmt/format.h>

#include "raft/raft_core.h"
#include "sim/sim_runtime.h"

namespace understudy::swarm {

namespace {

/// Entries between two checks of the state with the sessions, which are expensive.
constexpr std::uint64_t state_every = 16;

}  // namespace

JournalMember::JournalMember(Runtime& runtime, Log& log, JournalOracle& oracle, MemberSpec spec,
                             std::uint64_t life)
    : runtime_(runtime),
      log_(log),
      oracle_(oracle),
      spec_(std::move(spec)),
      who_(fmt::format("{}/{}", spec_.name, life)),
      machine_([this](const Command& command, std::uint64_t trail) {
          if (alive()) oracle_.carried_out(who_, command.index, command.place, trail);
      }) {
    if (spec_.shared) {
        journal::SharedJournal::Options options = *spec_.shared;
        options.on_commit = [this](Index committed, Epoch epoch) {
            if (alive() && spec_.prompt) spec_.prompt(spec_.name, committed, epoch);
        };
        open(journal::SharedJournal::opener(
            runtime_, log_, std::move(options),
            [this](journal::SharedJournal& made) { shared_ = &made; }));
        return;
    }
    node_opening_ =
        replicated::Node::open(runtime_, log_, *spec_.node, raft::make_core,
                               [this](Result<std::unique_ptr<replicated::Node>> opened) {
                                   if (!opened) {
                                       error_ = opened.error();
                                       return;
                                   }
                                   node_ = *std::move(opened);
                                   node_->on_failed([this](const Error& error) { error_ = error; });
                                   open(node_->journal(spec_.group));
                               });
}

JournalMember::~JournalMember() {
    opening_.reset();
    replica_.reset();
}

bool JournalMember::alive() const { return static_cast<sim::SimRuntime&>(runtime_).alive(); }

void JournalMember::open(const journal::Open& journal) {
    opening_ = replica::Replica::open(
        runtime_, log_, spec_.replica, tapped(journal), machine_,
        [this](Result<std::unique_ptr<replica::Replica>> opened) {
            if (!opened) {
                error_ = opened.error();
                return;
            }
            replica_ = *std::move(opened);
            replica_->on_failed([this](const Error& error) { error_ = error; });
        });
}

journal::Open JournalMember::tapped(journal::Open journal) {
    return
        [this, journal = std::move(journal)](journal::Observer& observer, journal::Opened opened) {
            to_ = &observer;
            return journal(*this, std::move(opened));
        };
}

void JournalMember::prompted(Index committed, Epoch epoch) {
    if (replica_ && shared_ != nullptr && !error_) shared_->prompt(committed, epoch);
}

Result<void> JournalMember::restore(const journal::StateSlice& slice) {
    auto taken = to_->restore(slice);
    if (!taken && alive()) {
        oracle_.broken(fmt::format("J8: {} cannot restore the state after {}: {}", who_,
                                   slice.at.value, to_string(taken.error())));
    }
    return taken;
}

void JournalMember::committed(const journal::Entry& entry) {
    if (alive()) oracle_.committed(who_, entry);
    to_->committed(entry);
    if (replica_ && alive() && entry.index.value % state_every == 0) {
        oracle_.state(who_, entry.index, replica_->hash());
    }
}

void JournalMember::standing_changed(const journal::Standing& standing) {
    if (alive()) {
        oracle_.standing(who_, standing.role == Role::active, standing.epoch);
        if (standing.role == Role::active && spec_.became_active) spec_.became_active();
    }
    to_->standing_changed(standing);
}

}  // namespace understudy::swarm
