#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "record/codec.h"
#include "understudy/record.h"
#include "understudy/types.h"

namespace understudy::record {

/// The publisher's side of a record: changes are gathered until commit() makes one delta of them.
///
/// To put the present value is no change. To put another value and then the old one before the
/// commit is no change either. A refused call leaves the draft unchanged.
///
/// Thread: the owner's.
/// Bounds: fields_max, record_size_max, name_size_max; a put beyond them is refused.
class Draft {
public:
    /// Starts from an image that the publisher has, for example from a journal. Empty: a new
    /// record.
    explicit Draft(RecordImage image = {});

    /// Errors: bad_config, limit_exceeded (none).
    [[nodiscard]] Result<void> put(std::string_view name, Value value);
    [[nodiscard]] Result<void> put(std::string_view submap, std::string_view name, Value value);
    /// The same as remove().
    [[nodiscard]] Result<void> put(std::string_view name, std::nullopt_t) {
        remove(name);
        return {};
    }
    /// Returns whether it was there.
    bool remove(std::string_view name);
    bool remove(std::string_view submap, std::string_view name);
    bool remove_submap(std::string_view submap);
    void clear();

    /// All changes since the last commit as one delta (codec.h). nullopt if there are none.
    [[nodiscard]] std::optional<Buffer> commit();
    /// Undoes all changes since the last commit.
    void roll_back();

    [[nodiscard]] const RecordImage& image() const { return image_; }
    [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }  ///< As in codec.h.
    [[nodiscard]] std::size_t fields() const { return fields_; }          ///< With sub-maps.

private:
    // Fields changed since the last commit, with their value at the commit. nullopt: they did not
    // exist.
    using Before = std::map<std::string, std::optional<Value>, std::less<>>;

    Result<void> put_into(Fields& fields, Before& before, std::string_view name, Value value,
                          std::size_t extra_bytes);
    bool remove_from(Fields& fields, Before& before, std::string_view name);
    static void note(Before& before, std::string_view name, std::optional<Value> value);
    Before& before_of(std::string_view submap);
    void forget_if_empty(std::string_view submap);
    void gather(std::string_view submap, const Before& before, const Fields* fields);

    RecordImage image_;
    Before before_;
    std::map<std::string, Before, std::less<>> before_submaps_;
    std::size_t size_bytes_ = 0;
    std::size_t fields_ = 0;
    DeltaSource source_;  // A member so that its memory is used again.
};

}  // namespace understudy::record
