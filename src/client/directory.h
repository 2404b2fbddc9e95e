#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "wire/control.pb.h"

namespace understudy::client {

/// What this process knows of the platform's services, from images and changes of the registry.
///
/// It can be read while the registry cannot be reached. The highest epoch of a family that any peer
/// has told is always kept: messages of members with a lower one are ignored.
///
/// Thread: loop only.
/// Bounds: those of the registry.
class Directory {
public:
    /// What was done with an image or a change.
    enum class Taken {
        applied,
        gap,      ///< A change before this one is missing: send the Watch message again.
        unknown,  ///< There is no such watch: it was sent before an unwatch.
    };

    /// Starts to follow `family` (empty: all). The result is the number for the Watch message.
    [[nodiscard]] std::uint64_t add(const std::string& family);
    void remove(std::uint64_t watch);
    [[nodiscard]] std::vector<std::uint64_t> watches() const;
    /// The Watch message that asks for an image: the first time, after a gap, after a reconnect.
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

    /// The active member, for a client that asks elsewhere; epoch 0: the service is not known.
    [[nodiscard]] wire::pb::ActiveHint active_hint(const std::string& family) const;

    /// Returns whether `epoch` is higher than all before.
    bool heard_epoch(const std::string& family, Epoch epoch);
    [[nodiscard]] Epoch epoch(const std::string& family) const;
    /// The same as a reference that stays valid and always has the present value: for hot paths.
    [[nodiscard]] const Epoch& epoch_place(const std::string& family) { return epochs_[family]; }
    /// A number that differs from client to client: it spreads the clients of a load-balanced
    /// service.
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
