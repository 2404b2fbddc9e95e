// The examples in docs/formats/record.md, encoded and decoded.
#include <gtest/gtest.h>

#include "record/apply.h"
#include "record/arguments.h"
#include "record/messages.h"
#include "wire/worked_example_test.h"

namespace understudy::record {
namespace {

Buffer example(const std::string& name) { return wire::worked_example("record.md", name); }

RecordImage documented() {
    RecordImage image;
    image.fields["count"] = -2;
    image.fields["from"] = "Bar1";
    image.fields["ratio"] = 0.5;
    image.submaps["legs"]["raw"] = Blob{std::byte{0}, std::byte{255}};
    return image;
}

TEST(RecordFormat, TheImageIsAsDocumented) {
    Buffer bytes;
    encode_image(documented(), bytes);
    EXPECT_EQ(bytes, example("image"));
    EXPECT_EQ(to_image(example("image")).value_or_throw(), documented());
}

TEST(RecordFormat, TheDeltaIsAsDocumented) {
    const Buffer delta = example("delta");
    DeltaView view;
    ASSERT_TRUE(decode_delta(delta, view));
    RecordImage image = documented();
    RecordChange change;
    apply(image, view, &change);
    EXPECT_EQ(image.text("from"), "Bar2");
    EXPECT_EQ(image.find("ratio"), nullptr);
    EXPECT_EQ(*image.find("legs", "n"), Value(1));
    EXPECT_EQ(image.submap("legs")->size(), 2U);

    Buffer bytes;
    encode_delta(change, bytes);
    EXPECT_EQ(bytes, delta);
}

TEST(RecordFormat, ACallIsAsDocumented) {
    const Buffer body = example("rpc_request");
    const auto request = decode_rpc_request(body).value_or_throw();
    EXPECT_EQ(request.call, CallId{1});
    EXPECT_EQ(request.timeout_ms, 5000U);
    EXPECT_EQ(request.epoch, Epoch{3});
    EXPECT_EQ(request.name, "sum");
    EXPECT_EQ(decode_arguments(request.arguments).value_or_throw(), (Fields{{"a", 7}}));
    Buffer bytes;
    encode(request, bytes);
    EXPECT_EQ(bytes, body);

    const Buffer refusal = example("rpc_reply");
    const auto reply = decode_rpc_reply(refusal).value_or_throw();
    EXPECT_EQ(to_string(std::get<Error>(reply.outcome)), "not_active: standby (effect: none)");
    encode(reply, bytes);
    EXPECT_EQ(bytes, refusal);
}

}  // namespace
}  // namespace understudy::record
