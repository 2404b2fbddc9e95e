#include "registry/agents/queries.h"

#include "registry/answers.h"
#include "registry/time.h"

namespace understudy::registry {

namespace pb = wire::pb;

Queries::Queries(std::string node, std::string version, const State& state,
                 const Sessions& sessions, const Reports& reports, TimePoint started)
    : node_(std::move(node)),
      version_(std::move(version)),
      state_(state),
      sessions_(sessions),
      reports_(reports),
      started_(started) {}

void Queries::ask(Turn& turn, SessionId session, const pb::Ask& ask) {
    pb::Answer answer;
    switch (ask.what_case()) {
        case pb::Ask::kLookup:
            return look_up(turn, session, ask.request(), ask.lookup());
        case pb::Ask::kExplain: {
            const std::string& family = ask.explain().family();
            const Service* service = state_.find(family);
            if (service == nullptr) {
                return turn.fail(session, ask.request(),
                                 {.code = Errc::not_found, .detail = "no service " + family});
            }
            explain(*service, answer);
            break;
        }
        case pb::Ask::kPlatform:
            describe(turn.now, *answer.mutable_platform());
            break;
        case pb::Ask::kBackup: {
            Buffer image;
            state_.snapshot(image);
            answer.set_backup(image.data(), image.size());
            break;
        }
        default:
            return turn.fail(session, ask.request(),
                             {.code = Errc::bad_config, .detail = "a question unknown here"});
    }
    turn.answer(session, ask.request(), std::move(answer));
}

void Queries::look_up(Turn& turn, SessionId session, std::uint64_t request,
                      const pb::LookupAsk& ask) {
    if (ask.cached()) {
        pb::Answer answer = found(turn.now, ask.family());
        answer.mutable_lookup()->set_cached(true);
        return turn.answer(session, request, std::move(answer));
    }
    if (lookups_.size() >= lookups_max) {
        return turn.fail(session, request,
                         {.code = Errc::limit_exceeded, .detail = "too many lookups in flight"});
    }
    lookups_.emplace(++token_last_,
                     Lookup{.session = session, .request = request, .family = ask.family()});
    turn.out.push_back(Confirm{token_last_});
}

void Queries::confirmed(Turn& turn, std::uint64_t token, const Result<void>& result) {
    const auto row = lookups_.extract(token);
    US_ASSERT(!row.empty());
    const Lookup& lookup = row.mapped();
    if (!result) return turn.fail(lookup.session, lookup.request, result.error());
    turn.answer(lookup.session, lookup.request, found(turn.now, lookup.family));
}

pb::Answer Queries::found(TimePoint now, const std::string& family) const {
    pb::Answer answer;
    pb::LookupAnswer& lookup = *answer.mutable_lookup();
    fill_lookup(state_, family, lookup);
    reports_.add_positions(now, lookup);
    lookup.set_node(node_);
    return answer;
}

void Queries::explain(const Service& service, pb::Answer& answer) const {
    for (const pb::Promotion& promotion : service.story) {
        pb::Promotion& row = *answer.add_promotions();
        row = promotion;
        const auto timed = took_us_.find({row.family(), row.epoch()});
        if (timed != took_us_.end()) row.set_decided_us(timed->second);
    }
}

void Queries::describe(TimePoint now, pb::PlatformInfo& info) const {
    fill_platform(state_, info);
    info.set_agents(sessions_.agents());
    info.set_sessions(sessions_.all().size());
    info.set_space(space_);
    info.set_uptime_ms(to_ms(now - started_));
    info.set_version(version_);
    info.set_journal_index(journal_.committed());
    *info.mutable_journal() = journal_;
}

void Queries::promoted(const pb::Promotion& row, Duration took) {
    took_us_[{row.family(), row.epoch()}] = to_us(took);
    if (took_us_.size() > timings_max) took_us_.erase(took_us_.begin());
}

void Queries::retire(Turn& turn, const Error& over) const {
    for (const auto& [token, lookup] : lookups_) turn.fail(lookup.session, lookup.request, over);
}

}  // namespace understudy::registry
