#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/log.h"
#include "immortal/application.h"
#include "understudy/immortal_object.h"
#include "understudy/snapshot_map.h"

namespace understudy::immortal {

/// The classes of one immortal that a program has, of different versions.
using Classes = std::vector<std::shared_ptr<const ImmortalClass>>;

/// An immortal of a C++ class in this process. It hosts the object and keeps what the object waits
/// for: the continuation for each answer and the handler for each timer.
///
/// A call of an unknown handler, with wrong arguments, or to a handler that throws is answered with
/// a refusal. For a timer or a continuation there is no caller, so the failure is logged.
///
/// Do not use it for code that waits, or that is written in another language.
/// Deterministic, if the class is. Thread: loop only.
/// Source: docs/formats/immortal.md, "The state of a linked application".
class LinkedApplication final : public Application {
public:
    /// Errors: bad_config (none): there is no class, two of one version, or version 0.
    [[nodiscard]] static Result<void> check(const Classes& classes);
    /// Requires: check() succeeded. `log` outlives this.
    LinkedApplication(Log& log, Classes classes);
    ~LinkedApplication() override;
    LinkedApplication(const LinkedApplication&) = delete;
    LinkedApplication& operator=(const LinkedApplication&) = delete;

    bool immediate() const override { return true; }
    std::uint32_t version() const override;
    std::uint32_t version_newest() const override;
    /// Tries the upgrade on a copy of the state; this takes as long as the upgrade itself.
    Result<void> check_upgrade(std::uint32_t version) const override;
    void perform(const Input& input, Stage& stage) override;

    /// The tables and the SnapshotMaps are copied in slices. All other fields are copied at once,
    /// which takes about a millisecond per MiB.
    std::unique_ptr<Snapshot> begin_image() override;
    void want_image() override;
    Result<void> restore_piece(Bytes piece, PiecePlace place, std::uint32_t version,
                               Stage& stage) override;
    /// Reads the whole state, which takes about a second per GiB. For checks and displays.
    std::uint64_t hash() const override;

    /// Null before the first input or state, and during a restoration.
    [[nodiscard]] const ImmortalObject* object() const;
    [[nodiscard]] std::size_t answers_awaited() const;
    [[nodiscard]] std::size_t timers() const;

private:
    class Context;
    class Image;
    /// The handler that takes an answer or that a timer calls.
    struct Later {
        std::string name;
        Buffer kept;  ///< A packed array.
    };
    struct State {
        std::uint64_t next_id = 1;  ///< For a call with an answer, or a timer.
        SnapshotMap<std::uint64_t, Later> answers;
        SnapshotMap<std::uint64_t, Later> timers;
        std::shared_ptr<ImmortalObject> object;  ///< It is shared only while an image is read.
    };
    struct Restoration {
        std::uint8_t part = 0;  ///< The part of the previous piece.
        Buffer fields;
        std::uint64_t fields_size = 0;
        bool loaded = false;
    };

    [[nodiscard]] const ImmortalClass* find(std::uint32_t version) const;
    [[nodiscard]] Error unknown(std::uint32_t version) const;
    /// The state converted to that version. Errors: bad_config (none).
    [[nodiscard]] Result<std::shared_ptr<ImmortalObject>> converted(std::uint32_t version) const;
    void start(const Input& input, Stage& stage);
    void call(const Input& input, Stage& stage);
    void resume(const Input& input, Stage& stage);
    void fire(const Input& input, Stage& stage);
    void upgrade(const Input& input, Stage& stage);
    void answer(const Input& input, Result<void> result, Stage& stage);
    void log_failure(std::string_view what, const Later& later, const Error& error);
    void give_up(Error error, Stage& stage);
    [[nodiscard]] Result<void> restore_part(ByteReader& piece);
    [[nodiscard]] Result<void> restore_rows(ByteReader& piece,
                                            SnapshotMap<std::uint64_t, Later>& rows);
    [[nodiscard]] Result<void> restore_fields(ByteReader& piece);

    Log& log_;
    std::map<std::uint32_t, std::shared_ptr<const ImmortalClass>> classes_;
    std::shared_ptr<State> state_;
    std::optional<Restoration> restoration_;
    bool broken_ = false;
    Buffer reply_;  ///< The reply of the call under way; kept to use its memory again.
    std::set<std::string> told_;  ///< Handlers whose failure was logged because there was no
                                  ///< caller; at most told_max.
};

}  // namespace understudy::immortal
