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

/// A record as its publisher writes it: changes gather until commit() makes one of them.
///
/// Putting the value that is there already is no change, and neither is putting another and the old
/// one again before the commit. What is refused leaves the draft as it was.
///
/// Thread: the owner's.
/// Bounds: fields_max, record_size_max, name_size_max: beyond them a put is refused.
class Draft {
public:
    /// Starts from what the publisher has already, e.g. from a journal; empty for a new record.
    explicit Draft(RecordImage image = {});

    /// Errors: bad_config, limit_exceeded (none).
    [[nodiscard]] Result<void> put(std::string_view name, Value value);
    [[nodiscard]] Result<void> put(std::string_view submap, std::string_view name, Value value);
    /// Null removes.
    [[nodiscard]] Result<void> put(std::string_view name, std::nullopt_t) {
        remove(name);
        return {};
    }
    /// True if it was there.
    bool remove(std::string_view name);
    bool remove(std::string_view submap, std::string_view name);
    bool remove_submap(std::string_view submap);
    void clear();

    /// All changes since the last commit as one delta (codec.h); nullopt if there is none.
    [[nodiscard]] std::optional<Buffer> commit();
    /// Takes back all changes since the last commit.
    void roll_back();

    [[nodiscard]] const RecordImage& image() const { return image_; }
    [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }  ///< As codec.h counts.
    [[nodiscard]] std::size_t fields() const { return fields_; }          ///< Sub-maps included.

private:
    // Fields touched since the last commit, with their value then; nullopt: it was not there.
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
    DeltaSource source_;  // Reused.
};

}  // namespace understudy::record
