#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "consensus/core.h"
#include "journal/journal.h"
#include "replicated/node/node.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// The replicated nodes of one process, each with its log and its port. There is one node for each
/// directory, and all copies that name the directory use it. A node is opened for its first user
/// and closed after its last one.
///
/// The destructor ends the nodes that are still open at once.
/// Thread: loop only.
class ProcessNodes {
public:
    using Opened = std::function<void(Result<replicated::Node*>)>;

    /// The log outlives this object: a node may outlive the user for which it was opened.
    explicit ProcessNodes(Log& log) : log_(log) {}
    ~ProcessNodes();
    ProcessNodes(const ProcessNodes&) = delete;
    ProcessNodes& operator=(const ProcessNodes&) = delete;

    /// Adds a user of the node in `options.directory`. `opened` is called once, never within this
    /// call, unless the returned opening is destroyed before. The user calls leave() in any case.
    /// Errors: bad_config (none): the node is open here with another name, port or list of peers;
    ///         those of replicated::Node::open().
    [[nodiscard]] std::unique_ptr<journal::Opening> enter(Runtime& runtime,
                                                          replicated::Node::Options options,
                                                          consensus::MakeCore make_core,
                                                          Opened opened);
    /// Removes a user. For the last user `done` is called when the node has ended; otherwise it is
    /// called at once, within this call.
    void leave(const std::string& directory, std::function<void()> done);

private:
    class Waiting;
    struct Entry {
        Runtime& runtime;
        const replicated::Node::Options options;
        const consensus::MakeCore make_core;
        std::size_t users = 0;
        bool closing = false;              ///< A user that enters now waits until it is open again.
        std::optional<Error> failed = {};  ///< It could not be opened.
        std::unique_ptr<journal::Opening> opening;
        std::unique_ptr<replicated::Node> node;  ///< Null while it is being opened.
        std::vector<Waiting*> waiting;
    };

    void open(Entry& entry);
    void closed(const std::string& directory);
    void answer(const std::string& directory, const Result<replicated::Node*>& result);

    Log& log_;
    std::map<std::string, std::unique_ptr<Entry>> entries_;  ///< By directory.
    Lifetime life_;
};

}  // namespace understudy::hosting
