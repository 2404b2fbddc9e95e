#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "understudy/result.h"

namespace understudy::history {

/// The state of an operation in a line.
enum class Type : std::uint8_t {
    invoke,  ///< It begins.
    ok,      ///< It was done; or, without an invoke before it, something was observed.
    fail,    ///< It was certainly not done.
    info,    ///< It may have been done, now or later. Its process is not used again.
};

/// One line of a history.
struct Event {
    std::uint64_t index = 0;   ///< Its number, from 0 without gaps.
    std::int64_t time = 0;     ///< Nanoseconds of the harness's monotonic clock.
    std::int64_t process = 0;  ///< A client of the harness; -1 if `witness` names the source.
    std::string witness = {};  ///< "nemesis", "node:n1": evidence, without influence on the order.
    Type type = Type::invoke;
    std::string f = {};    ///< The verb.
    std::string key = {};  ///< The object: a register, a service, a journal.
    boost::json::value value = nullptr;
    std::uint64_t epoch = 0;  ///< Of the active member that answered; 0 if it is not given.
    std::uint64_t rev = 0;    ///< Revision, or index in the journal; 0 if there is none.
    std::string node = {};
    std::string opid = {};
    std::string error = {};
};

/// What clients and witnesses of one run saw, in the order in which the harness recorded it.
struct History {
    boost::json::object header;
    std::vector<Event> events;
    std::optional<boost::json::object> end;  ///< Empty if the run did not reach its end.
};

/// Longer lines are refused.
inline constexpr std::size_t line_bytes_max = std::size_t{16} << 20;

/// Reads a history.
///
/// Errors: corrupt, with the number of the line.
/// Source: docs/formats/history.md
[[nodiscard]] Result<History> read_history(std::istream& in);

/// The line for `event`, without the line end.
[[nodiscard]] std::string to_line(const Event& event);

/// Writes a history line by line and flushes each, because a lost acknowledgement would look like
/// an entry that no client has sent.
class Writer {
public:
    /// `out` must outlive the writer. The keys that the format requires are added to `header`.
    Writer(std::ostream& out, boost::json::object header);

    /// Appends `event`, assigns its index and returns it.
    std::uint64_t write(Event event);
    /// The last line. `final` has the harness's counts, by key.
    void end(bool drained, boost::json::object final = {});

private:
    std::ostream& out_;
    std::uint64_t next_ = 0;
};

[[nodiscard]] std::string_view name(Type type);

}  // namespace understudy::history
