#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/checksum.h"
#include "immortal/application.h"

namespace understudy::immortal {

/// An application that adds up, and does what its calls say:
///     add N: total += N, answers the total      ask PEER: calls PEER's add 1 with an answer
///     tell PEER: calls PEER's add 1, no answer  wait MS: starts a timer that adds 100
/// Immediate or lagging; a lagging one works when the test calls work().
class FakeApplication final : public Application {
public:
    explicit FakeApplication(bool its_immediate = true) : immediate_(its_immediate) {}

    bool immediate() const override { return immediate_; }
    std::uint32_t version() const override { return version_now; }
    std::uint32_t version_newest() const override { return 3; }
    Result<void> check_upgrade(std::uint32_t version) const override {
        if (version <= version_highest) return {};
        return Error{.code = Errc::bad_config, .detail = "no such code"};
    }

    void perform(const Input& input, Stage& stage) override {
        stage_ = &stage;
        told.push_back(input.position);
        if (immediate_) return act(input, stage);
        queue.push_back({.input = input,
                         .source = std::string(input.source),
                         .name = std::string(input.name),
                         .body = Buffer(input.body.begin(), input.body.end())});
    }

    std::size_t lag_bytes() const override {
        std::size_t bytes = 0;
        for (const Told& each : queue) bytes += each.name.size() + each.body.size();
        return bytes;
    }

    std::unique_ptr<Snapshot> begin_image() override {
        struct Whole final : Snapshot {
            Buffer bytes;
            bool next(Buffer& out, std::size_t) override {
                ByteWriter(out).raw(bytes);
                return false;
            }
        };
        auto image = std::make_unique<Whole>();
        image->bytes = save();
        return image;
    }
    void want_image() override { queue.push_back({.image = true}); }
    Result<void> restore_piece(Bytes piece, PiecePlace place, std::uint32_t version,
                               Stage& stage) override {
        stage_ = &stage;
        if (place.first) restoring_.clear();
        restoring_.insert(restoring_.end(), piece.begin(), piece.end());
        if (!place.last) return {};
        ByteReader in(restoring_);
        total = in.fixed<std::uint64_t>().value_or(0);
        answers = in.fixed<std::uint64_t>().value_or(0);
        next_id = in.fixed<std::uint64_t>().value_or(0);
        at_ = {in.fixed<std::uint64_t>().value_or(0)};
        version_now = version;
        if (!in.done()) return Error{.code = Errc::corrupt, .detail = "fake"};
        return {};
    }
    std::uint64_t hash() const override { return hash64(save()); }

    /// A lagging application carries out this many of its inputs.
    void work(std::size_t count = ~std::size_t{0}) {
        for (; count > 0 && !queue.empty(); --count) {
            Told one = std::move(queue.front());
            queue.pop_front();
            if (one.image) {
                stage_->imaged(at_, std::make_shared<const Buffer>(save()));
                continue;
            }
            one.input.source = one.source;
            one.input.name = one.name;
            one.input.body = one.body;
            act(one.input, *stage_);
            stage_->performed(one.input.position);
        }
    }

    std::uint64_t total = 0;
    std::uint64_t answers = 0;  ///< Answers that it got.
    std::uint64_t next_id = 1;
    std::uint32_t version_now = 0;
    std::uint32_t version_highest = UINT32_MAX;  ///< A higher version is refused.
    std::vector<Position> told;
    std::vector<std::uint64_t> randoms;

    struct Told {
        Input input = {};
        std::string source = {};
        std::string name = {};
        Buffer body = {};
        bool image = false;
    };
    std::deque<Told> queue;

private:
    Buffer save() const {
        Buffer out;
        ByteWriter writer(out);
        writer.fixed(total);
        writer.fixed(answers);
        writer.fixed(next_id);
        writer.fixed(at_.value);
        return out;
    }

    void act(const Input& input, Stage& stage) {
        at_ = input.position;
        randoms.push_back(input.random);
        switch (input.kind) {
            case InputKind::start: version_now = static_cast<std::uint32_t>(input.id); return;
            case InputKind::upgrade: version_now = static_cast<std::uint32_t>(input.id); return;
            case InputKind::reply: ++answers; return;
            case InputKind::timer: total += 100; return;
            case InputKind::call: break;
        }
        const std::string body(as_text(input.body));
        if (input.name == "add") {
            total += std::stoull(body);
        } else if (input.name == "ask" || input.name == "tell") {
            stage.output({.to = body,
                          .id = input.name == "ask" ? next_id++ : 0,
                          .name = "add",
                          .body = as_bytes("1")});
        } else if (input.name == "wait") {
            stage.output({.kind = OutputKind::timer,
                          .id = next_id++,
                          .due = input.time + std::stoll(body) * 1ms});
        } else if (input.name == "stop") {
            stage.output({.kind = OutputKind::cancel, .id = std::stoull(body)});
        }
        if (input.id == 0) return;
        const std::string answer = std::to_string(total);
        stage.output({.kind = OutputKind::reply,
                      .to = input.source,
                      .id = input.id,
                      .body = as_bytes(answer),
                      .refused = input.name == "refuse"});
    }

    const bool immediate_;
    Position at_;
    Stage* stage_ = nullptr;
    Buffer restoring_;
};

}  // namespace understudy::immortal
