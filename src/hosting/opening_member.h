#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "journal/journal.h"
#include "replica/replica.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// A member that listens, then opens its replica, then begins. Face is the base class by which
/// callers use it.
///
/// Member has Result<void> listen() and Result<void> begin(std::unique_ptr<replica::Replica>).
template <class Face, class Member>
class OpeningMember final : public journal::Opening {
public:
    using Opened = std::function<void(Result<std::unique_ptr<Face>>)>;

    /// `open` is called once, within this call, unless listen() fails: it opens the replica of the
    /// member, and returns that opening. `opened` is called once, never within this call.
    template <class Open>
    OpeningMember(Runtime& runtime, std::unique_ptr<Member> member, Open&& open, Opened opened)
        : member_(std::move(member)), opened_(std::move(opened)) {
        if (auto listening = member_->listen(); !listening) {
            failing_ = runtime.at(runtime.now(), [this, error = listening.error()] {
                const auto told = std::move(opened_);
                told(error);
            });
            return;
        }
        opening_ = open(*member_, [this](Result<std::unique_ptr<replica::Replica>> replica) {
            ended(std::move(replica));
        });
    }

private:
    // The callback may destroy this, so everything that it needs is moved out before.
    void ended(Result<std::unique_ptr<replica::Replica>> replica) {
        const auto opened = std::move(opened_);
        std::unique_ptr<Member> member = std::move(member_);
        if (!replica) return opened(std::move(replica).error());
        if (auto begun = member->begin(*std::move(replica)); !begun) {
            return opened(std::move(begun).error());
        }
        opened(std::unique_ptr<Face>(std::move(member)));
    }

    std::unique_ptr<Member> member_;
    Opened opened_;
    std::unique_ptr<Timer> failing_;
    std::unique_ptr<journal::Opening> opening_;
};

}  // namespace understudy::hosting
