// The multipart reader: whatever the pieces are cut like, the parts are the same.
#include "http/multipart.h"

#include <random>

#include <gtest/gtest.h>

namespace pgherd {
namespace {

struct Part {
    std::string name, filename, type, content;
    friend bool operator==(const Part&, const Part&) = default;
};

// Reads all in pieces of `size`; "!" as the last name stands for a body that is no multipart or has no end.
std::vector<Part> read(std::string_view body, std::size_t size, std::string_view boundary = "xyz") {
    MultipartReader reader(boundary);
    std::vector<Part> parts;
    while (true) {
        const auto event = reader.next();
        if (!event) {
            parts.push_back({"!", event.error().message, {}, {}});
            return parts;
        }
        switch (*event) {
            case MultipartReader::Event::need_more:
                if (body.empty()) {
                    parts.push_back({"!", "ends early", {}, {}});
                    return parts;
                }
                reader.feed(body.substr(0, size));
                body.remove_prefix(std::min(size, body.size()));
                break;
            case MultipartReader::Event::part_begin:
                parts.push_back({reader.head().name, reader.head().filename, reader.head().content_type, {}});
                break;
            case MultipartReader::Event::data: parts.back().content += reader.data(); break;
            case MultipartReader::Event::part_end: break;
            case MultipartReader::Event::end: return parts;
        }
    }
}

TEST(Multipart, GivesTheSamePartsHoweverTheBodyIsCut) {
    const std::string body =
        "preamble\r\n--xyz\r\nContent-Disposition: form-data; name=\"request\"\r\nContent-Type: "
        "application/json\r\n\r\n{\"a\":1}"
        "\r\n--xyz  \r\ncontent-disposition: FORM-DATA; filename=\"/a \\\"b\\\\c\\x.txt\"; name=files\r\n\r\n"
        "line\r\n--xy\r\n\r\n--xyzzy\r\n--xyz-\r\n-\r\n"
        "\r\n--xyz\r\n\r\n\r\n--xyz--\r\nepilogue --xyz";
    const std::vector<Part> expected = {
        {"request", "", "application/json", "{\"a\":1}"},
        {"files", "/a \"b\\c\\x.txt", "", "line\r\n--xy\r\n\r\n--xyzzy\r\n--xyz-\r\n-\r\n"},
        {"", "", "", ""},
    };
    for (std::size_t size = 1; size <= body.size(); ++size) EXPECT_EQ(read(body, size), expected) << size;
}

TEST(Multipart, ReadsWhatItWrites) {
    std::mt19937 random(7);
    std::string content(300'000, 'x');
    for (char& c : content) c = static_cast<char>("\r\n-xyz\0\xff"[random() % 8]);
    const MultipartHead head{"files", "/path/with \"quotes\" and \\ in it", "application/octet-stream"};
    const std::string boundary = "xyzxyzxyz0";
    const std::string body = multipart_part(boundary, head, true) + content +
                             multipart_part(boundary, {"response", {}, "application/json"}, false) + "{}" +
                             multipart_end(boundary, false);
    const std::vector<Part> expected = {{head.name, head.filename, head.content_type, content},
                                        {"response", "", "application/json", "{}"}};
    for (const std::size_t size : {1000u, 4096u, 65536u, 1'000'000u})
        EXPECT_EQ(read(body, size, boundary), expected);
    EXPECT_EQ(read(multipart_end(boundary, true), 10, boundary), std::vector<Part>());
}

TEST(Multipart, RefusesWhatHasNoEndOrNoHeaders) {
    EXPECT_EQ(read("", 10).back().name, "!");
    EXPECT_EQ(read("no boundary at all", 10).back().filename, "ends early");
    EXPECT_EQ(read("--xyz\r\nContent-Disposition: form-data\r\n\r\nabc", 10).back().filename, "ends early");
    EXPECT_EQ(read("--xyz\r\nno colon\r\n\r\nabc", 10).back().name, "!");
    EXPECT_EQ(read("--xyz\r\nA: " + std::string(20'000, 'x') + "\r\n\r\n", 1000).back().name, "!");
    EXPECT_EQ(read("--xyz\r\nA: " + std::string(20'000, 'x') + "\r\n\r\n", 100'000).back().name, "!");
}

TEST(Multipart, FindsTheBoundaryInTheContentType) {
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
    EXPECT_EQ(multipart_boundary("Multipart/Form-Data;charset=x; boundary=\"a b;c\""), "a b;c");
    EXPECT_FALSE(multipart_boundary("multipart/form-data"));
    EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary=\"\""));
    EXPECT_FALSE(multipart_boundary("application/json; boundary=abc"));
    EXPECT_FALSE(multipart_boundary("multipart/form-data; ;;=; boundary"));
}

}  // namespace
}  // namespace pgherd
