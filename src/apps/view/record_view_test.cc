#include "apps/view/record_view.h"

#include <gtest/gtest.h>

#include "wire/json.h"

namespace understudy::apps {
namespace {

TEST(RecordView, WhatIsNoAssignmentIsRefused) {
    for (const char* text : {"novalue", "=x", "f:=nonsense", "f:=", "a/b/c=1", "/f=1", "s/=1",
                             ".hidden=1"}) {
        const auto result = parse_assignments("R", {text});
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code, Errc::bad_config);
    }
    EXPECT_FALSE(parse_assignments("a/b", {"f=1"}));
}

TEST(RecordView, AssignmentsKeepTheirTypes) {
    const auto result = parse_assignments(
        "R", {"t=1", "i:=1", "r:=1.0", "gone:=null", "s/f=x=y", "e=", "b:={\"$bytes\":\"00ff\"}"});
    ASSERT_TRUE(result) << result.error().detail;
    EXPECT_EQ(wire::to_json(*result),
              "{\"fields\":{\"b\":{\"$bytes\":\"00ff\"},\"e\":\"\",\"gone\":null,\"i\":1,\"r\":1.0,"
              "\"t\":\"1\"},\"record\":\"R\",\"submaps\":{\"s\":{\"f\":\"x=y\"}}}");
}

TEST(RecordView, AChangeIsOneLine) {
    RecordChange change;
    change.is_image = true;
    change.epoch = {2};
    change.sequence = 7;
    change.fields.puts = {{"a message", "Hello\nWorld"}, {"n", 3}};
    change.submaps["s"].removed = {{"f", 1.5}};
    EXPECT_EQ(change_text(change), "2.7  image   a message = Hello\\nWorld, n = 3, -s/f\n");
    EXPECT_EQ(wire::to_json(change_json("F", "R", change)),
              "{\"epoch\":2,\"kind\":\"image\",\"puts\":{\"a message\":\"Hello\\nWorld\",\"n\":3},"
              "\"record\":\"R\",\"removed\":[],\"sequence\":7,\"service\":\"F\","
              "\"submaps\":{\"s\":{\"puts\":{},\"removed\":[\"f\"]}}}");
}

TEST(RecordView, FieldsOfSubmapsCarryItsName) {
    RecordImage image;
    image.fields = {{"t", "x"}};
    image.submaps["s"] = {{"b", Value(Blob{std::byte{0}, std::byte{255}})}};
    const Listing listing = list_fields(image);
    EXPECT_EQ(to_text(listing, Format::csv, Paint::plain),
              "field,type,value\nt,text,x\ns/b,bytes,00ff\n");
    EXPECT_EQ(wire::to_json(record_json("F", "R", image)),
              "{\"fields\":{\"t\":\"x\"},\"record\":\"R\",\"service\":\"F\","
              "\"submaps\":{\"s\":{\"b\":{\"$bytes\":\"00ff\"}}}}");
}

}  // namespace
}  // namespace understudy::apps
