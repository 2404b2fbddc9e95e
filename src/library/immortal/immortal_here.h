#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/lifetime.h"
#include "hosting/copy.h"
#include "hosting/options.h"
#include "hosting/places.h"
#include "hosting/process_nodes.h"
#include "immortal/linked.h"
#include "library/immortal/immortal_body.h"
#include "node/immortal/immortal_member.h"

namespace understudy::library {

/// A copy of an immortal with its journal and its connections in this process.
///
/// With a registry, the registry says before the journal is opened which member takes checkpoints
/// and which may become active. Without a registry the members decide it among themselves. The
/// journal elects the active member.
class ImmortalHere final : public ImmortalBody, private hosting::Copy::Owner {
public:
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
    void open();
    void fail(const Error& error);
    void close_places();
    void later(std::function<void()> task);
    [[nodiscard]] std::unique_ptr<journal::Opening> open_member(
        const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
        hosting::Copy::Opened opened);
    /// Null while it is not open.
    [[nodiscard]] node::ImmortalMember* member() const;

    // hosting::Copy::Owner
    void copy_opened() override {}
    void copy_standing_changed() override { observer_.standing_changed(); }
    void copy_reopens() override { open(); }
    void copy_failed(const Error& error) override;

    Runtime& runtime_;
    Log& log_;
    const ImmortalOptions& options_;
    Observer& observer_;
    const ImmortalMember::Classes classes_;
    hosting::OwnAddress own_;
    std::unique_ptr<immortal::LinkedApplication> application_;  ///< As new when the journal opens.
    hosting::ProcessNodes nodes_{log_};
    std::unique_ptr<hosting::Places> places_;
    std::unique_ptr<hosting::Copy> copy_;
    bool closing_ = false;
    std::function<void()> closed_;
    Lifetime life_;
};

}  // namespace understudy::library
