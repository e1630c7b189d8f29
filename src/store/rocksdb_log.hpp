// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <rocksdb/env.h>

#include <cstdarg>
#include <memory>
#include <string>

namespace skerry::store {

// What RocksDB warns of, in FOLDER/LOG and, before that, FOLDER/LOG.old. A full disk costs lines, where RocksDB's own log ends
// the process with its next one (AssertFalseAndGetStatusForPrevError in 7.8 as Debian builds it). Any thread.
std::shared_ptr<rocksdb::Logger> rocksdb_log(const std::string& folder);

}   // namespace skerry::store
