#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace understudy {

/// The order in which things happen at the end of a loop turn.
enum class TurnPhase : std::uint8_t {
    commands,  ///< Commands that came in this turn are packed into entries.
    log,       ///< What groups have written becomes entries of their node's log.
    journal,   ///< Entries are given to the disk, in one flush.
    messages,  ///< Messages and answers are made of what happened.
    links,     ///< Links give their messages to their connections, in one frame.
    output,    ///< Connections give their bytes to the kernel.
    blocking,  ///< A worker that has one job runs it on the loop. Once, after all others.
};

/// One intrusive list, or one element of it.
class TurnLink {
public:
    TurnLink() = default;
    TurnLink(const TurnLink&) = delete;
    TurnLink& operator=(const TurnLink&) = delete;

protected:
    ~TurnLink() { unlink(); }

    [[nodiscard]] bool alone() const { return next_ == this; }
    void unlink() {
        next_->previous_ = previous_;
        previous_->next_ = next_;
        next_ = previous_ = this;
    }
    /// To the end of `list`.
    void link(TurnLink& list) {
        next_ = &list;
        previous_ = list.previous_;
        previous_->next_ = this;
        list.previous_ = this;
    }

private:
    friend class TurnEnds;
    TurnLink* next_ = this;
    TurnLink* previous_ = this;
};

class TurnEnd;

/// All that is marked for the end of the present turn of one loop. Part of every Runtime.
///
/// The phases run in their order, and what is marked for one phase runs in the order of marking.
/// What a phase marks for a later one runs in the same round. What it marks for itself or for an
/// earlier one runs in another round of the same turn. There are at most rounds_max rounds. After
/// them runs what blocks, and after that come up to rounds_max rounds for its consequences, so that
/// replies leave in the same turn. What is still marked then waits for the end of the next turn, so
/// that input and timers are served.
///
/// Thread: loop only.
class TurnEnds {
public:
    static constexpr int rounds_max = 4;

    /// `wanted` is called when something is marked and run() is not due yet. It has run() called
    /// after everything that is ready now, never within its call.
    explicit TurnEnds(std::function<void()> wanted) : wanted_(std::move(wanted)) {}
    ~TurnEnds() { clear(); }
    TurnEnds(const TurnEnds&) = delete;
    TurnEnds& operator=(const TurnEnds&) = delete;

    /// For a Runtime: runs what is marked. Each task is given to `around`, which calls it.
    template <class Around>
    void run(Around&& around);
    void run() {
        run([](const std::function<void()>& task) { task(); });
    }
    /// For a Runtime: takes all marks away.
    void clear();

private:
    friend class TurnEnd;
    class List final : public TurnLink {};

    [[nodiscard]] bool quiet() const {
        for (const List& list : marked_) {
            if (!list.alone()) return false;
        }
        return true;
    }
    void add(TurnEnd& what);
    void want() {
        if (!std::exchange(due_, true)) wanted_();
    }
    template <class Around>
    void run_rounds(Around& around);
    template <class Around>
    void run_list(List& list, Around& around);
    template <class Around>
    static void run_one(TurnEnd& what, Around& around);

    const std::function<void()> wanted_;
    std::array<List, static_cast<std::size_t>(TurnPhase::blocking)> marked_;
    List blocking_;
    List running_;
    bool due_ = false;  // run() will be called.
};

/// Something that is done at the end of a loop turn: once, however often it was marked in the turn.
///
/// A turn is what is ready when the loop looks. What belongs in one write, one entry or one flush
/// is gathered during the turn and leaves at its end. A class that gathers has a TurnEnd as a
/// member, so that one list decides the order of all of them. To mark it costs no allocation.
///
/// Once it is destroyed, its task is not called any more. The task may destroy it.
///
/// Requires: the runtime lives when it is marked.
/// Thread: loop only; the constructor any.
class TurnEnd final : private TurnLink {
public:
    using Task = std::function<void()>;

    TurnEnd(TurnEnds& ends, TurnPhase phase, Task task)
        : ends_(ends), phase_(phase), task_(std::move(task)) {}
    ~TurnEnd() {
        if (destroyed_ != nullptr) *destroyed_ = true;
    }
    TurnEnd(const TurnEnd&) = delete;
    TurnEnd& operator=(const TurnEnd&) = delete;

    void mark() {
        if (!marked()) ends_.add(*this);
    }
    void unmark() { unlink(); }
    /// It is marked, and its task has not begun since.
    [[nodiscard]] bool marked() const { return !alone(); }

private:
    friend class TurnEnds;

    TurnEnds& ends_;
    const TurnPhase phase_;
    Task task_;
    bool* destroyed_ = nullptr;  // While the task runs: is set when this is destroyed.
};

inline void TurnEnds::add(TurnEnd& what) {
    what.link(what.phase_ == TurnPhase::blocking ? blocking_
                                                 : marked_[static_cast<std::size_t>(what.phase_)]);
    want();
}

inline void TurnEnds::clear() {
    const auto clear_list = [](List& list) {
        while (!list.alone()) list.next_->unlink();
    };
    for (List& list : marked_) clear_list(list);
    clear_list(blocking_);
    clear_list(running_);
}

template <class Around>
void TurnEnds::run(Around&& around) {
    run_rounds(around);
    if (!blocking_.alone()) {
        run_list(blocking_, around);
        run_rounds(around);
    }
    due_ = false;
    if (!quiet() || !blocking_.alone()) want();
}

template <class Around>
void TurnEnds::run_rounds(Around& around) {
    for (int round = 0; round < rounds_max && !quiet(); ++round) {
        for (List& list : marked_) run_list(list, around);
    }
}

template <class Around>
void TurnEnds::run_list(List& list, Around& around) {
    if (list.alone()) return;
    running_.link(list);
    list.unlink();  // Its elements stay in a ring with running_.
    while (!running_.alone()) run_one(static_cast<TurnEnd&>(*running_.next_), around);
}

template <class Around>
void TurnEnds::run_one(TurnEnd& what, Around& around) {
    what.unlink();
    bool destroyed = false;
    what.destroyed_ = &destroyed;
    TurnEnd::Task task = std::move(what.task_);
    around(std::as_const(task));
    if (destroyed) return;
    what.destroyed_ = nullptr;
    what.task_ = std::move(task);
}

}  // namespace understudy
