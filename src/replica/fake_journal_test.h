#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/journal.h"

namespace understudy::replica {

/// A journal in which everything happens when the test says so.
class FakeJournal final : public journal::Journal {
public:
    struct Append {
        std::vector<journal::Draft> drafts;
        journal::Urgency urgency;
        Appended done;
    };
    struct Writer;
    /// The test's view of the journal, which outlives the journal.
    struct World {
        journal::Observer* observer = nullptr;
        journal::Standing standing;
        Index committed;
        Index checkpoint;
        journal::Space space = journal::Space::ok;
        std::deque<Append> appends;
        std::deque<Done> confirms;
        std::vector<journal::EntryType> types;
        std::vector<Buffer> bodies;  ///< Of all committed entries.
        Buffer checkpoint_bytes;
        std::deque<Done> writes;     ///< Including the finish.
        bool writing = false;
        std::optional<Error> refuse_checkpoint;
        bool hold_writes = false;
        std::function<void()> closed;
        bool alive = true;

        void stand(Role role, std::uint64_t epoch, std::string active) {
            standing = {.role = role, .epoch = {epoch}, .active = std::move(active)};
            observer->standing_changed(standing);
        }
        /// Commits the next entry, whichever member appended it.
        void commit(journal::EntryType type, Buffer body) {
            committed = committed.next();
            types.push_back(type);
            bodies.push_back(std::move(body));
            observer->committed({.index = committed,
                                 .epoch = standing.epoch,
                                 .type = type,
                                 .body = bodies.back()});
        }
        void commit_next() {
            Append append = std::move(appends.front());
            appends.pop_front();
            for (journal::Draft& draft : append.drafts) commit(draft.type, std::move(draft.body));
            append.done(committed);
        }
        void commit_all() {
            while (!appends.empty()) commit_next();
        }
        void fail_next(Error error) {
            Append append = std::move(appends.front());
            appends.pop_front();
            append.done(std::move(error));
        }
        void confirm_next(Result<void> result = {}) {
            const Done done = std::move(confirms.front());
            confirms.pop_front();
            done(std::move(result));
        }
        void write_next(Result<void> result = {}) {
            const Done done = std::move(writes.front());
            writes.pop_front();
            done(std::move(result));
        }
    };

    explicit FakeJournal(World& world) : world_(world) {}
    ~FakeJournal() override { world_.alive = false; }

    /// Opens at once, with what the test has prepared in `prepare`.
    static journal::Open open(World& world, std::function<void()> prepare = {}) {
        return [&world, prepare = std::move(prepare)](journal::Observer& observer,
                                                      journal::Opened opened) {
            world.observer = &observer;
            if (prepare) prepare();
            opened(std::unique_ptr<journal::Journal>(std::make_unique<FakeJournal>(world)));
            return std::make_unique<journal::Opening>();
        };
    }

    void append(std::vector<journal::Draft> drafts, journal::Urgency urgency,
                Appended done) override {
        world_.appends.push_back(
            {.drafts = std::move(drafts), .urgency = urgency, .done = std::move(done)});
    }
    void confirm(Done done) override { world_.confirms.push_back(std::move(done)); }
    Result<std::unique_ptr<journal::CheckpointWriter>> begin_checkpoint() override;
    void close(std::function<void()> done) override { world_.closed = std::move(done); }
    const journal::Standing& standing() const override { return world_.standing; }
    Index committed() const override { return world_.committed; }
    Index checkpoint() const override { return world_.checkpoint; }
    journal::Space space() const override { return world_.space; }

private:
    World& world_;
};

struct FakeJournal::Writer final : journal::CheckpointWriter {
    explicit Writer(World& its_world) : world(its_world), index(its_world.committed) {
        world.writing = true;
        world.checkpoint_bytes.clear();
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() override {
        world.writing = false;
        world.writes.clear();
    }
    Index at() const override { return index; }
    void write(Buffer slice, Done done) override {
        US_ASSERT(slice.size() <= slice_bytes_max);
        world.checkpoint_bytes.insert(world.checkpoint_bytes.end(), slice.begin(), slice.end());
        world.writes.push_back(std::move(done));
    }
    void finish(Done done) override {
        world.writes.push_back([this, done = std::move(done)](Result<void> result) {
            if (result) world.checkpoint = index;
            done(std::move(result));
        });
    }

    World& world;
    const Index index;
};

inline Result<std::unique_ptr<journal::CheckpointWriter>> FakeJournal::begin_checkpoint() {
    if (world_.refuse_checkpoint) return *world_.refuse_checkpoint;
    return std::unique_ptr<journal::CheckpointWriter>(std::make_unique<Writer>(world_));
}

}  // namespace understudy::replica
