// SPDX-License-Identifier: Apache-2.0
#include "node/cli_client.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "node/cli_client_flags.hpp"
#include "node/cli_number.hpp"

namespace skerry::node {
namespace {

template <class Flags>
using Run = int (*)(const ClientFlags&, const Flags&);

// A subcommand of `client`, whose flags are its own plus those of `client`, before or after its name.
template <class Flags>
struct Subcommand {
  Subcommand(CLI::App& parent, const char* name, const char* help) : app(*parent.add_subcommand(name, help)) {
    app.fallthrough();
  }
  void runs(Command& chosen, std::shared_ptr<const ClientFlags> shared, Run<Flags> run) {
    app.callback(
        [&chosen, shared = std::move(shared), own = flags, run] { chosen = [shared, own, run] { return run(*shared, *own); }; });
  }
  CLI::App& app;
  std::shared_ptr<Flags> flags = std::make_shared<Flags>();
};
using Shared = std::shared_ptr<const ClientFlags>;

constexpr const char* partition_help =
    "Partition key: decides the shard in place of the key; a record is found with the one it was put with";

void add_put(CLI::App& client, Command& chosen, Shared shared) {
  Subcommand<PutFlags> put(client, "put", "Put value");
  put.app.description(
      "Put a value under a key: a new record, or the next version of the one that is there. Prints the record's version as JSON.\n"
      "Example: skerry client put /config/retries 5");
  PutFlags& flags = *put.flags;
  put.app.add_option("KEY", flags.key, "The record's key");
  put.app.add_option("VALUE", flags.value, "Its value; or take it from -c or --file");
  put.app
      .add_option("-e,--expected-version", flags.expected_version,
                  "Only if the record is of this version; -1: only if there is none")
      ->transform(whole_number<std::int64_t>(-1));
  put.app.add_flag("-c,--std-in", flags.from_stdin, "Read the value from standard input");
  put.app.add_option("--file", flags.file, "Read the value from a file; with --json-lines, the lines");
  put.app.add_option("-p,--partition-key", flags.partition_key, partition_help);
  put.app
      .add_option("-d,--sequence-keys-deltas", flags.deltas,
                  "Append numbers to the key, each the highest so far plus a delta; needs -p")
      ->delimiter(',')
      ->transform(whole_number<std::uint64_t>())
      ->allow_extra_args(false);
  put.app.add_option("--index", flags.indexes, "Secondary index entry, NAME=KEY; may be repeated")->allow_extra_args(false);
  CLI::Option* ephemeral =
      put.app.add_flag("--ephemeral", flags.ephemeral, "Keep the record while this command runs: until Ctrl-C");
  put.app
      .add_option("--session-timeout", flags.session_timeout, "How long an ephemeral record outlives a command that was killed")
      ->needs(ephemeral)
      ->capture_default_str();
  put.app.add_option("--ttl", flags.ttl, "Delete the record so long after this write, as 90s or 12h; a later put decides anew")
      ->type_name("DURATION");
  put.app.add_flag("--keep-ttl", flags.keep_ttl, "Delete it when the record that it replaces would have been deleted");
  put.app.add_flag(
      "--json-lines", flags.json_lines,
      "Load many records from standard input or --file, one JSON object a line:\n"
      "{\"key\":\"/a\",\"value\":\"x\",\"indexes\":{\"by-owner\":\"anna\"}}; also value_base64, partition_key, expected_version");
  put.app.add_flag("--keep-going", flags.keep_going, "With --json-lines: go on after a line that fails");
  put.runs(chosen, std::move(shared), run_put);
}

void add_get(CLI::App& client, Command& chosen, Shared shared) {
  Subcommand<GetFlags> get(client, "get", "Get one record");
  get.app.description("Get one record's value.\nExample: skerry client get -v /config/retries");
  GetFlags& flags = *get.flags;
  get.app.add_option("KEY", flags.key, "The key to look for")->required();
  CLI::Option* version =
      get.app.add_flag("-v,--include-version", flags.show.version, "Print the record's version too, as JSON after a line ---");
  CLI::Option* hex = get.app.add_flag("--hex", flags.show.hex, "Print the value as a hex dump");
  get.app.add_flag("--raw", flags.show.raw, "Print the value's bytes and no newline after them")
      ->excludes(hex)
      ->excludes(version);
  get.app.add_option("--output-file", flags.output_file, "Write the value's bytes to this file")
      ->excludes(hex)
      ->excludes(version);
  get.app.add_option("-p,--partition-key", flags.partition_key, partition_help);
  get.app.add_option("--index", flags.index, "Look the key up in this secondary index");
  get.app
      .add_option("-t,--comparison-type", flags.comparison,
                  "equal; floor: the greatest key <= KEY; ceiling: the least >=; lower: the greatest <; higher: the least >")
      ->type_name("equal|floor|ceiling|lower|higher")
      ->capture_default_str();
  get.runs(chosen, std::move(shared), run_get);
}

void add_delete(CLI::App& client, Command& chosen, Shared shared) {
  Subcommand<DeleteFlags> one(client, "delete", "Delete one record");
  one.app.description("Delete one record.\nExample: skerry client delete -e 3 /config/retries");
  one.app.add_option("KEY", one.flags->key, "The record's key")->required();
  one.app.add_option("-e,--expected-version", one.flags->expected_version, "Only if the record is of this version")
      ->transform(whole_number<std::int64_t>(-1));
  one.app.add_option("-p,--partition-key", one.flags->partition_key, partition_help);
  one.runs(chosen, shared, run_delete);

  Subcommand<RangeFlags> range(client, "delete-range", "Delete a range of records");
  range.app.description(
      "Delete every record with a key from --key-min on, before --key-max.\n"
      "Example: skerry client delete-range -s /config/ -e /config//   (the direct children of /config)");
  range.app.add_option("-s,--key-min", range.flags->min, "Key range minimum (inclusive)")->required();
  range.app.add_option("-e,--key-max", range.flags->max, "Key range maximum (exclusive)")->required();
  range.app.add_option("-p,--partition-key", range.flags->partition_key, "Delete only on the shard of this partition key");
  range.runs(chosen, std::move(shared), run_delete_range);
}

void add_batch(CLI::App& client, Command& chosen, Shared shared) {
  Subcommand<BatchFlags> batch(client, "batch", "Change several records, all or none");
  batch.app.description(
      "Change several records of one shard: all of it takes place, or nothing when a condition fails (then the exit status is 4).\n"
      "Example: skerry client batch --if-absent /lock --put /lock=me --delete /queue/1\n"
      "From the command line, ranges are deleted first, then records, then come the puts. Lines keep their order:\n"
      "  {\"if\":\"/lock\",\"exists\":false}     {\"if\":\"/a\",\"version\":3}\n"
      "  {\"put\":\"/lock\",\"value\":\"me\",\"ttl\":\"30s\"}   also value_base64, expected_version, indexes, keep_ttl\n"
      "  {\"delete\":\"/queue/1\",\"expected_version\":7}   {\"delete_range\":[\"/tmp/\",\"/tmp//\"]}");
  BatchFlags& flags = *batch.flags;
  batch.app.add_option("--if-exists", flags.if_exists, "Only if there is a record KEY")
      ->type_name("KEY")
      ->allow_extra_args(false);
  batch.app.add_option("--if-absent", flags.if_absent, "Only if there is no record KEY")
      ->type_name("KEY")
      ->allow_extra_args(false);
  batch.app.add_option("--if-version", flags.if_version, "Only if the record is of this version")
      ->type_name("KEY=VERSION")
      ->allow_extra_args(false);
  batch.app.add_option("--put", flags.puts, "Put a record")->type_name("KEY=VALUE")->allow_extra_args(false);
  batch.app.add_option("--delete", flags.deletes, "Delete a record; none there is no failure")
      ->type_name("KEY")
      ->allow_extra_args(false);
  batch.app.add_option("--delete-range", flags.delete_ranges, "Delete the records from MIN on, before MAX")
      ->type_name("MIN=MAX")
      ->allow_extra_args(false);
  batch.app.add_flag("-c,--std-in", flags.from_stdin,
                     "Read conditions and operations from standard input, one JSON object a line");
  batch.app.add_option("--file", flags.file, "Read them from a file");
  batch.app.add_option("-p,--partition-key", flags.partition_key,
                       "Partition key of all records of the batch: puts them on one shard, where they are found with it");
  batch.runs(chosen, std::move(shared), run_batch);
}

void add_range_options(CLI::App& app, RangeFlags& flags) {
  CLI::Option* min = app.add_option("-s,--key-min", flags.min, "Key range minimum (inclusive); none: from the first");
  CLI::Option* max = app.add_option("-e,--key-max", flags.max, "Key range maximum (exclusive); none: to the last");
  app.add_option("-p,--partition-key", flags.partition_key, "Ask only the shard of this partition key");
  CLI::Option* index =
      app.add_option("--index", flags.index, "Walk in the order of this secondary index; the range is of its keys");
  CLI::Option* internal = app.add_flag("--internal-keys", flags.internal_keys, "Show the store's own records below __oxia/ too");
  app.add_option("--limit", flags.limit, "Stop after so many; what takes it up again is told at the end")
      ->transform(whole_number<std::uint64_t>());
  app.add_flag("--reverse", flags.reverse, "From the last to the first");
  CLI::Option* token = app.add_option("--page-token", flags.page_token, "Go on where the same command with a --limit stopped");
  CLI::Option* prefix =
      app.add_option("--prefix", flags.prefix, "Only keys that begin so, at whatever depth, in place of a range");
  for (CLI::Option* other : {min, max, index, internal, token}) prefix->excludes(other);
}

void add_walks(CLI::App& client, Command& chosen, Shared shared) {
  Subcommand<RangeFlags> list(client, "list", "List keys");
  list.app.description(
      "List keys in order, one a line.\nExample: skerry client list -s /config/ -e /config//   (the direct children of /config)\n"
      "         skerry client list --prefix /config/            (their children, too)");
  add_range_options(list.app, *list.flags);
  list.runs(chosen, shared, run_list);

  Subcommand<RangeFlags> scan(client, "range-scan", "Scan records");
  scan.app.description(
      "Print the values of a range of records in key order, with a line of dashes between them.\n"
      "Example: skerry client range-scan -v -s /config/ -e /config//");
  add_range_options(scan.app, *scan.flags);
  scan.app.add_flag("-v,--include-version", scan.flags->show.version,
                    "Print each record's version too, as JSON after a line ---");
  scan.app.add_flag("--hex", scan.flags->show.hex, "Print values as hex dumps");
  scan.runs(chosen, std::move(shared), run_range_scan);
}

void add_followers(CLI::App& client, Command& chosen, Shared shared) {
  Subcommand<FollowFlags> changes(client, "notifications", "Follow changes");
  changes.app.description(
      "Follow the changes of every shard, one a line, until Ctrl-C.\n"
      "Example: skerry client notifications -o json --prefix /config/\n"
      "A line GAP tells of changes that the server keeps no more: read anew what matters.");
  changes.app.add_option("--prefix", changes.flags->prefixes, "Only keys that start so, and deleted ranges; may be repeated")
      ->allow_extra_args(false);
  changes.app
      .add_option("--after", changes.flags->after,
                  "Continue after a position, SHARD=OFFSET as -o json prints them; may be repeated")
      ->allow_extra_args(false);
  changes.app.add_option("--limit", changes.flags->limit, "Stop after so many")->transform(whole_number<std::uint64_t>());
  changes.runs(chosen, shared, run_notifications);

  Subcommand<SequenceFlags> sequence(client, "sequence-updates", "Follow a sequence");
  sequence.app.description(
      "Print the highest key of a sequence, and each higher one when it comes, until Ctrl-C.\n"
      "Example: skerry client sequence-updates -p orders /orders/id");
  sequence.app.add_option("KEY", sequence.flags->key, "The sequence's prefix: the key that was put with deltas")->required();
  sequence.app.add_option("-p,--partition-key", sequence.flags->partition_key, partition_help)->required();
  sequence.app.add_option("--limit", sequence.flags->limit, "Stop after so many")->transform(whole_number<std::uint64_t>());
  sequence.runs(chosen, std::move(shared), run_sequence_updates);
}

}  // namespace

void add_client_options(CLI::App& client, ClientFlags& flags) {
  client.add_option("-n,--namespace", flags.name_space, "The namespace to use")
      ->envname("SKERRY_CLIENT_NAMESPACE")
      ->capture_default_str();
  client.add_option("--key-sorting", flags.key_sorting, "The namespace's key order: decides how several shards are merged")
      ->check(CLI::IsMember({"hierarchical", "natural"}))
      ->capture_default_str();
  const auto take_format = [&flags](const std::string& name) { flags.format = name == "json" ? Format::json : Format::text; };
  client.add_option_function<std::string>("-o,--output", take_format, "json: one object a line, for scripts")
      ->type_name("text|json")
      ->transform(CLI::IsMember({"text", "json"}, CLI::ignore_case))
      ->option_text("text|json (text)");
}

void add_client_command(CLI::App& app, Command& chosen) {
  CLI::App& client = *app.add_subcommand("client", "Read/Write records");
  client.description("Read, write and follow the records of a store.");
  client.footer(exit_statuses_text());
  client.require_subcommand(1);
  const auto shared = std::make_shared<ClientFlags>();
  add_connection_options(client, *shared);
  add_client_options(client, *shared);
  add_client_words(client, chosen, shared);
}

void add_client_words(CLI::App& app, Command& chosen, const std::shared_ptr<const ClientFlags>& flags) {
  add_put(app, chosen, flags);
  add_get(app, chosen, flags);
  add_delete(app, chosen, flags);
  add_batch(app, chosen, flags);
  add_walks(app, chosen, flags);
  add_followers(app, chosen, flags);
}

}  // namespace skerry::node
