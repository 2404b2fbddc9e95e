#pragma once

#include <memory>
#include <optional>
#include <string>

#include "client/journaled.h"
#include "immortal/linked.h"
#include "library/immortal_body.h"
#include "library/immortal_places.h"
#include "library/replica_journal.h"
#include "node/immortal_member.h"

namespace understudy::library {

/// A copy of an immortal with its journal and its connections in this process.
class ImmortalHere final : public ImmortalBody, private client::JournaledObserver {
public:
    static constexpr Duration report_interval = 1s;  ///< To the registry, of how far it is.

    ImmortalHere(Runtime& runtime, Log& log, const ImmortalOptions& options,
                 const ImmortalMember::Classes& classes, Observer& observer);
    ~ImmortalHere() override;

    void impulse(std::string_view handler, Bytes arguments, Answered answered) override;
    void upgrade(std::uint32_t version, Done done) override;
    void forget(std::string_view peer, Done done) override;
    void look(Look look, Done done) override;
    void fill(ImmortalStatus& status) const override;
    void close(std::function<void()> done) override;

private:
    void begin();
    void opened(Result<std::unique_ptr<node::ImmortalMember>> result);
    void fail(const Error& error);
    void enter_registry();
    void report();
    void report_again();
    void close_journal();

    // client::JournaledObserver
    void designated(const role::Designation& what, Epoch known) override;
    void registered(std::uint64_t order) override;
    void refused(const Error& reason) override;

    Runtime& runtime_;
    Log& log_;
    const ImmortalOptions& options_;
    Observer& observer_;
    immortal::LinkedApplication application_;
    std::unique_ptr<ImmortalPlaces> places_;
    std::unique_ptr<ReplicaJournal> journal_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<node::ImmortalMember> member_;
    client::JournaledMember* journaled_ = nullptr;  ///< In the registry.
    std::unique_ptr<Timer> report_timer_;
    Index checkpoint_;       ///< The newest ...
    TimePoint checkpoint_at_;  ///< ... was seen first then.
    bool closing_ = false;
    std::function<void()> closed_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace understudy::library
