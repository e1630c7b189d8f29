// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "net/stream.hpp"

namespace skerry::net {
namespace {

TEST(Address, parses_names_literals_and_bare_ports) {
  EXPECT_EQ(Address::parse("localhost:6648"), (Address{"localhost", 6648}));
  EXPECT_EQ(Address::parse("127.0.0.1:0"), (Address{"127.0.0.1", 0}));
  EXPECT_EQ(Address::parse("[::1]:65535"), (Address{"::1", 65535}));
  EXPECT_EQ(Address::parse(":80"), (Address{"", 80}));
}

TEST(Address, prints_what_it_parses) {
  for (const std::string text : {"localhost:6648", "127.0.0.1:0", "[fe80::1%2]:443", ":80"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
}

TEST(Address, refuses_malformed_text_and_says_what_is_expected) {
  for (const std::string text : {"", "host", "host:", "host:x", "host:65536", "host:-1", "host:+1", "host: 1", "::1:80",
                                 "[::1:80", "[]:80", "[host]:80", "ho st:80", "a/b:80", "host:80 "}) {
    const auto address = Address::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error(), Errc::invalid_argument);
    EXPECT_NE(address.error().text.find("expected host:port"), std::string::npos) << address.error().text;
  }
}

}  // namespace
}  // namespace skerry::net
