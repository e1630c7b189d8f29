// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <istream>
#include <string>
#include <vector>

#include "control/cluster_status.hpp"
#include "control/failure_detector.hpp"
#include "replica/messages.hpp"

// The words of coordinators' scripts (testdata/README.md): how they are read, and how things are named in them.
namespace skerry::control {

std::int64_t integer(std::istream& in);
std::string word_in(std::istream& in);
replica::EntryId entry_of(const std::string& word);   // TERM:OFFSET

std::string text(const replica::EntryId& entry);
const char* text(ShardState state);
const char* text(ReshapeStatus::Phase phase);
std::string text(const std::vector<ShardId>& shards);
const char* text(NodeCondition condition);

}   // namespace skerry::control
