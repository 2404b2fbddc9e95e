#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/replay/journal_replay.h"
#include "immortal/application_port.h"
#include "immortal/machine.h"
#include "platform/asio_runtime.h"

namespace understudy::apps {

/// True if this pack begins like an immortal's journal.
[[nodiscard]] bool starts_immortal(Bytes pack);
/// The commands of a pack of an immortal's journal, with their calls; arguments as JSON.
[[nodiscard]] std::vector<ReplayedItem> immortal_items(Bytes pack);

/// An application process to which the past is replayed.
///
/// Its functions wait for the application as long as necessary, because it may stop in a debugger.
/// Thread: the runtime's; no loop runs.
class Performer final : private immortal::RemoteApplication::Owner, private immortal::Stage {
public:
    static constexpr Duration patience = 24h;  ///< Long enough for a debugger.

    struct Said {
        wire::Dynamic::Map json;
        std::string text;
    };

    /// Waits until an application connects to the port, and uses it.
    explicit Performer(platform::AsioRuntime& runtime, immortal::ApplicationPort& port);

    void perform(const immortal::Input& input);
    [[nodiscard]] Result<void> restore_piece(Bytes piece, PiecePlace place);
    /// Waits until all inputs were performed. Errors: the reason if it ended.
    [[nodiscard]] Result<void> settle();
    /// Its outputs since the last call.
    [[nodiscard]] std::vector<Said> take_said();
    /// Its state now. Errors: as settle().
    [[nodiscard]] Result<Buffer> image();
    /// Passes each output also to `also`, which may be null.
    void tell(immortal::Stage* also) { also_ = also; }
    [[nodiscard]] std::uint32_t version_newest() const { return application_->version_newest(); }
    [[nodiscard]] std::uint32_t version() const { return application_->version(); }
    [[nodiscard]] const std::string& name() const { return application_->name(); }

private:
    void output(const immortal::Output& output) override;
    void performed(immortal::Position upto) override;
    void imaged(immortal::Position at, std::shared_ptr<const Buffer> image) override;
    void broken(const Error& error) override;

    void application_here(immortal::RemoteApplication&) override {}
    void application_impulse(immortal::RemoteApplication& application, std::uint64_t id,
                             std::string_view name, Bytes arguments) override;
    void application_upgrade(immortal::RemoteApplication& application, std::uint64_t id,
                             std::uint32_t version) override;
    void application_ended(immortal::RemoteApplication&, const Error& reason) override;

    platform::AsioRuntime& runtime_;
    immortal::Stage* also_ = nullptr;
    immortal::Position told_;
    immortal::Position performed_;
    std::vector<Said> said_;
    std::shared_ptr<const Buffer> image_;
    std::optional<Error> ended_;
    std::unique_ptr<immortal::RemoteApplication> application_;
};

/// Carries out the commands of an immortal's journal, as its replica would, with no application,
/// one, or two. With two, their outputs are compared.
///
/// Thread: that of its owner.
class ImmortalReplay {
public:
    struct Options {
        Performer* performer = nullptr;
        Performer* other = nullptr;  ///< Uses its newest code from the first input on.
    };
    /// The first output that differs.
    struct Difference {
        Index index;
        std::string first;
        std::string second;
    };

    explicit ImmortalReplay(Options options);
    ~ImmortalReplay();
    ImmortalReplay(const ImmortalReplay&) = delete;
    ImmortalReplay& operator=(const ImmortalReplay&) = delete;

    /// As MachineReplay.
    [[nodiscard]] Result<void> begin(Disk& disk, const std::string& directory,
                                     const std::vector<journal::WalkedCheckpoint>& checkpoints,
                                     Index from);
    /// Errors: as MachineReplay; the reason if an application ended.
    [[nodiscard]] Result<void> take(const journal::Entry& entry);

    [[nodiscard]] bool started() const { return machine_->started(); }
    [[nodiscard]] Index applied() const { return replay_.applied(); }
    [[nodiscard]] const immortal::Machine& machine() const { return *machine_; }
    /// The outputs of the application for the last entry.
    [[nodiscard]] const std::vector<Performer::Said>& said() const { return said_; }
    [[nodiscard]] const std::optional<Difference>& difference() const { return difference_; }

private:
    class Part;
    class Deaf;

    [[nodiscard]] Result<void> settle(Index index);

    const Options options_;
    std::unique_ptr<Part> part_;
    std::unique_ptr<Deaf> observer_;
    std::unique_ptr<immortal::Machine> machine_;
    MachineReplay replay_;
    std::vector<Performer::Said> said_;
    std::optional<Difference> difference_;
};

}  // namespace understudy::apps
