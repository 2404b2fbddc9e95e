#include "registry/state/election.h"

#include "registry/state/balanced_election.h"
#include "registry/state/journal_election.h"
#include "registry/state/registry_election.h"

namespace understudy::registry {

std::unique_ptr<Election> Election::of(Redundancy redundancy) {
    switch (redundancy) {
        case Redundancy::journaled:
            return std::make_unique<JournalElection>();
        case Redundancy::load_balanced:
            return std::make_unique<BalancedElection>();
        case Redundancy::fault_tolerant:
            break;
    }
    return std::make_unique<RegistryElection>();
}

Waiting waiting_of(const Service& service) {
    if (service.active.value != 0 || service.line.empty()) return {};
    return service.election().waiting(service);
}

}  // namespace understudy::registry
