#include "hosting/process_nodes.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/errors.h"

namespace understudy::hosting {

namespace {

[[nodiscard]] bool same_node(const replicated::Node::Options& one,
                             const replicated::Node::Options& other) {
    const auto same_peer = [](const auto& a, const auto& b) {
        return a.name == b.name && a.address == b.address;
    };
    return one.name == other.name && one.listen == other.listen && one.family == other.family &&
           std::equal(one.peers.begin(), one.peers.end(), other.peers.begin(), other.peers.end(),
                      same_peer);
}

}  // namespace

/// One user that waits for the node.
class ProcessNodes::Waiting final : public journal::Opening {
public:
    Waiting(ProcessNodes& nodes, std::string directory, Opened opened)
        : nodes_(nodes), directory_(std::move(directory)), opened_(std::move(opened)) {}
    ~Waiting() override {
        const auto found = nodes_.entries_.find(directory_);
        if (opened_ && found != nodes_.entries_.end()) std::erase(found->second->waiting, this);
    }

    /// May destroy this.
    void tell(Result<replicated::Node*> result) {
        const Opened opened = std::exchange(opened_, nullptr);
        opened(std::move(result));
    }
    void tell_later(Runtime& runtime, Result<replicated::Node*> result) {
        timer_ = runtime.at(runtime.now(), [this, result = std::move(result)] { tell(result); });
    }

private:
    ProcessNodes& nodes_;
    const std::string directory_;
    Opened opened_;
    std::unique_ptr<Timer> timer_;
};

ProcessNodes::~ProcessNodes() { life_.end(); }

std::unique_ptr<journal::Opening> ProcessNodes::enter(Runtime& runtime,
                                                      replicated::Node::Options options,
                                                      consensus::MakeCore make_core,
                                                      Opened opened) {
    const std::string directory = options.directory;
    auto waiting = std::make_unique<Waiting>(*this, directory, std::move(opened));
    std::unique_ptr<Entry>& entry = entries_[directory];
    if (entry != nullptr && !same_node(entry->options, options)) {
        waiting->tell_later(runtime,
                            bad_config(fmt::format("{} is open in this process as node {}, with "
                                                   "another name, address or list of nodes",
                                                   directory, entry->options.name)));
    } else if (entry != nullptr && entry->failed) {
        waiting->tell_later(runtime, *entry->failed);
    } else if (entry != nullptr && entry->node != nullptr && !entry->closing) {
        waiting->tell_later(runtime, entry->node.get());
    } else if (entry != nullptr) {
        entry->waiting.push_back(waiting.get());
    } else {
        entry = std::make_unique<Entry>(Entry{.runtime = runtime,
                                              .options = std::move(options),
                                              .make_core = std::move(make_core),
                                              .failed = {},
                                              .opening = nullptr,
                                              .node = nullptr,
                                              .waiting = {waiting.get()}});
        open(*entry);
    }
    ++entry->users;
    return waiting;
}

void ProcessNodes::open(Entry& entry) {
    entry.opening =
        replicated::Node::open(entry.runtime, log_, entry.options, entry.make_core,
                               [this, &entry](Result<std::unique_ptr<replicated::Node>> result) {
                                   const std::string directory = entry.options.directory;
                                   if (!result) {
                                       entry.failed = result.error();
                                       return answer(directory, *std::as_const(entry.failed));
                                   }
                                   entry.node = *std::move(result);
                                   answer(directory, entry.node.get());
                               });
}

/// Each call may end other users, and destroy all of this.
void ProcessNodes::answer(const std::string& directory, const Result<replicated::Node*>& result) {
    const Lifetime::Watch here = life_.watch();
    while (!here.ended()) {
        const auto found = entries_.find(directory);
        if (found == entries_.end() || found->second->waiting.empty()) return;
        Waiting* const next = found->second->waiting.front();
        found->second->waiting.erase(found->second->waiting.begin());
        next->tell(result);
    }
}

void ProcessNodes::leave(const std::string& directory, std::function<void()> done) {
    const auto found = entries_.find(directory);
    US_ASSERT(found != entries_.end() && found->second->users > 0);
    Entry& entry = *found->second;
    if (--entry.users > 0) return done();
    if (entry.node == nullptr) {
        entries_.erase(found);
        return done();
    }
    entry.closing = true;
    entry.node->close([this, directory, here = life_.watch(), done = std::move(done), &entry] {
        if (here.ended()) return done();
        // Nothing of the node may be on the stack when it is destroyed.
        entry.runtime.post([this, directory, here, done] {
            if (!here.ended()) closed(directory);
            done();
        });
    });
}

void ProcessNodes::closed(const std::string& directory) {
    Entry& entry = *entries_.at(directory);
    entry.opening.reset();
    entry.node.reset();
    entry.closing = false;
    if (entry.users == 0) {
        entries_.erase(directory);
    } else {
        open(entry);
    }
}

}  // namespace understudy::hosting
