#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "wire/control.pb.h"

namespace understudy::client {

/// What this process knows of the platform's services: images and changes from the registry.
///
/// Stays readable while the registry is away. The highest epoch ever heard of a family, from
/// whomever, is kept for good: it fences what members of older tenures send.
///
/// Machine; thread: loop only. Bounds: what the registry's own bounds allow.
class Directory {
public:
    /// What became of an image or a change.
    enum class Taken {
        applied,
        gap,      ///< A change is missing before this one: watch anew.
        unknown,  ///< No such watch: left over from before an unwatch.
    };

    /// Starts to follow `family` (empty: all). The result goes into a Watch message.
    [[nodiscard]] std::uint64_t add(const std::string& family);
    void remove(std::uint64_t watch);
    [[nodiscard]] std::vector<std::uint64_t> watches() const;
    /// The Watch message that asks for an image. After a gap or a reconnect the same.
    [[nodiscard]] wire::pb::Watch request(std::uint64_t watch) const;

    /// `families` gets the names of services that may have changed.
    [[nodiscard]] Taken apply(const wire::pb::WatchImage& image,
                              std::vector<std::string>& families);
    [[nodiscard]] Taken apply(const wire::pb::WatchChange& change,
                              std::vector<std::string>& families);

    [[nodiscard]] const wire::pb::ServiceInfo* find(const std::string& family) const;
    [[nodiscard]] const std::map<std::string, wire::pb::ServiceInfo>& services() const {
        return services_;
    }
    [[nodiscard]] const wire::pb::MemberInfo* active(const std::string& family) const;

    /// True if `epoch` is news.
    bool heard_epoch(const std::string& family, Epoch epoch);
    [[nodiscard]] Epoch epoch(const std::string& family) const;
    /// The same, for whoever asks all the time: it changes as more is heard, and stays in its
    /// place.
    [[nodiscard]] const Epoch& epoch_place(const std::string& family) { return epochs_[family]; }
    /// Spreads load-balanced clients: differs from client to client.
    [[nodiscard]] std::uint64_t turn(const std::string& family) const;
    [[nodiscard]] std::uint64_t registry_id() const { return registry_id_; }
    [[nodiscard]] Revision revision() const { return revision_; }

private:
    struct Followed {
        std::string family;
        bool imaged = false;
        std::uint64_t revision = 0;
    };

    std::map<std::uint64_t, Followed> followed_;
    std::map<std::string, wire::pb::ServiceInfo> services_;
    std::map<std::string, Epoch> epochs_;
    std::map<std::string, std::uint64_t> turns_;
    std::uint64_t watch_last_ = 0;
    std::uint64_t registry_id_ = 0;
    Revision revision_;
};

[[nodiscard]] const wire::pb::MemberInfo* find_member(const wire::pb::ServiceInfo& service,
                                                      const std::string& member);

}  // namespace understudy::client
