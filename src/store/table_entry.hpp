// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "base/bytes.hpp"

// What a table is made of, in its arena. Inside the store only.
namespace skerry::store {

// One write of an engine; each later one has a higher number.
using WriteNumber = std::uint64_t;

// What a key held from one write on. Followed by `capacity` bytes.
struct TableVersion {
  static constexpr std::uint32_t erased = UINT32_MAX;
  TableVersion* older;   // null: this table knows of none
  WriteNumber number;
  std::uint32_t size;    // of the value; or erased
  std::uint32_t capacity;

  bool is_erased() const { return size == erased; }
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  BytesView value() const { return {reinterpret_cast<const char*>(this + 1), size}; }
};

// A key and what it holds; lives as long as its table. Followed by the key.
struct TableEntry {
  TableVersion* newest;
  std::uint32_t key_size;
  std::uint32_t hash;

  BytesView key() const { return {reinterpret_cast<const char*>(this + 1), key_size}; }
  // What somebody sees who looks as of that write; null: nothing of this table.
  const TableVersion* as_of(WriteNumber number) const {
    const TableVersion* version = newest;
    while (version != nullptr && version->number > number) version = version->older;
    return version;
  }
};

}  // namespace skerry::store
