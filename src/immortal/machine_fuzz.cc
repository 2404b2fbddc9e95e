// For any journal or checkpoint of an immortal, the machine neither crashes nor contradicts itself,
// and its state can be checkpointed and restored.
//
// Input: commands, each preceded by a size of two bytes. If the top bit of the size is set, it is a
// piece of a checkpoint.

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "immortal/fake_application_test.h"
#include "immortal/machine.h"

namespace {

using namespace understudy;
using namespace understudy::immortal;

struct Nobody final : Machine::Observer {
    void output_ready(const std::string&) override {}
    void input_durable(const std::string&, MessageNo) override {}
    void timers_changed() override {}
    void image_ready() override {}
    void broken(const Error&) override {}
};

/// Accepts any arguments, unlike the application on which it is based.
class Tolerant final : public Application {
public:
    bool immediate() const override { return true; }
    std::uint32_t version() const override { return 1; }
    std::uint32_t version_newest() const override { return 1; }
    Result<void> check_upgrade(std::uint32_t) const override { return {}; }
    void perform(const Input& input, Stage& stage) override {
        const std::string to(input.name.substr(0, 8));
        if (input.name.size() % 3 == 1) {
            stage.output({.to = to, .id = input.id, .name = "x", .body = input.body});
        }
        if (input.name.size() % 3 == 2) {
            stage.output({.kind = OutputKind::timer,
                          .id = input.position.value,
                          .due = input.time + 1ms});
        }
        if (input.id != 0) {
            stage.output({.kind = OutputKind::reply, .to = input.source, .id = input.id});
        }
    }
    std::unique_ptr<Snapshot> begin_image() override { return fake_.begin_image(); }
    void want_image() override {}
    Result<void> restore_piece(Bytes, PiecePlace, std::uint32_t, Stage&) override { return {}; }
    std::uint64_t hash() const override { return 0; }

private:
    FakeApplication fake_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in(Bytes(reinterpret_cast<const std::byte*>(data), size));
    Nobody nobody;
    Tolerant application;
    Machine machine("a", application, nobody);
    Index index;
    bool whole = true;  // After a failed restoration the state must not be used.
    while (const auto head = in.fixed<std::uint16_t>()) {
        const auto body = in.raw(std::min<std::uint64_t>(*head & 0x7fff, in.rest().size()));
        if (!body) break;
        if ((*head & 0x8000) != 0) {
            const bool first = !body->empty() && body->front() == std::byte{1};
            whole = machine.restore_piece(*body, {.first = first, .last = false}).operator bool();
            if (!whole) break;
            continue;
        }
        index = index.next();
        Buffer reply;
        machine.apply({.index = index, .time = index.value * 20s, .body = *body}, reply);
    }
    if (!whole) return 0;
    for (const auto& [name, peer] : machine.peers()) {
        if (!peer.out.whole()) return 0;  // The restoration was not completed.
    }
    Tolerant other;
    Machine again("a", other, nobody);
    const auto snapshot = machine.begin_snapshot();
    for (PiecePlace place{.first = true}; !place.last; place.first = false) {
        Buffer piece;
        place.last = !snapshot->next(piece, 64);
        US_ASSERT(again.restore_piece(piece, place).operator bool());
    }
    US_ASSERT(again.hash() == machine.hash());
    return 0;
}
