#include "tests/history/history.h"

#include <istream>
#include <ostream>

namespace understudy::history {
namespace json = boost::json;

namespace {

Error corrupt(std::string detail) {
    return Error{.code = Errc::corrupt, .detail = std::move(detail)};
}

const json::value* member(const json::object& line, const char* key) {
    return line.if_contains(key);
}

Result<std::uint64_t> number(const json::object& line, const char* key) {
    const json::value* value = member(line, key);
    if (value == nullptr) return std::uint64_t{0};
    if (const auto* plain = value->if_int64(); plain != nullptr && *plain >= 0) {
        return static_cast<std::uint64_t>(*plain);
    }
    if (const auto* large = value->if_uint64()) return *large;
    return corrupt(std::string(key) + " is not a number from 0");
}

Result<std::string> text(const json::object& line, const char* key) {
    const json::value* value = member(line, key);
    if (value == nullptr) return std::string();
    if (const auto* string = value->if_string()) return std::string(*string);
    return corrupt(std::string(key) + " is not a string");
}

Result<Type> type_of(const std::string& text) {
    for (const Type type : {Type::invoke, Type::ok, Type::fail, Type::info}) {
        if (text == name(type)) return type;
    }
    return corrupt("unknown type \"" + text + "\"");
}

Result<Event> event_of(json::object& line) {
    Event event;
    event.index = US_TRY(number(line, "index"));
    const std::uint64_t time = US_TRY(number(line, "time"));
    if (time > static_cast<std::uint64_t>(INT64_MAX)) return corrupt("time is out of range");
    event.time = static_cast<std::int64_t>(time);
    const json::value* process = member(line, "process");
    if (process == nullptr) return corrupt("process is missing");
    if (const auto* witness = process->if_string()) {
        event.process = -1;
        event.witness = std::string(*witness);
        if (event.witness.empty()) return corrupt("process is empty");
    } else if (const auto* client = process->if_int64(); client != nullptr && *client >= 0) {
        event.process = *client;
    } else {
        return corrupt("process is neither a number from 0 nor a string");
    }
    const std::string type = US_TRY(text(line, "type"));
    event.type = US_TRY(type_of(type));
    event.f = US_TRY(text(line, "f"));
    if (event.f.empty()) return corrupt("f is missing");
    event.key = US_TRY(text(line, "key"));
    event.epoch = US_TRY(number(line, "epoch"));
    event.rev = US_TRY(number(line, "rev"));
    event.node = US_TRY(text(line, "node"));
    event.opid = US_TRY(text(line, "opid"));
    event.error = US_TRY(text(line, "error"));
    if (json::value* value = line.if_contains("value")) event.value = std::move(*value);
    return event;
}

Result<void> take_line(History& history, bool first, const std::string& line) {
    json::error_code problem;
    json::value parsed = json::parse(line, problem);
    if (problem) return corrupt(problem.message());
    json::object* object = parsed.if_object();
    if (object == nullptr) return corrupt("not an object");
    if (history.end) return corrupt("a line behind the end");
    if (first) {
        const json::value* version = member(*object, "h");
        if (version == nullptr || !version->is_int64() || version->get_int64() != 1) {
            return corrupt("the first line must say \"h\":1");
        }
        history.header = std::move(*object);
        return {};
    }
    if (const json::value* what = member(*object, "t")) {
        if (!what->is_string() || what->get_string() != "end") return corrupt("unknown t");
        history.end = std::move(*object);
        return {};
    }
    Event event = US_TRY(event_of(*object));
    if (event.index != history.events.size()) {
        return corrupt("index is " + std::to_string(event.index) + " and must be " +
                       std::to_string(history.events.size()));
    }
    history.events.push_back(std::move(event));
    return {};
}

}  // namespace

std::string_view name(Type type) {
    switch (type) {
        case Type::invoke:
            return "invoke";
        case Type::ok:
            return "ok";
        case Type::fail:
            return "fail";
        case Type::info:
            return "info";
    }
    return "";
}

Result<History> read_history(std::istream& in) {
    History history;
    std::string line;
    std::uint64_t number = 0;
    while (std::getline(in, line)) {
        ++number;
        auto taken = line.size() > line_bytes_max ? Result<void>(corrupt("the line is too long"))
                                                  : take_line(history, number == 1, line);
        if (!taken) {
            return corrupt("line " + std::to_string(number) + ": " + taken.error().detail);
        }
    }
    if (number == 0) return corrupt("the file is empty");
    return history;
}

std::string to_line(const Event& event) {
    json::object line;
    line["index"] = event.index;
    line["time"] = event.time;
    if (event.witness.empty()) {
        line["process"] = event.process;
    } else {
        line["process"] = event.witness;
    }
    line["type"] = name(event.type);
    line["f"] = event.f;
    if (!event.key.empty()) line["key"] = event.key;
    if (!event.value.is_null()) line["value"] = event.value;
    if (event.epoch != 0) line["epoch"] = event.epoch;
    if (event.rev != 0) line["rev"] = event.rev;
    if (!event.node.empty()) line["node"] = event.node;
    if (!event.opid.empty()) line["opid"] = event.opid;
    if (!event.error.empty()) line["error"] = event.error;
    return json::serialize(line);
}

Writer::Writer(std::ostream& out, json::object header) : out_(out) {
    header["h"] = 1;
    header.insert({{"clock", "harness-monotonic-ns"}});
    out_ << json::serialize(header) << '\n' << std::flush;
}

std::uint64_t Writer::write(Event event) {
    event.index = next_++;
    out_ << to_line(event) << '\n' << std::flush;
    return event.index;
}

void Writer::end(bool drained, json::object final) {
    json::object line;
    line["t"] = "end";
    line["ops"] = next_;
    line["drained"] = drained;
    line["final"] = std::move(final);
    out_ << json::serialize(line) << '\n' << std::flush;
}

}  // namespace understudy::history
