// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "node/cli_client_flags.hpp"
#include "node/cli_command.hpp"
#include "node/cli_output.hpp"
#include "node/cli_parse.hpp"

namespace skerry::node {
namespace {

Result<> add_lines(const BatchFlags& flags, client::AtomicBatch& batch) {
  if (!flags.file && !flags.from_stdin) return {};
  if (flags.file && flags.from_stdin) {
    return fail(Errc::invalid_argument, "operations come from standard input or from --file, not from both");
  }
  TRY(const std::string text, read_all(flags.file.value_or("-")));
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (auto parsed = parse_batch_line(line, batch); !parsed) {
      return fail(parsed.error().code, fmt::format("line {}: {}", number, parsed.error().message()));
    }
  }
  return {};
}

Result<> add_flags(const BatchFlags& flags, client::AtomicBatch& batch) {
  for (const std::string& key : flags.if_exists) batch.if_exists(key);
  for (const std::string& key : flags.if_absent) batch.if_absent(key);
  for (const std::string& text : flags.if_version) {
    TRY(const auto pair, parse_pair(text, "KEY=VERSION"));
    TRY(const VersionId version, parse_version(pair.second));
    batch.if_version(pair.first, version);
  }
  for (const std::string& text : flags.delete_ranges) {
    TRY(auto pair, parse_pair(text, "MIN=MAX"));
    batch.remove_range({std::move(pair.first), std::move(pair.second)});
  }
  for (const std::string& key : flags.deletes) batch.remove(key);
  for (const std::string& text : flags.puts) {
    TRY(auto pair, parse_pair(text, "KEY=VALUE"));
    batch.put(std::move(pair.first), std::move(pair.second));
  }
  return {};
}

Result<client::AtomicBatch> batch_of(const BatchFlags& flags) {
  client::AtomicBatch batch;
  TRYV(add_flags(flags, batch));
  TRYV(add_lines(flags, batch));
  if (batch.conditions().empty() && batch.operations().empty()) {
    return fail(Errc::invalid_argument,
                "the batch is empty: name operations with --put, --delete or --delete-range, or hand them in with -c or --file");
  }
  return batch;
}

void print_results(Output& out, const client::AtomicBatch& batch, const client::BatchResult& result) {
  for (std::size_t i = 0; i < result.results.size(); ++i) {
    const client::OperationResult& one = result.results[i];
    if (one.put) {
      out.line(version_json(one.put->key, one.put->version));
    } else if (const auto* removed = std::get_if<client::AtomicBatch::Remove>(&batch.operations()[i]); removed && !one.found) {
      out.line(fmt::format("{} was not there", removed->key));
    }
  }
}

}  // namespace

int run_batch(const ClientFlags& shared, const BatchFlags& flags) {
  const auto batch = batch_of(flags);
  if (!batch) return report(batch.error());
  const auto made = connect(shared);
  if (!made) return report(made.error());
  client::BatchOptions options;
  options.partition_key = flags.partition_key;
  const auto result = (*made)->commit(*batch, std::move(options));
  if (!result) return report(result.error());
  Output out;
  if (shared.format == Format::json) {
    out.line(batch_json(*result));
  } else {
    print_results(out, *batch, *result);
  }
  if (!result->rejection) return out.finish(exit_ok);
  if (shared.format == Format::text) fmt::print(stderr, "Error: {}\n", rejection_text(*result->rejection));
  return out.finish(exit_version_conflict);
}

}  // namespace skerry::node
