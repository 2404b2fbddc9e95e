// The state of a linked application as the pieces of an image. Byte layout:
// docs/formats/immortal.md, "The state of a linked application".

#include <algorithm>
#include <new>
#include <utility>

#include "base/checksum.h"
#include "immortal/linked.h"

namespace understudy::immortal {

namespace {

/// The contents of a piece. Pieces come in this order. The numbers are format: never reuse or
/// renumber them.
enum class Part : std::uint8_t { head = 1, answers = 2, timers = 3, fields = 4, map = 5 };

constexpr std::size_t fields_piece_max = 1 * MiB;
constexpr std::size_t hashed_at_once = 64 * KiB;

Error bad_linked_image(std::string what) {
    return {.code = Errc::corrupt, .detail = "invalid state of an immortal: " + std::move(what)};
}

template <class Later>
void write_row(std::uint64_t id, const Later& later, Buffer& out) {
    ByteWriter writer(out);
    writer.varint(id);
    writer.text(later.name);
    writer.bytes(later.kept);
}

/// Continues `hash` with the content of `bytes`, and empties `bytes`.
void hash_on(std::uint64_t& hash, Buffer& bytes) {
    hash = hash64(bytes, hash);
    bytes.clear();
}

}  // namespace

/// Each piece holds data of one part.
class LinkedApplication::Image final : public Snapshot {
public:
    explicit Image(std::shared_ptr<State> state)
        : state_(std::move(state)),
          object_(state_->object),
          next_id_(state_->next_id),
          answers_(snapshot_of(state_->answers, write_row<Later>)),
          timers_(snapshot_of(state_->timers, write_row<Later>)),
          object_image_(object_->save()) {}

    bool next(Buffer& out, std::size_t bytes_about) override {
        out.push_back(static_cast<std::byte>(part_));
        switch (part_) {
            case Part::head:
                ByteWriter(out).varint(next_id_);
                part_ = Part::answers;
                return true;
            case Part::answers:
                if (!answers_->next(out, bytes_about)) part_ = Part::timers;
                return true;
            case Part::timers:
                if (!timers_->next(out, bytes_about)) part_ = Part::fields;
                return true;
            case Part::fields: next_of_fields(out, bytes_about); break;
            case Part::map:
                ByteWriter(out).varint(map_);
                if (!object_image_.maps[map_]->next(out, bytes_about)) ++map_;
                break;
        }
        return part_ == Part::fields || map_ < object_image_.maps.size();
    }

private:
    void next_of_fields(Buffer& out, std::size_t bytes_about) {
        ByteWriter writer(out);
        writer.varint(object_image_.fields.size());
        const Bytes rest = Bytes(object_image_.fields).subspan(fields_at_);
        const Bytes some = rest.first(
            std::min({rest.size(), std::max<std::size_t>(bytes_about, 1), fields_piece_max}));
        writer.raw(some);
        fields_at_ += some.size();
        if (some.size() == rest.size()) part_ = Part::map;
    }

