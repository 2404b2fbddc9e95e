#include "replicated/node/node.h"

#include <utility>

#include "replicated/node/node_core.h"

namespace understudy::replicated {

std::unique_ptr<journal::Opening> Node::open(Runtime& runtime, Log& log, Options options,
                                             consensus::MakeCore make_core, Opened opened) {
    /// Owns the node until the caller does.
    struct Handle final : journal::Opening {
        explicit Handle(std::shared_ptr<std::unique_ptr<NodeCore>> owned)
            : node(std::move(owned)) {}
        const std::shared_ptr<std::unique_ptr<NodeCore>> node;
    };
    auto node = std::make_shared<std::unique_ptr<NodeCore>>(
        std::make_unique<NodeCore>(runtime, log, std::move(options), make_core));
    (*node)->start(
        [&runtime, weak = std::weak_ptr(node), opened = std::move(opened)](Result<void> started) {
            const auto handle = weak.lock();
            if (!handle) return;
            if (started) return opened(std::unique_ptr<Node>(std::move(*handle)));
            // This callback is called by a part of the node, so the node is destroyed in a later
            // turn.
            runtime.post([handle] { handle->reset(); });
            opened(std::move(started).error());
        });
    return std::make_unique<Handle>(std::move(node));
}

journal::Open Node::journal(GroupOptions options) {
    return
        [this, options = std::move(options)](journal::Observer& observer, journal::Opened opened) {
            return open_journal(options, observer, std::move(opened));
        };
}

}  // namespace understudy::replicated
