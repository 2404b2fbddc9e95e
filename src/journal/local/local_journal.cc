#include "journal/local/local_journal.h"

#include <utility>

#include "journal/local/local_checkpoint.h"
#include "journal/local/local_journal_core.h"
#include "journal/local/local_journal_start.h"

namespace understudy::journal {

std::unique_ptr<Opening> LocalJournal::open(Runtime& runtime, Log& log, Options options,
                                            Observer& observer, Opened opened) {
    class Handle final : public Opening {
    public:
        explicit Handle(std::shared_ptr<Start> start) : start_(std::move(start)) {}
        Handle(const Handle&) = delete;
        Handle& operator=(const Handle&) = delete;
        ~Handle() override { start_->give_up(); }

    private:
        const std::shared_ptr<Start> start_;
    };
    auto start =
        std::make_shared<Start>(runtime, log, std::move(options), observer, std::move(opened));
    start->begin();
    return std::make_unique<Handle>(std::move(start));
}

LocalJournal::LocalJournal(std::shared_ptr<Core> core) : core_(std::move(core)) {}

LocalJournal::~LocalJournal() { core_->detach(); }

void LocalJournal::append(std::vector<Draft> drafts, Urgency urgency, Appended done) {
    core_->append(std::move(drafts), urgency, std::move(done));
}

Result<void> LocalJournal::admit(std::uint64_t bytes, Urgency urgency) {
    return core_->admit(bytes, urgency);
}

void LocalJournal::append_admitted(std::vector<Draft> drafts, Appended done) {
    core_->append_admitted(std::move(drafts), std::move(done));
}

Error LocalJournal::no_space() const { return core_->no_space(); }

void LocalJournal::look() { core_->look_if_due(); }

void LocalJournal::keep_from(std::uint64_t generation) { core_->keep_from(generation); }
std::vector<std::uint64_t> LocalJournal::segments() const { return core_->segments(); }

void LocalJournal::confirm(Done done) { core_->confirm(std::move(done)); }

Result<std::unique_ptr<CheckpointWriter>> LocalJournal::begin_checkpoint() {
    auto file = US_TRY(core_->begin_checkpoint());
    return std::unique_ptr<CheckpointWriter>(
        std::make_unique<Checkpointing>(core_, core_->committed(), std::move(file)));
}

void LocalJournal::close(std::function<void()> done) { core_->close(std::move(done)); }

const Standing& LocalJournal::standing() const { return core_->standing(); }
Index LocalJournal::committed() const { return core_->committed(); }
Index LocalJournal::checkpoint() const { return core_->checkpoint(); }
Space LocalJournal::space() const { return core_->space(); }

}  // namespace understudy::journal