    const std::shared_ptr<State> state_;
    const std::shared_ptr<ImmortalObject> object_;  ///< An upgrade may come meanwhile.
    const std::uint64_t next_id_;
    const std::unique_ptr<Snapshot> answers_;
    const std::unique_ptr<Snapshot> timers_;
    const ImmortalImage object_image_;
    Part part_ = Part::head;
    std::size_t fields_at_ = 0;
    std::size_t map_ = 0;
};

std::unique_ptr<Snapshot> LinkedApplication::begin_image() {
    US_ASSERT(object() != nullptr);
    return std::make_unique<Image>(state_);
}

void LinkedApplication::want_image() { US_ASSERT(!immediate()); }

// --- The reverse ---------------------------------------------------------------------------------

Result<void> LinkedApplication::restore_piece(Bytes piece, PiecePlace place,
                                              std::uint32_t version, Stage&) {
    if (place.first) {
        const ImmortalClass* its_class = find(version);
        if (its_class == nullptr) return unknown(version);
        state_ = std::make_shared<State>();
        state_->object = its_class->make();
        restoration_.emplace();
    }
    if (!restoration_) return bad_linked_image("it has no beginning");
    ByteReader reader(piece);
    Result<void> restored;
    try {
        restored = restore_part(reader);
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& thrown) {
        restored = bad_linked_image(std::string("fields() threw: ") + thrown.what());
    }
    if (restored && place.last && !restoration_->loaded)
        restored = bad_linked_image("it has no end");
    if (!restored) state_.reset();
    if (!restored || place.last) restoration_.reset();
    return restored;
}

Result<void> LinkedApplication::restore_part(ByteReader& piece) {
    const std::uint8_t part = piece.fixed<std::uint8_t>().value_or(0);
    // Every part must be present, even if it is empty, except maps, of which there may be none.
    const bool goes_on = part == restoration_->part || part == restoration_->part + 1;
    if (!goes_on) return bad_linked_image("its parts are out of order");
    restoration_->part = part;
    switch (static_cast<Part>(part)) {
        case Part::head: {
            const auto next_id = piece.varint();
            if (!next_id || *next_id == 0 || !piece.done()) return bad_linked_image("no head");
            state_->next_id = *next_id;
            return {};
        }
        case Part::answers: return restore_rows(piece, state_->answers);
        case Part::timers: return restore_rows(piece, state_->timers);
        case Part::fields: return restore_fields(piece);
        case Part::map: {
            if (!restoration_->loaded) return bad_linked_image("a map before the fields");
            const auto which = piece.varint();
            if (!which) return bad_linked_image("the number of a map is missing");
            return state_->object->load_map(static_cast<std::size_t>(*which), piece.rest());
        }
    }
    return bad_linked_image("an unknown part");
}

Result<void> LinkedApplication::restore_rows(ByteReader& piece,
                                             SnapshotMap<std::uint64_t, Later>& rows) {
    while (!piece.done()) {
        const auto id = piece.varint();
        const auto name = piece.text();
        const auto kept = piece.bytes();
        if (!kept) return bad_linked_image("a row is incomplete");
        if (*id >= state_->next_id)
            return bad_linked_image("a row with an id that was never given");
        rows.put(*id, {.name = std::string(*name), .kept = Buffer(kept->begin(), kept->end())});
    }
    return {};
}

Result<void> LinkedApplication::restore_fields(ByteReader& piece) {
    const auto size = piece.varint();
    Buffer& fields = restoration_->fields;
    if (!size || (restoration_->fields_size != 0 && restoration_->fields_size != *size)) {
        return bad_linked_image("the size of the fields");
    }
    restoration_->fields_size = *size;
    if (restoration_->loaded || *size < fields.size() + piece.rest().size()) {
        return bad_linked_image("more fields than the class has");
    }
    fields.insert(fields.end(), piece.rest().begin(), piece.rest().end());
    if (fields.size() < *size) return {};
    restoration_->loaded = true;
    const Buffer whole = std::exchange(fields, {});
    return state_->object->load(whole, state_->object->version());
}

// --- Hash ----------------------------------------------------------------------------------------

std::uint64_t LinkedApplication::hash() const {
    if (object() == nullptr) return 0;
    Buffer bytes;
    ByteWriter writer(bytes);
    writer.varint(version());
    writer.varint(state_->next_id);
    std::uint64_t hash = 0;
    for (const auto* rows : {&state_->answers, &state_->timers}) {
        writer.varint(rows->size());
        for (const auto& [id, later] : *rows) {
            write_row(id, later, bytes);
            if (bytes.size() >= hashed_at_once) hash_on(hash, bytes);
        }
    }
    const ImmortalImage image = std::as_const(*state_->object).view();
    writer.bytes(image.fields);
    for (const auto& map : image.maps) {
        for (bool more = true; more;) {
            more = map->next(bytes, hashed_at_once);
            hash_on(hash, bytes);
        }
    }
    hash_on(hash, bytes);
    return hash;
}

}  // namespace understudy::immortal
