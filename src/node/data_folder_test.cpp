// SPDX-License-Identifier: Apache-2.0
#include "node/data_folder.hpp"

#include <gtest/gtest.h>

#include "disk/testing/simulated_disk.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {
namespace {

Task<> open_into(disk::Disk& disk, Core& core, FolderWish wish, std::optional<Result<std::unique_ptr<DataFolder>>>& outcome) {
  outcome.emplace(co_await DataFolder::open(disk, "data", std::move(wish), core.random()));
}

// A machine that can be switched off: what was not synced is forgotten.
class DataFolderTest : public testing::Test {
 protected:
  Result<std::unique_ptr<DataFolder>> open(FolderWish wish) {
    std::optional<Result<std::unique_ptr<DataFolder>>> outcome;
    tasks_.spawn(open_into(disk_, core_, std::move(wish), outcome));
    while (!outcome) {
      while (core_.run_turn()) {}
      if (!outcome) clock_.advance(10ms);   // it waits for the lock
    }
    return *std::move(outcome);
  }
  static FolderWish shards(std::uint32_t count) {
    return {.nodes = 1, .namespaces = {{.name = "default", .shards = count, .order = {}, .notifications = {}}}};
  }
  void write(const std::string& path, const std::string& text) { state_.put(path, text); }

  ManualClock clock_;
  Core core_{CoreId{0}, clock_, 1};
  disk::SimulatedDiskState state_;
  disk::SimulatedDisk disk_{core_, state_};
  TaskScope tasks_{core_};
};

TEST_F(DataFolderTest, a_start_takes_a_higher_term_and_keeps_the_shards) {
  auto first = open(shards(3));
  ASSERT_TRUE(first.has_value()) << first.error().message();
  EXPECT_TRUE((*first)->created());
  const std::string id = (*first)->status().instance_id;
  EXPECT_EQ((*first)->status().namespaces.at("default").shards.at(ShardId{0}).term, Term{1});
  first->reset();
  const auto second =
      open(FolderWish{.nodes = 1, .namespaces = {{.name = "default", .shards = {}, .order = {}, .notifications = {}}}});
  ASSERT_TRUE(second.has_value()) << second.error().message();
  EXPECT_FALSE((*second)->created());
  EXPECT_EQ((*second)->status().instance_id, id);
  EXPECT_EQ((*second)->status().namespaces.at("default").shards.size(), 3U);
  EXPECT_EQ((*second)->status().namespaces.at("default").shards.at(ShardId{0}).term, Term{2});
}

TEST_F(DataFolderTest, another_shard_count_is_refused_and_the_remedy_named) {
  ASSERT_TRUE(open(shards(4)).has_value());
  const auto refused = open(shards(1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), Errc::invalid_argument);
  EXPECT_EQ(
      refused.error().text,
      "data: namespace \"default\" has 4 shards in this data folder, and 1 are asked for; a shard count is fixed when a namespace is "
      "made: start with 4, or use another data folder");
}

TEST_F(DataFolderTest, only_one_process_may_hold_it) {
  const auto first = open(shards(1));
  ASSERT_TRUE(first.has_value());
  const auto second = open(shards(1));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error(), Errc::already_exists);
}

TEST_F(DataFolderTest, a_node_that_is_gone_is_not_served_as_empty) {
  ASSERT_TRUE(open(shards(1)).has_value());
  state_.erase("data/node-0/identity");
  const auto refused = open(shards(1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), Errc::corrupt);
  EXPECT_NE(refused.error().text.find("data/node-0/identity is missing"), std::string::npos) << refused.error().text;
}

TEST_F(DataFolderTest, a_node_of_another_cluster_is_refused) {
  ASSERT_TRUE(open(shards(1)).has_value());
  write("data/node-0/identity", "cluster 0123 node 0\n");
  const auto refused = open(shards(1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().text.find("belongs to another cluster"), std::string::npos) << refused.error().text;
}

TEST_F(DataFolderTest, a_start_that_dies_anywhere_before_the_marker_is_begun_again) {
  ASSERT_TRUE(open(shards(2)).has_value());
  state_.erase("data/skerry-format");
  const auto again = open(shards(3));
  ASSERT_TRUE(again.has_value()) << again.error().message();
  EXPECT_TRUE((*again)->created());
  EXPECT_EQ((*again)->status().namespaces.at("default").shards.size(), 3U);
}

TEST_F(DataFolderTest, a_folder_of_someone_else_is_left_alone) {
  ASSERT_TRUE(disk_.make_folders("data"));
  write("data/thesis.tex", "\\begin{document}");
  const auto refused = open(shards(1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), Errc::invalid_argument);
  EXPECT_NE(refused.error().text.find("thesis.tex"), std::string::npos);
}

TEST_F(DataFolderTest, a_newer_format_asks_for_the_newer_program) {
  ASSERT_TRUE(open(shards(1)).has_value());
  write("data/skerry-format", "skerry data folder, format 7\n");
  const auto refused = open(shards(1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), Errc::unsupported);
  EXPECT_EQ(refused.error().text, "data has format 7, and this program reads up to 1: start the newer Skerry that wrote it");
}

TEST_F(DataFolderTest, a_cut_status_document_is_refused_wherever_it_was_cut) {
  ASSERT_TRUE(open(shards(2)).has_value());
  const std::string whole = *disk::read_file(disk_, "data/cluster-status.yaml");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write("data/cluster-status.yaml", whole.substr(0, length));
    const auto refused = open(shards(2));
    ASSERT_FALSE(refused.has_value()) << length;
    EXPECT_EQ(refused.error(), Errc::corrupt) << length;
  }
}

}  // namespace
}  // namespace skerry::node
