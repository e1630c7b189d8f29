// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace skerry::store {

// Memory that only grows and goes back to the system whole: a table's entries are never freed one by one. Mapped in chunks,
// small ones first, so that a table with little in it costs little. What was placed can be named by 32 bits.
// Filled by one core; once that has ended, any thread may read. Destroying it unmaps, on whatever thread.
class TableArena {
 public:
  TableArena() = default;
  TableArena(const TableArena&) = delete;
  TableArena& operator=(const TableArena&) = delete;
  ~TableArena();

  struct Place {
    char* at;
    std::uint32_t name;
  };
  // Aligned to eight bytes. Throws bad_alloc when the system has no more.
  Place place(std::size_t bytes);
  char* allocate(std::size_t bytes) { return place(bytes).at; }
  void* at(std::uint32_t name) const { return chunks_[name >> unit_bits].base + std::size_t{name & unit_mask} * unit_bytes; }
  std::size_t mapped_bytes() const { return mapped_; }

 private:
  static constexpr std::size_t unit_bytes = 8, page_bytes = 4096;
  static constexpr std::uint32_t unit_bits = 15, unit_mask = (1U << unit_bits) - 1;
  static constexpr std::size_t chunk_bytes_max = unit_bytes << unit_bits;
  static constexpr std::size_t huge_page_bytes = 2 << 20;
  struct Chunk {
    char* base;
    std::size_t bytes;
  };
  char* map(std::size_t bytes);
  void add_chunk(std::size_t bytes);
  void map_huge();

  std::vector<Chunk> mappings_;
  std::vector<Chunk> chunks_;       // parts of them
  char* huge_ = nullptr;            // what is left of the last huge page
  std::size_t huge_left_ = 0;
  std::size_t current_ = 0;         // the chunk that is being filled
  std::size_t used_ = 0, room_ = 0; // of that
  std::size_t mapped_ = 0;
};

}  // namespace skerry::store
