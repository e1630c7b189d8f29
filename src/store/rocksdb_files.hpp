// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <rocksdb/env.h>
#include <rocksdb/io_status.h>

#include <memory>

namespace skerry::store {

// While one stands, what this thread reads from a database comes from memory, the system's own cache of files included, or fails
// with TryAgain, which only says that it would have had to wait for the disk. Of point lookups alone: an iterator may skip
// what it could not read. Not nested.
class ReadingWithoutWaiting {
 public:
  ReadingWithoutWaiting();
  ~ReadingWithoutWaiting();
  ReadingWithoutWaiting(const ReadingWithoutWaiting&) = delete;
  ReadingWithoutWaiting& operator=(const ReadingWithoutWaiting&) = delete;
};

// For file systems: whether the calling thread is under one, and what a read then fails with.
bool reading_without_waiting();
rocksdb::IOStatus would_wait();

// The machine's files and clock, with reads that don't wait.
std::shared_ptr<rocksdb::Env> machine_environment();

}  // namespace skerry::store
