// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

// Every limit that a user can meet, by name, in one place. docs/limits.md lists them with what happens at each.
namespace skerry::limits {

constexpr std::size_t message_bytes_max = 256 << 20;   // one inbound RPC message, as Oxia's servers accept
constexpr std::size_t entry_bytes_max = 48 << 20;      // one log entry; a batch above it is refused before it is proposed
constexpr std::size_t key_bytes_max = 64 << 10;        // a key, partition key, secondary key, index name or client identity
constexpr std::size_t value_bytes_max = 32 << 20;      // one record's value
constexpr std::size_t batch_operations_max = 100'000;  // operations in one write
constexpr std::size_t secondary_indexes_max = 64;      // of one record

constexpr std::size_t stream_writes_in_flight_max = 1024;   // on one WriteStream; then the stream is read no further
constexpr std::size_t stream_bytes_in_flight_max = 16 << 20;    // of their requests; one more may begin below it
constexpr std::size_t response_bytes_max = 2 << 20;         // one chunk of reads, lists and scans
constexpr std::size_t scan_records_max = 1000;              // records in one chunk of a scan

constexpr std::size_t shard_entries_in_flight_max = 8192;   // proposed and not yet answered, in one shard; then writers wait
constexpr std::size_t shard_bytes_in_flight_max = 64 << 20;   // of their requests and entries; one more may begin below it
constexpr std::size_t shard_followers_max = 10'000;   // of notifications or of sequences, in one shard
constexpr std::size_t sessions_expired_at_once_max = 128;   // in one log entry

constexpr auto session_timeout_min = 2s;
constexpr auto session_timeout_max = 5min;

// A wall clock further ahead than this of what it was, measured against the monotonic clock, stops proposals.
constexpr auto clock_jump_max = 1h;

constexpr auto time_to_live_min = std::chrono::milliseconds(100);
constexpr auto time_to_live_max = std::chrono::milliseconds(std::chrono::hours(24 * 3650));   // of a record

constexpr std::size_t notification_prefixes_max = 64;   // that one follower may ask for

constexpr std::size_t request_window_replies = 1024;   // remembered replies of one client id
constexpr auto request_window_age = std::chrono::milliseconds(15min);   // after which a reply is forgotten
constexpr std::size_t remembered_reply_bytes_max = 256 << 10;   // of one request with an id

constexpr std::size_t backups_at_once_max = 2;   // that one core is asked for; one more is refused
constexpr std::size_t restores_at_once_max = 2;   // of a cluster; the same
constexpr auto backup_patience = 30s;   // with a shard of a cluster that has no leader, or is being split or merged

constexpr std::size_t sequence_deltas_max = 64;   // parts of a key that the shard makes

// --- replication
constexpr std::size_t replicas_max = 15;   // of a shard in one set of voters, and as many learners
constexpr auto heartbeat_interval = 25ms;   // between two nodes that share shards, whatever their number
constexpr auto lease_length = 100ms;   // what a node promises by answering a heartbeat, from when it takes it
// Two clocks may run apart by one part in this many for the length of a lease; a holder counts that much less, a successor waits
// that much longer.
constexpr int clock_rate_error_part = 20;
constexpr std::size_t append_bytes_max = 1 << 20;   // of entries in one message to a follower; one entry may exceed it alone
constexpr std::size_t append_entries_max = 1024;   // in one message
constexpr std::size_t follower_entries_in_flight_max = 8192;   // sent and not acknowledged; then the follower waits its turn
constexpr std::size_t follower_bytes_in_flight_max = 16 << 20;   // of them; one more message may begin below it
constexpr auto append_patience = 500ms;   // with a follower that acknowledges nothing, before it is asked where it stands
constexpr auto node_unheard_after = 300ms;   // of another node's heartbeats, before it is reported as unheard
constexpr auto replica_report_interval = 200ms;   // at which a node tells its coordinator how far its replicas are
constexpr auto usage_report_interval = 1s;   // and what it uses
constexpr auto server_connect_patience = 400ms;   // with a server that does not answer the coordinator's connecting
constexpr auto server_retry_pause = 20ms;   // between attempts
constexpr auto replica_release_patience = 10s;   // with requests that still use a replica that is to be deleted
constexpr std::size_t follower_cache_bytes_max = 4 << 20;   // of a shard's entries, kept in memory for followers only
constexpr std::size_t node_queued_bytes_max = 64 << 20;   // of entries that wait to be written to one node; more is dropped
constexpr auto node_silence_max = 1s;   // a stream to another node that answers no heartbeat for so long is made again
constexpr auto node_reconnect_pause = 50ms;   // before that
constexpr std::size_t snapshots_sent_at_once_max = 2;   // by a node; other followers that need one wait their turn
constexpr std::size_t snapshot_bytes_per_second_max = 64 << 20;   // of all that a node sends
constexpr auto snapshot_patience = 30s;   // with a follower that takes nothing more of one
// Of the bytes that the log may keep: so many times of them are kept for a follower that is being sent the state before.
constexpr int snapshot_log_factor = 4;
constexpr std::size_t fenced_news_max = 1024;   // in one answer to a heartbeat; the promise counts with the last of them

// --- the coordinator's status
constexpr std::size_t metadata_bytes_max = 64 << 20;   // of keys and values in all: it is kept and sent whole
constexpr std::size_t metadata_change_bytes_max = 8 << 20;   // of one change; one is one entry and one message

// --- the coordinator
constexpr std::uint32_t namespace_shards_max = 4096;   // when it is created; each costs memory and a place in every checkpoint
constexpr std::size_t cluster_namespaces_max = 1000;
constexpr std::size_t cluster_servers_max = 1000;
constexpr auto order_interval = 100ms;   // between two orders to a node, at least
constexpr auto attendance_silence_max = 400ms;   // of a node's reports, before it counts as failed
constexpr auto first_contact_max = 1s;   // with a node of which nothing is known yet, the same
constexpr auto leader_powerless_max = 300ms;   // a leader that does not serve is replaced; doubles when that did not help
constexpr auto leader_powerless_patience_max = 30s;
constexpr auto disk_silence_max = 1s;   // of a leader's node, before its shards get other leaders
constexpr auto distrust_min = 1s;   // of a node that failed, before it is given leaders; doubles with each failure
constexpr auto election_grace = 20ms;   // for those that answer after the majority
constexpr std::size_t elections_at_once_max = 256;
constexpr std::size_t moves_at_once_max = 8;   // shards that get new members
constexpr auto node_call_patience = 1s;   // with one call to a node
constexpr std::int64_t learner_lag_entries_max = 1024;   // behind the leader's head, of a learner that is to vote

}   // namespace skerry::limits
