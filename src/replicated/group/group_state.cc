#include "replicated/group/group_state.h"

#include "replicated/codec.h"

namespace understudy::replicated {

namespace {

constexpr std::uint8_t state_version = 1;

}  // namespace

Buffer encode(const GroupState& state) {
    Buffer out;
    ByteWriter writer(out);
    writer.fixed(state_version);
    writer.text(state.service);
    writer.fixed(state.hard.term.value);
    writer.fixed(state.hard.vote.value);
    writer.fixed(static_cast<std::uint8_t>(state.snapshot ? 1 : 0));
    if (state.snapshot) write_snapshot(writer, *state.snapshot);
    return out;
}

Result<GroupState> decode_group_state(Bytes bytes) {
    const Error damaged{.code = Errc::corrupt, .detail = "state of a group"};
    ByteReader reader(bytes);
    const auto version = reader.fixed<std::uint8_t>();
    const auto service = reader.text();
    const auto term = reader.fixed<std::uint64_t>();
    const auto vote = reader.fixed<std::uint64_t>();
    const auto has_snapshot = reader.fixed<std::uint8_t>();
    if (reader.failed() || *version != state_version || *has_snapshot > 1) return damaged;
    GroupState state{.service = std::string(*service),
                     .hard = {.term = {*term}, .vote = {*vote}},
                     .snapshot = std::nullopt};
    if (*has_snapshot == 1) {
        state.snapshot = read_snapshot(reader);
        if (!state.snapshot) return damaged;
    }
    if (!reader.done()) return damaged;
    return state;
}

Buffer encode_reference(const Members& members) {
    Buffer out;
    members.encode(out);
    return out;
}

Result<Members> decode_reference(Bytes reference) { return Members::decode(reference); }

}  // namespace understudy::replicated
