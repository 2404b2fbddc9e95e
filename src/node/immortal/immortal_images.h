#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/lifetime.h"
#include "immortal/machine.h"
#include "replica/replica.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// Takes checkpoints of an immortal whose application is not immediate. It requests an image; when
/// the image has arrived, the replica writes it together with the later inputs of the application.
///
/// Thread: loop only.
class ImmortalImages {
public:
    static constexpr Duration retry_interval = 5s;  ///< After a failure.

    using Taken = std::function<void(Result<Index>)>;

    /// All arguments outlive this.
    ImmortalImages(Runtime& runtime, immortal::Machine& machine, replica::Replica& replica,
                   std::uint64_t every_bytes, replica::CheckpointDuty duty);
    ~ImmortalImages();
    ImmortalImages(const ImmortalImages&) = delete;
    ImmortalImages& operator=(const ImmortalImages&) = delete;

    /// This many bytes of commands were applied since the last call.
    void applied(std::uint64_t bytes);
    void set_duty(replica::CheckpointDuty duty);
    /// Errors: as Replica::checkpoint_now().
    void take(Taken taken);
    void image_ready();
    /// The state was replaced, so an image that was requested before does not come any more.
    void restored();

private:
    enum class Stage { idle, wanted, writing };

    [[nodiscard]] bool due() const;
    void begin();
    void ended(const Result<Index>& result);

    Runtime& runtime_;
    immortal::Machine& machine_;
    replica::Replica& replica_;
    const std::uint64_t every_bytes_;
    replica::CheckpointDuty duty_;
    Stage stage_ = Stage::idle;
    std::uint64_t bytes_ = 0;          ///< Since the newest checkpoint.
    std::uint64_t covered_bytes_ = 0;  ///< By the one under way.
    std::vector<Taken> waiting_;       ///< Callers that wait for the next checkpoint.
    std::vector<Taken> served_;        ///< Callers that wait for the present checkpoint.
    std::unique_ptr<Timer> retry_;
    Lifetime life_;
};

}  // namespace understudy::node
