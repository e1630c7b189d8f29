// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>

#include "disk/disk.hpp"
#include "store/engine.hpp"
#include "store/memory_tree.hpp"

namespace skerry {
class Core;
}

namespace skerry::store {

// All tables of one shard, and the offset they stand for. Copies cost nothing (MemoryTree).
struct MemoryState {
  Offset applied = no_offset;
  std::array<MemoryTree, space_count> spaces;
};

// The file of one shard's state, whole:
//   header  "SKSTATE1", shard u32, offset u64, crc u32 of what is before
//   blocks  size u32, crc u32, then `size` bytes of records: space u8, sized key, sized value
//   end     0xFFFFFFFF u32, crc u32, count of records u64
// Integers are little endian. The crc of each block continues that of the one before, so that a missing, doubled or swapped block
// shows. Writes beside `path`, syncs, and replaces it; lets the core do other work between blocks.
Task<Result<>> write_memory_file(Core& core, disk::Disk& disk, std::string path, ShardId shard, MemoryState state);
// Fails with corrupt, naming path, position and what to do, on anything that write_memory_file did not write whole.
Task<Result<MemoryState>> read_memory_file(Core& core, disk::Disk& disk, std::string path, ShardId shard);

}   // namespace skerry::store
