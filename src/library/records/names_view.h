#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "library/threads/callbacks.h"
#include "record/messages.h"

namespace understudy::library {

/// The names of a service's records or calls, as its active member reports them.
///
/// A listener gets the present names, then those that were added and removed. The list of a new
/// active member is compared with the last one, so that only differences are reported. Names that
/// come and go while a listener is slow are not reported.
///
/// Bounds: the names of one member, twice.
/// Thread: took() the loop, add() and close() any.
class NamesView {
public:
    using Names = std::vector<std::string>;
    using Listener = std::function<void(const Names& added, const Names& removed)>;

    NamesView(std::shared_ptr<Callbacks> callbacks, std::string_view what);

    void took(const record::Names& names);
    void add(Listener listener);
    /// As add(), but the listener is called with all names.
    void add_whole(std::function<void(const Names& names)> listener);
    void close();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace understudy::library
