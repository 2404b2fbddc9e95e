#include "journal/shared/shared_journal.h"

#include <utility>

#include <fmt/format.h>

#include "journal/shared/shared_checkpoint.h"
#include "journal/shared/shared_journal_core.h"

namespace understudy::journal {

namespace {

Result<void> check_options(const SharedJournal::Options& options) {
    const auto bad = [](std::string why) -> Result<void> {
        return Error{.code = Errc::bad_config, .detail = "journal: " + std::move(why)};
    };
    if (options.directory.empty()) return bad("no directory");
    if (options.member.size() > member_bytes_max) {
        return bad(fmt::format("a member's name of {} bytes, {} at most", options.member.size(),
                               member_bytes_max));
    }
    const std::uint64_t size = options.segment_size_bytes;
    if (size < segment_bytes_min || size > segment_bytes_max || size % segment_bytes_step != 0) {
        return bad(fmt::format("segments of {} bytes; expected {} to {} in steps of {}", size,
                               segment_bytes_min, segment_bytes_max, segment_bytes_step));
    }
    if (options.lease <= Duration{} || options.poll_interval <= Duration{}) {
        return bad("lease and poll interval must be longer than nothing");
    }
    return {};
}

}  // namespace

std::unique_ptr<Opening> SharedJournal::open(Runtime& runtime, Log& log, Options options,
                                             Observer& observer, SharedOpened opened) {
    class Handle final : public Opening {
    public:
        explicit Handle(std::shared_ptr<Core> core) : core_(std::move(core)) {}
        Handle(const Handle&) = delete;
        Handle& operator=(const Handle&) = delete;
        ~Handle() override { core_->give_up(); }

    private:
        const std::shared_ptr<Core> core_;
    };
    const auto checked = check_options(options);
    auto core = std::make_shared<Core>(runtime, log, std::move(options), observer);
    if (checked) {
        core->begin(std::move(opened));
    } else {
        core->refuse_opening(checked.error(), std::move(opened));
    }
    return std::make_unique<Handle>(std::move(core));
}

Open SharedJournal::opener(Runtime& runtime, Log& log, Options options,
                           std::function<void(SharedJournal&)> made) {
    return [&runtime, &log, options = std::move(options), made = std::move(made)](
               Observer& observer, Opened opened) {
        return open(
            runtime, log, options, observer,
            [made, opened = std::move(opened)](Result<std::unique_ptr<SharedJournal>> result) {
                if (!result) return opened(std::move(result).error());
                if (made) made(**result);
                opened(std::unique_ptr<Journal>(*std::move(result)));
            });
    };
}

SharedJournal::SharedJournal(std::shared_ptr<Core> core) : core_(std::move(core)) {}

SharedJournal::~SharedJournal() { core_->detach(); }

void SharedJournal::prompt(Index committed, Epoch epoch) { core_->prompt(committed, epoch); }

void SharedJournal::suspect() { core_->suspect(); }

SharedJournal::Ear SharedJournal::ear() const { return Ear(core_); }

void SharedJournal::Ear::prompt(Index committed, Epoch epoch) const {
    if (const auto core = core_.lock()) core->prompt(committed, epoch);
}

void SharedJournal::Ear::suspect() const {
    if (const auto core = core_.lock()) core->suspect();
}

void SharedJournal::Ear::take_over(Epoch at_least, Taken done) const {
    const auto core = core_.lock();
    if (core && !core->detached()) return core->take_over(at_least, std::move(done));
    done(Error{.code = Errc::closed, .detail = "the journal is not open"});
}

void SharedJournal::take_over(Epoch at_least, Taken done) {
    core_->take_over(at_least, std::move(done));
}

void SharedJournal::step_down(Done done) { core_->step_down(std::move(done)); }

void SharedJournal::append(std::vector<Draft> drafts, Urgency urgency, Appended done) {
    core_->append(std::move(drafts), urgency, std::move(done));
}

void SharedJournal::confirm(Done done) { core_->confirm(std::move(done)); }

Result<std::unique_ptr<CheckpointWriter>> SharedJournal::begin_checkpoint() {
    const Index at = core_->committed();
    auto target = US_TRY(core_->begin_checkpoint());
    return std::unique_ptr<CheckpointWriter>(
        std::make_unique<Checkpointing>(core_, at, std::move(target)));
}

void SharedJournal::close(std::function<void()> done) { core_->close(std::move(done)); }

const Standing& SharedJournal::standing() const { return core_->standing(); }
Index SharedJournal::committed() const { return core_->committed(); }
Index SharedJournal::checkpoint() const { return core_->checkpoint(); }
Space SharedJournal::space() const { return core_->space(); }

}  // namespace understudy::journal
