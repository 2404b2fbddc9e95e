#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/lifetime.h"
#include "journal/local/local_journal.h"
#include "journal/local/recovery.h"

namespace understudy::journal {

/// The opening of a local journal. It runs the steps of Recovery, one job each. In between it gives
/// the observer one slice at a time, so that a long replay does not block the loop.
class LocalJournal::Start final : public std::enable_shared_from_this<Start> {
public:
    Start(Runtime& runtime, Log& log, Options options, Observer& observer, Opened opened);

    void begin();
    void give_up() {
        over_ = true;
        life_.end();
    }

private:
    template <class T>
    void run(Result<T> (Recovery::*step)(), void (Start::*done)(T));
    void run(Result<void> (Recovery::*step)(), void (Start::*done)());

    void begun();
    void restored(std::optional<CheckpointReader::Slice> slice);
    void read(Recovery::Slice slice);
    void finished(Recovered recovered);
    void end(Error error);
    void report(const Recovered& recovered);

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    Observer& observer_;
    Opened opened_;
    std::shared_ptr<Recovery> recovery_;  ///< Used by the journal worker while a job is under way.
    bool over_ = false;
    Lifetime life_;  ///< Ends when the opening is given up.
};

}  // namespace understudy::journal
