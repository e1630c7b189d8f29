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
  for (const Chunk& mapping : mappings_) ::munmap(mapping.base, mapping.bytes);
}

// Straight from the system, so that what is freed is no longer resident.
char* TableArena::map(std::size_t bytes) {
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  return static_cast<char*>(base);
}

// A large table's entries are looked up at random all over it: in pages of the usual size each lookup would first wait for the
// address of its page. Where the system has no huge page to give, it gives usual ones. For tables to which one page more is not
// much.
void TableArena::map_huge() {
  char* const base = map(2 * huge_page_bytes);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(base) % huge_page_bytes;
  if (before > 0) ::munmap(base, before);
  ::munmap(base + before + huge_page_bytes, huge_page_bytes - before);
  ::madvise(base + before, huge_page_bytes, MADV_HUGEPAGE);
  mappings_.push_back({base + before, huge_page_bytes});
  mapped_ += huge_page_bytes;
  huge_ = base + before;
  huge_left_ = huge_page_bytes;
}

// All of a chunk is faulted in at once: a sixth of the cost of one page at a time.
void TableArena::add_chunk(std::size_t bytes) {
  SKERRY_ASSERT(chunks_.size() < std::size_t{1} << (32 - unit_bits));
  if (bytes == chunk_bytes_max && mapped_ >= 2 * huge_page_bytes) {
    if (huge_left_ < bytes) map_huge();
    chunks_.push_back({huge_, bytes});
    huge_ += bytes;
    huge_left_ -= bytes;
  } else {
    mappings_.push_back({map(bytes), bytes});
    mapped_ += bytes;
    chunks_.push_back(mappings_.back());
  }
  ::madvise(chunks_.back().base, bytes, MADV_POPULATE_WRITE);
}

TableArena::Place TableArena::place(std::size_t bytes) {
  bytes = rounded_up(bytes, unit_bytes);
  if (bytes > room_ - used_) {
    if (bytes > chunk_bytes_max / 4) {   // a chunk of its own, so that the present one can still be filled
      add_chunk(rounded_up(bytes, page_bytes));
      return {chunks_.back().base, static_cast<std::uint32_t>(chunks_.size() - 1) << unit_bits};
    }
    add_chunk(std::max(rounded_up(bytes, page_bytes), std::clamp(rounded_up(mapped_, page_bytes), page_bytes, chunk_bytes_max)));
    current_ = chunks_.size() - 1;
    used_ = 0;
    room_ = chunks_.back().bytes;
  }
  const auto unit = static_cast<std::uint32_t>(used_ / unit_bytes);
  const Place placed{chunks_[current_].base + used_, static_cast<std::uint32_t>(current_) << unit_bits | unit};
  used_ += bytes;
  return placed;
}

}   // namespace skerry::store
