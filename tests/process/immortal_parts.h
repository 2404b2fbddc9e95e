#pragma once

#include <cstdint>

#include "understudy/immortal.h"

namespace understudy::process {

/// Counts its callers.
class Server final : public Immortal {
public:
    std::int64_t greet() { return ++greetings; }
    void note() { ++notes; }
    std::int64_t touch() { return ++touches; }

    template <class F>
    void fields(F& f) {
        f(greetings, notes, touches);
    }
    template <class H>
    static void handlers(H& h) {
        h("greet", &Server::greet);
        h("note", &Server::note);
        h("touch", &Server::touch);
    }

    std::int64_t greetings = 0;
    std::int64_t notes = 0;
    std::int64_t touches = 0;
};

/// Greets the server, with some calls at once, and checks whether each answer is the next one.
class Client final : public Immortal {
public:
    static constexpr std::int64_t at_once = 8;

    void begin(std::int64_t many) {
        left += many;
        while (under_way < at_once && left > 0) greet();
    }
    /// The same, with the number of calls as the answer.
    std::int64_t ask(std::int64_t many) {
        begin(many);
        return ++asks;
    }
    void greeted(const Result<std::int64_t>& count) {
        --under_way;
        ++answers;
        if (!count || *count != answers) ++wrong;
        if (left > 0) greet();
    }

    template <class F>
    void fields(F& f) {
        f(left, under_way, answers, wrong, asks);
    }
    template <class H>
    static void handlers(H& h) {
        h("begin", &Client::begin);
        h("ask", &Client::ask);
        h("greeted", &Client::greeted);
    }

    std::int64_t left = 0;
    std::int64_t under_way = 0;
    std::int64_t answers = 0;
    std::int64_t wrong = 0;
    std::int64_t asks = 0;

private:
    void greet() {
        --left;
        ++under_way;
        call<&Server::greet>("server").then<&Client::greeted>();
    }
};

}  // namespace understudy::process
