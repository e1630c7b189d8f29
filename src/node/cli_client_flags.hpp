// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/cli_session.hpp"

// The subcommands of `client`: what their flags say, and the functions that carry them out and return the exit status.
namespace skerry::node {

struct Show {
  bool version = false;
  bool hex = false;
  bool raw = false;   // the value's bytes, and nothing after them
};

struct PutFlags {
  std::optional<std::string> key, value, file, partition_key;
  std::optional<std::int64_t> expected_version;
  bool from_stdin = false, ephemeral = false, json_lines = false, keep_going = false;
  std::vector<std::uint64_t> deltas;
  std::vector<std::string> indexes;
  std::string session_timeout = "15s";
  std::optional<std::string> ttl;
  bool keep_ttl = false;
};
struct BatchFlags {
  std::vector<std::string> if_exists, if_absent, if_version, puts, deletes, delete_ranges;
  std::optional<std::string> file, partition_key;
  bool from_stdin = false;
};
struct GetFlags {
  std::string key, comparison = "equal";
  std::optional<std::string> partition_key, index, output_file;
  Show show;
};
struct DeleteFlags {
  std::string key;
  std::optional<std::int64_t> expected_version;
  std::optional<std::string> partition_key;
};
struct RangeFlags {
  std::string min, max;
  std::optional<std::string> prefix, partition_key, index;
  bool internal_keys = false;
  std::optional<std::uint64_t> limit;
  bool reverse = false;
  std::string page_token;
  Show show;
};
struct FollowFlags {
  std::vector<std::string> after, prefixes;
  std::optional<std::uint64_t> limit;
};
struct SequenceFlags {
  std::string key, partition_key;
  std::optional<std::uint64_t> limit;
};

// The client of the shell, where one is kept; else one of its own.
Result<std::shared_ptr<client::BlockingClient>> connect(const ClientFlags& shared);
int run_put(const ClientFlags& shared, const PutFlags& flags);
int run_bulk_put(const ClientFlags& shared, const PutFlags& flags);   // put --json-lines
int run_get(const ClientFlags& shared, const GetFlags& flags);
int run_batch(const ClientFlags& shared, const BatchFlags& flags);
int run_delete(const ClientFlags& shared, const DeleteFlags& flags);
int run_delete_range(const ClientFlags& shared, const RangeFlags& flags);
int run_list(const ClientFlags& shared, const RangeFlags& flags);
int run_range_scan(const ClientFlags& shared, const RangeFlags& flags);
int run_notifications(const ClientFlags& shared, const FollowFlags& flags);
int run_sequence_updates(const ClientFlags& shared, const SequenceFlags& flags);

}  // namespace skerry::node
