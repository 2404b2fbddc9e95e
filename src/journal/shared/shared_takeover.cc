#include "journal/shared/shared_takeover.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/errors.h"
#include "base/plant.h"
#include "journal/format/whole_file.h"

namespace understudy::journal {

namespace {

// Other members may claim an epoch first. That does not happen so many times in a row.
constexpr int tries_max = 16;

Error given_up(std::string why) {
    return {.code = Errc::not_active, .detail = "takeover given up: " + std::move(why)};
}

}  // namespace

SharedTakeover::SharedTakeover(Disk& disk, Options options, Spare spare)
    : disk_(disk), options_(std::move(options)), spare_(std::move(spare)) {
    US_ASSERT(options_.tenure != 0);
    US_ASSERT(options_.journal != 0);
    record_ = {.epoch = {}, .tenure = options_.tenure, .member = options_.member};
}

Result<void> SharedTakeover::claim(Epoch at_least) {
    for (int tries = 0; tries < tries_max; ++tries) {
        auto claimed = try_claim(at_least);
        if (!claimed) return without_effect(std::move(claimed).error());
        if (*claimed) return {};
    }
    return Error{.code = Errc::in_use,
                 .detail = fmt::format("others claim every epoch of the journal in {} first",
                                       options_.directory)};
}

/// T1 to T3. False if another member has claimed that epoch meanwhile.
Result<bool> SharedTakeover::try_claim(Epoch at_least) {
    const std::string& directory = options_.directory;
    before_ = SharedNames::of(US_TRY(disk_.list(directory)));
    Epoch highest = before_.highest();
    const auto published = read_epoch(disk_, directory);
    // An `epoch` that cannot be read is replaced. The names of the files say enough.
    if (published && *published) highest = std::max(highest, (*published)->epoch);
    if (!published && published.error().code != Errc::corrupt) return published.error();
    record_.epoch = std::max(highest.next(), at_least);

    auto file = disk_.open(path_in(directory, claim_name(record_.epoch)), Disk::Open::create_new);
    if (!file && file.error().code == Errc::already_exists) return false;
    if (!file) return std::move(file).error();
    claim_ = *std::move(file);
    US_CHECK(claim_->lock());
    Buffer content = encode(record_);
    content.resize(process_offset);
    encode(options_.process, content);
    if (options_.prompts_at) {
        content.resize(address_offset);
        encode(*options_.prompts_at, content);
    }
    // The name of the claim takes the epoch. Its content is only of use while this process lives,
    // so it is not synced here.
    US_CHECK(claim_->write_at(0, content));
    if (!planted(Plant::shared_no_directory_sync)) US_CHECK(disk_.sync_directory(directory));
    return true;
}

Result<void> SharedTakeover::publish() {
    if (planted(Plant::shared_scan_before_publish)) US_CHECK(scan({}));
    const std::string& directory = options_.directory;
    if (auto published = publish_epoch(disk_, directory, record_); !published) {
        return without_effect(std::move(published).error());
    }
    if (planted(Plant::shared_no_claim_check)) return {};
    const SharedNames names = SharedNames::of(US_TRY(disk_.list(directory)));
    if (names.highest() > record_.epoch) {
        return given_up(fmt::format("epoch {} is claimed", names.highest().value));
    }
    return {};
}

Result<SharedTenure> SharedTakeover::finish(const Heard& heard, std::uint32_t journal) {
    if (!scanned_) {
        auto done = scan(heard);
        // Another member may have taken over and removed what it made superfluous.
        if (!done && done.error().code == Errc::corrupt) {
            if (auto own = check_epoch(disk_, options_.directory, record_); !own) done = own;
        }
        if (!done) return without_effect(std::move(done).error());
    }
    out_.record = record_;
    // The epoch that is taken over from says which journal it is, also if no entry of it has been
    // heard.
    out_.journal = journal_ != 0 ? journal_ : journal != 0 ? journal : options_.journal;
    out_.old = head_;
    out_.at = at_.last;
    Result<void> begun;
    if (planted(Plant::shared_append_to_old) && head_ != Epoch{}) {
        begun = go_on_in_old();
    } else {
        const std::uint64_t generation = first_generation(
            std::max<std::uint32_t>(1, static_cast<std::uint32_t>(options_.tenure >> 32)));
        const std::uint32_t seed = checksum_seed(generation);
        out_.tail.generation = generation;
        Buffer content(segment_header_bytes);  // Filled in last: the size is not known yet.
        encode(Seal{.journal = out_.journal,
                    .checksum = at_.checksum,
                    .epoch = record_.epoch,
                    .old = head_,
                    .at = at_.last,
                    .last = last_.last.next()},
               seed, content);
        write_entries(content, seed);
        begun = begin_segment(content);
    }
    if (!begun) return without_effect(std::move(begun).error());
    if (auto checked = check_epoch(disk_, options_.directory, record_); !checked) {
        return without_effect(std::move(checked).error());
    }
    collect(heard);
    out_.claim = claim_;
    return std::move(out_);
}

/// T6: reads what is there, and collects the entries that may have to be copied.
Result<void> SharedTakeover::scan(const Heard& heard) {
    scanned_ = true;
    const SharedNames names = SharedNames::of(US_TRY(disk_.list(options_.directory)));
    settled_ = names.segments == before_.segments;
    head_ = names.head();
    if (head_ > record_.epoch) {
        return given_up(fmt::format("epoch {} has begun", head_.value));
    }
    if (const auto lost = US_TRY(find_lost_segment(disk_, options_.directory, names))) {
        return Error{.code = Errc::corrupt,
                     .detail = fmt::format("entry {} of the journal in {} is damaged: {}: {}",
                                           lost->entry.value, options_.directory,
                                           shared_segment_name(lost->epoch, lost->generation),
                                           lost->why)};
    }
    Index known = heard.last;
    if (!names.checkpoints.empty()) known = std::max(known, names.checkpoints.front());
    if (head_ != Epoch{}) {
        const Index wanted = heard.last.next();
        auto parts = US_TRY(read_parts(disk_, options_.directory, names, wanted));
        journal_ = journal_of(parts);
        SharedCursor cursor(disk_, options_.directory, std::move(parts));
        // The next entry was removed because a checkpoint covers it. As a standby, this member
        // reads that checkpoint and can then try again.
        if (!US_TRY(cursor.seek(wanted))) return given_up("what comes next has been trimmed");
        US_CHECK(look_back(cursor, heard));
    }
    if (last_.last < known) {
        return Error{
            .code = Errc::corrupt,
            .detail = fmt::format("entry {} of the journal in {} is damaged: entries up "
                                  "to {} were durable",
                                  last_.last.next().value, options_.directory, known.value)};
    }
    return {};
}

Result<void> SharedTakeover::look_back(SharedCursor& cursor, const Heard& heard) {
    at_ = cursor.position().chain;
    for (;;) {
        const auto found = US_TRY(cursor.next());
        if (!found) break;
        copies_.push_back(
            {.header = found->header, .body = Buffer(found->body.begin(), found->body.end())});
        while (!copies_.empty() && copies_.front().header.index <= cursor.durable() &&
               copies_.front().header.index <= heard.last) {
            at_.last = copies_.front().header.index;
            at_.checksum = copies_.front().header.checksum;
            copies_.pop_front();
        }
    }
    US_CHECK(cursor.judge());
    end_ = cursor.position();
    last_ = end_.chain;
    Index at = cursor.durable();
    if (planted(Plant::shared_copy_nothing)) at = last_.last;
    for (const Copy& copy : copies_) {
        if (copy.header.index > at) break;
        at_.last = copy.header.index;
        at_.checksum = copy.header.checksum;
    }
    if (last_.epoch == Epoch{}) last_.epoch = heard.epoch;
    return {};
}

/// Writes copies of the entries after the seal's `at`, and the tenure entry.
void SharedTakeover::write_entries(Buffer& out, std::uint32_t seed) {
    Chain chain{.last = at_.last, .epoch = {}, .checksum = at_.checksum};
    for (const Copy& copy : copies_) {
        if (copy.header.index <= at_.last) continue;
        const Entry entry{.index = copy.header.index,
                          .epoch = copy.header.epoch,
                          .type = copy.header.type,
                          .body = copy.body};
        chain.checksum = encode(entry, {.previous = chain.checksum, .synced = at_.last}, seed, out);
        chain.last = entry.index;
    }
    US_ASSERT(chain.last == last_.last);
    const Entry tenure{
        .index = chain.last.next(), .epoch = record_.epoch, .type = EntryType::tenure, .body = {}};
    chain.checksum = encode(tenure, {.previous = chain.checksum, .synced = at_.last}, seed, out);
    out_.tail.chain = {.last = tenure.index, .epoch = tenure.epoch, .checksum = chain.checksum};
}

/// T7: the segment is complete before it gets its name.
Result<void> SharedTakeover::begin_segment(const Buffer& content) {
    const std::string& directory = options_.directory;
    Tail& tail = out_.tail;
    const std::uint64_t needed =
        (content.size() + segment_bytes_step - 1) / segment_bytes_step * segment_bytes_step;
    tail.segment_bytes = std::max(options_.segment_bytes, needed);
    tail.used_bytes = content.size();
    Buffer whole;
    encode(SegmentHeader{.generation = tail.generation,
                         .size_bytes = tail.segment_bytes,
                         .first = at_.last.next(),
                         .previous = at_.checksum},
           whole);
    whole.insert(whole.end(), content.begin() + segment_header_bytes, content.end());

    const std::string name = shared_segment_name(record_.epoch, tail.generation);
    if (spare_.file && tail.segment_bytes == options_.segment_bytes) {
        return use_spare(whole, name);
    }
    auto file = US_TRY(begin_whole_file(disk_, directory, name));
    Result<void> filled = file->lock();
    if (filled) filled = file->write_at(0, whole);
    if (filled) filled = write_zeros(*file, whole.size(), tail.segment_bytes);
    if (filled) filled = settle_names();
    if (filled && planted(Plant::shared_no_directory_sync)) {
        filled = file->sync();
        const std::string path = path_in(directory, name);
        if (filled) filled = disk_.rename(path + std::string(temporary_suffix), path);
    } else if (filled) {
        filled = name_whole_file(disk_, directory, name, *file);
    }
    if (!filled) {
        give_up_whole_file(disk_, directory, name);
        return filled;
    }
    out_.segment = std::move(file);
    return {};
}

Result<void> SharedTakeover::use_spare(const Buffer& content, const std::string& name) {
    const std::string path = path_in(options_.directory, spare_.name);
    out_.segment = std::move(spare_.file);
    Result<void> done = out_.segment->write_at(0, content);
    if (done) done = out_.segment->sync();
    if (done) done = settle_names();
    if (done) done = disk_.rename(path, path_in(options_.directory, name));
    if (!done) {
        static_cast<void>(disk_.remove(path));  // It is not all zeros any more.
        return done;
    }
    if (planted(Plant::shared_no_directory_sync)) return {};
    return disk_.sync_directory(options_.directory);
}

/// Makes the names durable on which the seal depends. Its old segment was seen, but the member that
/// named it may have stopped before it synced the directory. Names may become durable in any order.
Result<void> SharedTakeover::settle_names() {
    if (planted(Plant::shared_no_directory_sync)) return {};
    if (planted(Plant::shared_names_in_any_order)) return {};
    // All segments that count were there before the directory was synced to publish the epoch.
    if (settled_) return {};
    return disk_.sync_directory(options_.directory);
}

/// What the planted bug `shared_append_to_old` does instead.
Result<void> SharedTakeover::go_on_in_old() {
    const std::string name = shared_segment_name(head_, end_.generation);
    out_.segment = US_TRY(disk_.open(path_in(options_.directory, name), Disk::Open::existing));
    const Entry tenure{
        .index = last_.last.next(), .epoch = record_.epoch, .type = EntryType::tenure, .body = {}};
    Buffer bytes;
    const Link link{.previous = last_.checksum, .synced = at_.last};
    const std::uint32_t checksum = encode(tenure, link, checksum_seed(end_.generation), bytes);
    US_CHECK(out_.segment->write_at(end_.offset, bytes));
    US_CHECK(out_.segment->sync());
    out_.tail = {.generation = end_.generation,
                 .segment_bytes = US_TRY(out_.segment->size()),
                 .used_bytes = end_.offset + bytes.size(),
                 .chain = {.last = tenure.index, .epoch = tenure.epoch, .checksum = checksum}};
    return {};
}

/// Collects what this member has not heard yet: some of the copies, and the tenure entry.
void SharedTakeover::collect(const Heard& heard) {
    for (const Copy& copy : copies_) {
        if (copy.header.index <= heard.last) continue;
        out_.entries.push_back({.header = copy.header, .body_offset = out_.bodies.size()});
        out_.bodies.insert(out_.bodies.end(), copy.body.begin(), copy.body.end());
    }
    EntryHeader tenure;
    tenure.index = out_.tail.chain.last;
    tenure.epoch = record_.epoch;
    tenure.type = EntryType::tenure;
    out_.entries.push_back({.header = tenure, .body_offset = out_.bodies.size()});
}

}  // namespace understudy::journal
