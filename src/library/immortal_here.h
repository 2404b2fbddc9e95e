#pragma once

#include <memory>
#include <optional>
#include <string>

#include "client/journaled.h"
#include "immortal/linked.h"
#include "library/immortal_body.h"
#include "library/immortal_places.h"
#include "library/replica_journal.h"
#include "node/immortal_handover.h"
#include "node/immortal_member.h"

namespace understudy::library {

/// A copy of an immortal with its journal and its connections in this process.
///
/// With a registry, that one says before the journal is opened who takes checkpoints and who may
/// become active; without one the members see to it among themselves. The journal elects.
class ImmortalHere final : public ImmortalBody,
                           private client::JournaledObserver,
                           private node::ImmortalHandover::Copy {
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
    void open_member();
    void reopen();
    void opened(Result<std::unique_ptr<node::ImmortalMember>> result);
    void fail(const Error& error);
    void enter_registry();
    void report();
    void report_again();
    /// The member and its journal end; then `done`, later.
    void close_member(std::function<void()> done);
    void close_places();
    void later(std::function<void()> task);

    // client::JournaledObserver
    void designated(const role::Designation& what, Epoch known) override;
    void follow(const role::Designation& what);
    void handover_wanted(const client::Handover& what) override;
    void registered(std::uint64_t order) override;
    void refused(const Error& reason) override;

    // node::ImmortalHandover::Copy
    node::ImmortalMember* handover_member() override;
    void handover_report() override { report(); }
    void handover_ready(Epoch epoch) override;
    [[nodiscard]] bool handover_takes() const override;
    void handover_take(Epoch above, Done done) override;
    void handover_give(const std::string& to, Done done) override;

    Runtime& runtime_;
    Log& log_;
    const ImmortalOptions& options_;
    Observer& observer_;
    const ImmortalMember::Classes classes_;
    std::unique_ptr<immortal::LinkedApplication> application_;  ///< As new when the journal opens.
    std::unique_ptr<ImmortalPlaces> places_;
    Address listen_;
    std::unique_ptr<ReplicaJournal> journal_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<node::ImmortalMember> member_;
    client::JournaledMember* journaled_ = nullptr;  ///< In the registry.
    std::optional<role::Designation> designation_;
    bool electable_ = true;   ///< As the journal was opened.
    bool reopening_ = false;
    bool failed_ = false;
    std::unique_ptr<Timer> report_timer_;
    Index checkpoint_;       ///< The newest ...
    TimePoint checkpoint_at_;  ///< ... was seen first then.
    node::ImmortalHandover handover_;
    bool closing_ = false;
    std::function<void()> closed_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace understudy::library
