// SPDX-License-Identifier: Apache-2.0
#include "node/backup_file.hpp"

#include <gtest/gtest.h>

#include "runtime/core.hpp"
#include "store/memory_engine.hpp"
#include "store/snapshot_source.hpp"
#include "store/testing/run.hpp"

namespace skerry::node {
namespace {

admin::v1::BackupManifest manifest_of(int shards) {
  admin::v1::BackupManifest manifest;
  manifest.set_namespace_("default");
  for (int i = 0; i < shards; ++i) manifest.add_shards()->set_shard(i + 3);
  return manifest;
}

// Of shards 3, 4, …
std::vector<Bytes> blocks_of(int shards) {
  ManualClock clock;
  Core core(CoreId{0}, clock, 1);
  std::vector<Bytes> blocks;
  for (int i = 0; i < shards; ++i) {
    store::MemoryEngine engine;
    store::ShardEngine& shard = **engine.shard(ShardId(1));
    const store::Write write{store::Write::Kind::put, store::Space::records, "key", "value"};
    shard.apply({&write, 1}, Offset(0));
    store::SnapshotSource source(shard, {.shard = ShardId(i + 3), .term = Term(1)});
    while (auto block = *store::testing::run(core, source.next())) blocks.push_back(*std::move(block));
  }
  return blocks;
}

TEST(BackupFile, the_preface_comes_back_and_damage_to_it_is_found) {
  const auto manifest = manifest_of(2);
  const Bytes preface = encode_preface(manifest);
  const auto decode = [](BytesView bytes) -> Result<admin::v1::BackupManifest> {
    const BytesView head = bytes.substr(0, preface_head_bytes);
    TRY(const std::size_t length, manifest_length(head));
    return decode_preface(head, bytes.substr(preface_head_bytes, length));
  };
  const auto back = decode(preface);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->SerializeAsString(), manifest.SerializeAsString());
  for (std::size_t bit = 0; bit < preface.size() * 8; ++bit) {
    Bytes damaged = preface;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(decode(damaged)) << bit;
  }
}

TEST(BackupFile, a_whole_one_passes_and_is_counted) {
  BackupCheck check(manifest_of(2));
  for (const Bytes& block : blocks_of(2)) ASSERT_TRUE(check.take(block));
  EXPECT_TRUE(check.end());
  EXPECT_EQ(check.shards(), 2);
  EXPECT_EQ(check.records(), 2U);
}

TEST(BackupFile, one_that_ends_early_or_goes_on_is_refused) {
  const auto blocks = blocks_of(2);
  for (std::size_t length = 0; length < blocks.size(); ++length) {
    BackupCheck check(manifest_of(2));
    for (std::size_t i = 0; i < length; ++i) ASSERT_TRUE(check.take(blocks[i]));
    EXPECT_FALSE(check.end()) << length;
  }
  BackupCheck check(manifest_of(1));
  bool taken = true;
  for (const Bytes& block : blocks) taken = taken && check.take(block).has_value();
  EXPECT_FALSE(taken);
}

TEST(BackupFile, shards_in_another_order_are_refused) {
  auto manifest = manifest_of(2);
  manifest.mutable_shards()->SwapElements(0, 1);
  BackupCheck check(manifest);
  EXPECT_FALSE(check.take(blocks_of(1).front()));
}

}  // namespace
}  // namespace skerry::node
