// SPDX-License-Identifier: Apache-2.0
#include "control/node_record.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "net/testing/world.hpp"

namespace skerry::control {
namespace {

const std::string path = "/node-0/cluster-node", younger = "/node-0/log";

struct NodeRecordTest : testing::Test {
  NodeRecordTest() { EXPECT_TRUE(disk.make_folders("/node-0")); }

  void write(std::string text) {
    text += fmt::format("# checksum of all above: {:08x}\n", crc32c(text));
    world.run(put(std::move(text)));
  }
  Task<> put(std::string text) { EXPECT_TRUE(co_await disk::replace_file(disk, path, text)); }
  Error failure() {
    Error failure;
    world.run(open(failure));
    return failure;
  }
  Task<> open(Error& failure) {
    const auto record = co_await NodeRecord::open(world.core, disk, path, younger);
    if (!record) failure = record.error();
  }

  net::testing::ManualWorld world;
  disk::SimulatedDiskState platters;
  disk::SimulatedDisk disk{world.core, platters};
};

TEST_F(NodeRecordTest, what_a_newer_program_wrote_is_refused_and_is_no_damage) {
  write("incarnation: 3\nwhat_comes_later: 7\n");
  const Error refusal = failure();
  EXPECT_EQ(refusal, Errc::unsupported);
  EXPECT_NE(refusal.text.find("start the version that wrote it"), std::string::npos) << refusal.text;
}

TEST_F(NodeRecordTest, one_that_was_changed_is_damaged) {
  write("incarnation: 3\n");
  auto text = disk::read_file(disk, path);
  ASSERT_TRUE(text);
  text->at(0) = 'j';
  world.run(put(*std::move(text)));
  EXPECT_EQ(failure(), Errc::corrupt);
}

}  // namespace
}  // namespace skerry::control
