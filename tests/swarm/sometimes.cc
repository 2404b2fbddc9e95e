#include "tests/swarm/sometimes.h"

#include <algorithm>
#include <utility>

namespace understudy::swarm {

namespace {

/// The event that a line of the log stands for.
constexpr std::pair<std::string_view, std::string_view> rare_events[] = {
    {"journal.tail.cut", "torn end cut"},
    {"journal.checkpoint.damaged", "damaged checkpoint passed over"},
    {"journal.reserve.failed", "no room for the next segment"},
    {"journal.read.failed", "a standby could not read the journal"},
    {"journal.claim", "epoch claimed"},
    {"journal.superseded", "active superseded while it wrote"},
    {"journal.takeover.failed", "takeover given up"},
    {"replica.checkpoint.failed", "checkpoint failed"},
    {"replicated.checkpoint_installed", "checkpoint shipped"},
    {"replicated.checkpoint_lost", "checkpoint asked for in vain"},
    {"replicated.restarted", "consensus begun anew from the disk"},
    {"replicated.joins_late", "founder with another disk let in"},
    {"replicated.lead_lost", "lead lost"},
    {"replicated.leader_gone", "leader proven gone"},
    {"replicated.member_replaced", "disk replaced by an empty one"},
    {"replicated.node_failed", "node stopped by its disk"},
    {"node_log.cleaning.failed", "entries could not be written again"},
    {"registry.handing_on", "registry handed on"},
    {"registry.journal_failed", "registry stopped by its disk"},
    {"registry.process_gone", "process proven dead"},
    {"registry.tenure_ended", "registry lost the lead"},
    {"member.refused", "member refused"},
};

}  // namespace

void Sometimes::listen(sim::World& world) {
    world.on_log([this](const sim::Process& from, std::string_view event, const std::string&) {
        heard(from, event);
    });
}

void Sometimes::happened(std::string_view what, std::uint64_t times) {
    if (times > 0) counts_[std::string(what)] += times;
}

void Sometimes::heard(const sim::Process& from, std::string_view event) {
    const auto* const found = std::find_if(std::begin(rare_events), std::end(rare_events),
                                           [&](const auto& rare) { return rare.first == event; });
    if (found != std::end(rare_events)) happened(found->second);
    // A member that claims, or leads, is taking over until it serves.
    if (event == "journal.claim" || event == "replicated.leads") {
        if (claims_ != nullptr && claims_ != &from) happened("takeover during takeover");
        claims_ = &from;
    } else if (event == "journal.takeover.failed" || event == "registry.serving") {
        serves(from);
    }
}

void Sometimes::serves(const sim::Process& member) {
    if (claims_ == &member) claims_ = nullptr;
}

// Each happens about once in ten runs, or more often.
const std::vector<std::string_view>& must_happen(Scene scene) {
    static const std::vector<std::string_view> platform = {
        "process proven dead",
        "registry stopped by its disk",
    };
    static const std::vector<std::string_view> nodes = {
        "damage told",
        "disk rotten somewhere",
        "durable entry rotten",
        "founder with another disk let in",
        "lead lost",
        "leader proven gone",
        "process proven dead",
        "registry lost the lead",
        "registry stopped by its disk",
        "rotten disk replaced",
    };
    static const std::vector<std::string_view> shared = {
        "a standby could not read the journal",
        "active superseded while it wrote",
        "checkpoint failed",
        "epoch claimed",
        "no room for the next segment",
        "outcome asked: abandoned",
        "outcome asked: carried out",
        "request answered twice",
        "takeover during takeover",
        "takeover given up",
    };
    static const std::vector<std::string_view> replicated = {
        "checkpoint shipped",
        "damage told",
        "disk replaced by an empty one",
        "disk rotten somewhere",
        "durable entry rotten",
        "founder with another disk let in",
        "lead lost",
        "leader proven gone",
        "member added under faults",
        "member removed under faults",
        "node stopped by its disk",
        "outcome asked: abandoned",
        "outcome asked: carried out",
        "removed member began anew",
        "request answered twice",
        "rotten disk replaced",
        "takeover during takeover",
        "torn end cut",
    };
    switch (scene) {
        case Scene::platform:
            return platform;
        case Scene::nodes:
            return nodes;
        case Scene::shared:
            return shared;
        case Scene::replicated:
            return replicated;
    }
    US_ASSERT(false);
    return platform;
}

}  // namespace understudy::swarm
