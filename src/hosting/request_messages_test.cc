#include "hosting/request_messages.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy::hosting {
namespace {

[[nodiscard]] Buffer joined(Buffer head, std::string_view rest) {
    head.insert(head.end(), as_bytes(rest).begin(), as_bytes(rest).end());
    return head;
}

TEST(RequestMessages, AreReadAsTheyWereWritten) {
    const RequestHello hello{.service = "Orders", .session = {7}, .epoch = {3}};
    EXPECT_EQ(decode_request_hello(encode(hello)).value_or_throw(), hello);

    const RequestGreeting welcome = RequestWelcome{.member = "a", .epoch = {4}, .session = {7}};
    EXPECT_EQ(decode_request_greeting(encode(welcome)).value_or_throw(), welcome);
    const RequestGreeting elsewhere = RequestElsewhere{
        .member = "b", .epoch = {5}, .address = {.host = "10.0.0.2", .port = 4711}};
    EXPECT_EQ(decode_request_greeting(encode(elsewhere)).value_or_throw(), elsewhere);

    const Buffer submit =
        joined(encode_head(SubmitMessage{.number = {300}, .answered = {299}, .command = {}}), "do");
    const auto request = decode_submit(submit).value_or_throw();
    EXPECT_EQ(request.number, RequestNo{300});
    EXPECT_EQ(request.answered, RequestNo{299});
    EXPECT_EQ(as_text(request.command), "do");

    EXPECT_EQ(decode_outcome(encode_outcome({9})).value_or_throw(), RequestNo{9});
}

TEST(RequestMessages, AnAnswerIsAReplyOrAnError) {
    const Buffer reply =
        joined(encode_head(AnswerMessage{.number = {1}, .fate = RequestFate::not_applied}), "done");
    const auto told = decode_answer(reply).value_or_throw();
    EXPECT_EQ(told.number, RequestNo{1});
    EXPECT_EQ(told.fate, RequestFate::not_applied);
    EXPECT_FALSE(told.error);
    EXPECT_EQ(as_text(told.reply), "done");

    const Error error{
        .code = Errc::no_space, .effect = Effect::unknown, .detail = "18 MiB are free"};
    const auto refused =
        decode_answer(encode_head(AnswerMessage{.number = {2}, .error = error})).value_or_throw();
    ASSERT_TRUE(refused.error);
    EXPECT_EQ(refused.error->code, Errc::no_space);
    EXPECT_EQ(refused.error->effect, Effect::unknown);
    EXPECT_EQ(refused.error->detail, "18 MiB are free");
}

TEST(RequestMessages, WhatMakesNoSenseIsRefused) {
    EXPECT_EQ(decode_request_hello(as_bytes("GET / HTTP/1.1")).error().code, Errc::refused);
    Buffer newer = encode(RequestHello{.service = "Orders"});
    newer[4] = std::byte{2};
    EXPECT_EQ(decode_request_hello(newer).error().code, Errc::refused);
    Buffer cut = encode(RequestHello{.service = "Orders"});
    cut.pop_back();
    EXPECT_EQ(decode_request_hello(cut).error().code, Errc::corrupt);
    EXPECT_EQ(
        decode_request_hello(encode(RequestHello{.service = std::string(5000, 'x')})).error().code,
        Errc::corrupt);
    // The number 0, and a number that has been answered already.
    EXPECT_FALSE(
        decode_submit(encode_head(SubmitMessage{.number = {0}, .answered = {}, .command = {}})));
    EXPECT_FALSE(
        decode_submit(encode_head(SubmitMessage{.number = {4}, .answered = {4}, .command = {}})));
    EXPECT_FALSE(decode_submit(
        joined(encode_head(SubmitMessage{.number = {1}, .answered = {}, .command = {}}),
               std::string(request_bytes_max + 1, 'x'))));
    EXPECT_FALSE(decode_answer(Bytes{}));
    EXPECT_FALSE(decode_outcome(encode_outcome({0})));
}

}  // namespace
}  // namespace understudy::hosting
