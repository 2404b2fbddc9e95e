#include "replicated/group/replicated_journal.h"

#include <utility>

namespace understudy::replicated {

ReplicatedJournal::~ReplicatedJournal() { group_->give_up(); }

void ReplicatedJournal::append(std::vector<journal::Draft> drafts, journal::Urgency urgency,
                               Appended done) {
    group_->append(std::move(drafts), urgency, std::move(done));
}
void ReplicatedJournal::confirm(Done done) { group_->confirm(std::move(done)); }
Result<std::unique_ptr<journal::CheckpointWriter>> ReplicatedJournal::begin_checkpoint() {
    return group_->begin_checkpoint();
}
void ReplicatedJournal::close(std::function<void()> done) { group_->close(std::move(done)); }

const journal::Standing& ReplicatedJournal::standing() const { return group_->standing(); }
Index ReplicatedJournal::committed() const { return group_->committed(); }
Index ReplicatedJournal::checkpoint() const { return group_->checkpoint(); }
journal::Space ReplicatedJournal::space() const { return group_->space(); }

}  // namespace understudy::replicated
