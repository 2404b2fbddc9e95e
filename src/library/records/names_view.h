#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "library/threads/callbacks.h"
#include "record/messages.h"

namespace understudy::library {

/// The names that a service has, of records or of calls, as told by its active member.
///
/// A listener hears what there is, then what is added and removed; a new member's listing is
/// compared with the last one's, so that only differences are told. Names that come and go while a
/// listener is slow are not told.
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
    /// As add(), but called with all names there are.
    void add_whole(std::function<void(const Names& names)> listener);
    void close();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace understudy::library
