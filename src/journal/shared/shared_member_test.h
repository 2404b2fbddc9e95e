#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "journal/fakes/fake_mount_test.h"
#include "journal/fakes/fake_runtime_test.h"
#include "journal/fakes/session_test.h"
#include "journal/shared/shared_journal.h"
#include "journal/walk/walk.h"

namespace understudy::journal {

/// Records what a shared journal promised to its callers, and checks whether that holds.
///
/// It knows nothing about how the journal works. It compares acknowledgements, refusals and what
/// observers heard with each other, and with what the member finds that opens the journal last.
class SharedOracle {
public:
    void acknowledged(Index index, const std::string& body) {
        const auto [found, fresh] = acknowledged_.emplace(index, body);
        if (!fresh && found->second != body) {
            fault("two acknowledgements at index " + std::to_string(index.value));
        }
    }
    /// The effect was none, so `body` must never be seen.
    void refused(const std::string& body) { refused_.push_back(body); }
    /// All members must hear the same at one index.
    void heard(Index index, Epoch epoch, const std::string& body) {
        const auto [found, fresh] = heard_.emplace(index, std::make_pair(epoch, body));
        if (!fresh && found->second != std::make_pair(epoch, body)) {
            fault("two contents heard at index " + std::to_string(index.value));
        }
    }
    void restored(const std::map<Index, std::string>& state) {
        for (const auto& [index, body] : state) {
            const auto found = heard_.find(index);
            if (found != heard_.end() && found->second.second != body) {
                fault("another content restored at index " + std::to_string(index.value));
            }
        }
    }
    /// `history` is everything that is found in the end, from the first entry on.
    void found(const std::map<Index, std::string>& history) {
        for (const auto& [index, body] : acknowledged_) {
            const auto at = history.find(index);
            if (at == history.end() || at->second != body) {
                fault("acknowledged at " + std::to_string(index.value) +
                      " and lost: " + body.substr(0, 20));
            }
        }
        for (const auto& [index, entry] : heard_) {
            if (!history.contains(index)) {
                fault("heard at " + std::to_string(index.value) + " and lost");
            }
        }
        std::map<std::string, int> times;
        for (const auto& [index, body] : history) {
            if (!body.empty() && ++times[body] > 1) fault("twice there: " + body.substr(0, 20));
        }
        for (const std::string& body : refused_) {
            if (times.contains(body)) fault("refused and there: " + body.substr(0, 20));
        }
    }
    void fault(std::string what) { faults.push_back(std::move(what)); }

    std::vector<std::string> faults;

private:
    std::map<Index, std::string> acknowledged_;
    std::map<Index, std::pair<Epoch, std::string>> heard_;
    std::vector<std::string> refused_;
};

/// One member on a store that other members mount too.
class SharedMember {
public:
    SharedMember(FakeDisk& store, SharedOracle& oracle, std::string name, std::uint64_t seed,
                 SharedJournal::Options options = {})
        : mount(store),
          runtime(
              mount, [this] { return mount.dead(); }, seed),
          oracle_(oracle),
          name_(std::move(name)) {
        options.directory = directory;
        options.member = name_;
        options.segment_size_bytes = 64 * KiB;
        opening = SharedJournal::open(runtime, log, options, observer_,
                                      [this](Result<std::unique_ptr<SharedJournal>> result) {
                                          if (result) {
                                              journal = *std::move(result);
                                          } else {
                                              error = result.error();
                                          }
                                      });
    }
    ~SharedMember() {
        // Without close(), it ends like a process that is killed.
        mount.kill();
        journal.reset();
        opening.reset();
    }
    SharedMember(const SharedMember&) = delete;
    SharedMember& operator=(const SharedMember&) = delete;

    SharedMember& opened() {
        runtime.run_until([&] { return journal != nullptr || error.has_value(); });
        return *this;
    }
    /// nullopt if the member ended before it heard the result.
    std::optional<Result<Epoch>> take_over(Epoch at_least = {}) {
        if (!journal) return std::nullopt;
        std::optional<Result<Epoch>> outcome;
        journal->take_over(at_least, [&](Result<Epoch> result) { outcome = std::move(result); });
        runtime.run_until([&] { return outcome.has_value(); });
        return outcome;
    }
    /// Offers `count` commands of `bytes` at once. Each contains the member's name and a number of
    /// its own.
    void offer(int count = 1, std::size_t bytes = 0) {
        for (int i = 0; i < count && journal; ++i) {
            std::string body = name_ + std::to_string(++offered_) + " ";
            body.resize(std::max(body.size(), bytes), '.');
            std::vector<Draft> drafts(1);
            const Bytes raw = as_bytes(body);
            drafts[0].body.assign(raw.begin(), raw.end());
            journal->append(std::move(drafts), Urgency::ordinary,
                            [this, body = std::move(body)](const Result<Index>& result) {
                                ++answered;
                                if (result) {
                                    ++acknowledged;
                                    oracle_.acknowledged(*result, body);
                                } else {
                                    last_error = result.error();
                                    if (result.error().effect == Effect::none) {
                                        oracle_.refused(body);
                                    }
                                }
                            });
        }
    }
    /// The same, and waits for all answers. False unless all were acknowledged.
    bool append(int count = 1, std::size_t bytes = 0) {
        const int before = acknowledged;
        offer(count, bytes);
        runtime.run_until([&] { return answered == offered_; });
        return acknowledged == before + count;
    }
    bool checkpoint() {
        if (!journal) return false;
        auto begun = journal->begin_checkpoint();
        if (!begun) return false;
        auto writer = *std::move(begun);
        std::optional<Result<void>> outcome;
        const std::string state = state_text();
        const Bytes raw = as_bytes(state);
        writer->write(Buffer(raw.begin(), raw.end()), [&](const Result<void>& written) {
            if (!written) {
                outcome = written;
                return;
            }
            writer->finish([&](const Result<void>& finished) { outcome = finished; });
        });
        runtime.run_until([&] { return outcome.has_value(); });
        writer.reset();
        if (outcome && !*outcome) last_error = outcome->error();
        return outcome && *outcome;
    }
    bool close() {
        if (!journal) return false;
        bool closed = false;
        journal->close([&] { closed = true; });
        runtime.run_until([&] { return closed; });
        return closed;
    }
    /// The state of the state machine here: index to body. Marks and tenures have the body "".
    [[nodiscard]] const std::map<Index, std::string>& history() const { return observer_.state; }
    [[nodiscard]] bool active() const {
        return journal && journal->standing().role == Role::active;
    }
    [[nodiscard]] const std::vector<Standing>& standings() const { return observer_.standings; }
    [[nodiscard]] const std::vector<Error>& failures() const { return observer_.failures; }
    [[nodiscard]] std::size_t restored() const { return observer_.restored; }

