#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "understudy/request.h"

namespace understudy::session {

/// How much a table keeps. All members must use the same figures: others are another format.
struct Limits {
    /// With one more, the session that is longest unused ends.
    std::size_t sessions_max = 16'384;
    /// Of one session. With one more, the reply of the lowest number is forgotten.
    std::size_t replies_max = 1'024;
    std::size_t bytes_max = 32 * MiB;         ///< Of all replies, each counted reply_cost() long.
    Duration idle_max = std::chrono::hours(1);       ///< A session that is not used ends.
    Duration reply_age_max = std::chrono::minutes(10);  ///< An older reply is forgotten.
};

/// What a table knows of one request.
enum class Known : std::uint8_t {
    fresh,       ///< Never carried out, and may be.
    answered,    ///< Carried out once; the reply is kept.
    abandoned,   ///< Never carried out, and never will be.
    forgotten,   ///< Below the window: it may have been carried out, and never will be again.
    no_session,  ///< The session has ended, or never was.
};

/// What a table knows, and the reply if it is kept. Valid until the table changes.
struct Finding {
    Known known = Known::fresh;
    Bytes reply = {};
};

/// The requests that were carried out, by session, and their replies. Each request is carried out
/// at most once.
///
/// A session's window holds the numbers above its *floor*. A number is carried out only if it lies
/// in the window and has no reply yet. Forgetting a reply raises the floor to its number. So a
/// forgotten request may expire, but is never carried out twice. (The floor that the client tells
/// is an idea of RIFL, SOSP 2015, section 3.)
///
/// Deterministic: times come from the entries of the journal. Equal histories give equal tables.
/// Bounds: Limits. Thread: loop only.
/// Source: docs/formats/session.md.
class Table {
public:
    explicit Table(Limits limits = {}) : limits_(limits) {}

    /// The share of Limits::bytes_max that a reply of `bytes` takes.
    [[nodiscard]] static constexpr std::size_t reply_cost(std::size_t bytes) { return bytes + 32; }

    /// A new session. Its id was never used before.
    [[nodiscard]] SessionId open(Duration time);
    /// Ends the session and forgets its replies.
    void close(SessionId session);
    /// To be called before a request is carried out. Counts as use of its session, forgets replies
    /// that the client has received, and tells what is known. After `fresh`, carry out the request
    /// and call finish().
    [[nodiscard]] Finding begin(const Request& request, Duration time);
    /// Keeps the reply. Requires: begin() has just said `fresh`.
    void finish(const Request& request, Bytes reply, Duration time);
    /// As begin(), but a fresh request is never carried out from now on.
    [[nodiscard]] Finding abandon(const Request& request, Duration time);

    /// What is known now. Does not change the table.
    [[nodiscard]] Finding find(const Request& request) const;

    [[nodiscard]] std::size_t sessions() const { return by_id_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] SessionId last_id() const { return last_id_; }
    /// Equal for equal tables.
    [[nodiscard]] std::uint64_t hash() const;
    /// Aborts if the table contradicts itself.
    void check_invariants() const;

    /// A copy of the table at the time of image(), in pieces. The table may change meanwhile.
    class Image;
    [[nodiscard]] std::unique_ptr<Image> image() const;

    /// Replaces the table by an image. Its pieces must come in order.
    /// Errors: corrupt (none).
    [[nodiscard]] Result<void> restore_piece(Bytes piece, bool first);

private:
    struct Slot {
        RequestNo number;
        Duration time;
        bool abandoned = false;
        std::string reply;
    };
    struct Session {
        SessionId id;
        Duration used;
        RequestNo floor;
        std::deque<Slot> slots;  ///< By number, all above the floor.
    };
    /// Shared with images. While an image has it too, the table changes a copy.
    using SessionPtr = std::shared_ptr<Session>;
    using Line = std::list<SessionPtr>;  ///< In order of use, longest unused first.

    void end(Line::iterator session);
    [[nodiscard]] Session* use(SessionId id, Duration time);
    [[nodiscard]] static Finding find(const Session& session, RequestNo number);
    void insert(Session& session, Slot slot);
    void forget_first(Session& session);
    void keep_bounds(SessionId newest);

    const Limits limits_;
    SessionId last_id_;
    Line line_;
    std::map<SessionId, Line::iterator> by_id_;
    std::size_t bytes_ = 0;
};

/// Thread: the table's.
class Table::Image {
public:
    /// Appends the next piece. It is about `bytes_about` long, or one session if that is longer.
    /// False: it was the last piece.
    [[nodiscard]] bool next(Buffer& out, std::size_t bytes_about);

private:
    friend class Table;
    SessionId last_id_;
    std::vector<std::shared_ptr<const Session>> sessions_;
    std::size_t at_ = 0;
    bool begun_ = false;
};

}  // namespace understudy::session