    FakeMount mount;
    FakeRuntime runtime;
    NullLog log;
    std::unique_ptr<Opening> opening;
    std::unique_ptr<SharedJournal> journal;
    std::optional<Error> error;
    std::optional<Error> last_error;
    int answered = 0;
    int acknowledged = 0;

private:
    /// A state machine that remembers everything.
    class Machine final : public Observer {
    public:
        explicit Machine(SharedMember& member) : member_(member) {}

        Result<void> restore(const StateSlice& slice) override {
            if (slice.first) text_.clear();
            text_ += as_text(slice.bytes);
            if (!slice.last) return {};
            ++restored;
            state.clear();
            for (std::size_t at = 0; at < text_.size();) {
                const std::size_t colon = text_.find(':', at);
                const std::size_t comma = text_.find(',', colon);
                const std::size_t size = std::stoul(text_.substr(colon + 1, comma - colon - 1));
                state[{std::stoul(text_.substr(at, colon - at))}] = text_.substr(comma + 1, size);
                at = comma + 1 + size;
            }
            member_.oracle_.restored(state);
            return {};
        }
        void committed(const Entry& entry) override {
            const std::string body(as_text(entry.body));
            if (!state.empty() && entry.index != state.rbegin()->first.next()) {
                member_.oracle_.fault("a gap before " + std::to_string(entry.index.value));
            }
            state[entry.index] = body;
            member_.oracle_.heard(entry.index, entry.epoch, body);
        }
        void standing_changed(const Standing& standing) override { standings.push_back(standing); }
        void space_changed(Space) override {}
        void failed(const Error& reason) override { failures.push_back(reason); }

        std::map<Index, std::string> state;
        std::vector<Standing> standings;
        std::vector<Error> failures;
        std::size_t restored = 0;

    private:
        SharedMember& member_;
        std::string text_;
    };

    [[nodiscard]] std::string state_text() const {
        std::string text;
        for (const auto& [index, body] : observer_.state) {
            text += std::to_string(index.value) + ":" + std::to_string(body.size()) + "," + body;
        }
        return text;
    }

    SharedOracle& oracle_;
    const std::string name_;
    Machine observer_{*this};
    int offered_ = 0;
};

/// A verification must find no damage, whatever the members did and wherever they ended.
inline void verify_what_is_left(FakeDisk& store, SharedOracle& oracle) {
    class Unheard final : public WalkVisitor {
        void begin(const Walked&) override {}
        Result<void> entry(const Entry&, const std::string&, std::uint64_t) override { return {}; }
        void progress(std::uint64_t, std::uint64_t) override {}
    } visitor;
    const auto walked = walk(store, directory, WalkDepth::everything, visitor);
    if (!walked) return oracle.fault("cannot be verified: " + to_string(walked.error()));
    for (const Seal& seal : walked->seals) {
        if (seal.journal == walked->seals.front().journal) continue;
        oracle.fault("the seal of epoch " + std::to_string(seal.epoch.value) +
                     " is of another journal");
    }
    for (const Damage& one : walked->damages) {
        // If a power cut tore a claim before its first sync, nothing is lost.
        if (one.file.ends_with(".claim")) continue;
        oracle.fault("damaged at " + std::to_string(one.entry.value) + ", " + one.file + ": " +
                     one.why);
    }
}

/// Runs a last member. It takes over what is there and shows it to the oracle.
inline void look_at_the_end(FakeDisk& store, SharedOracle& oracle) {
    SharedMember last(store, oracle, "z", 99);
    last.opened();
    if (!last.journal) {
        oracle.fault("cannot be opened: " + (last.error ? to_string(*last.error) : "?"));
        return;
    }
    const auto taken = last.take_over();
    if (!taken || !*taken) {
        oracle.fault("cannot be taken over: " + (taken ? to_string(taken->error()) : "?"));
        return;
    }
    if (!last.append()) oracle.fault("cannot be appended to");
    oracle.found(last.history());
}

}  // namespace understudy::journal
