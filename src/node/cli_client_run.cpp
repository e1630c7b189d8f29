// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <condition_variable>
#include <fstream>
#include <mutex>

#include "base/bytes.hpp"
#include "client/error.hpp"
#include "node/cli_client_flags.hpp"
#include "node/cli_command.hpp"
#include "node/cli_output.hpp"
#include "node/cli_parse.hpp"
#include "node/cli_prefix.hpp"
#include "runtime/setting_value.hpp"
#include "store/key_order.hpp"

namespace skerry::node {
namespace {

using client::BlockingClient;
using ClientPtr = std::shared_ptr<BlockingClient>;

Result<ClientPtr> connect_anew(const ClientFlags& shared) {
  TRY(client::ClientOptions options, client_options(shared));
  return BlockingClient::make(std::move(options));
}

void print_value(Output& out, const client::Record& record, Show show) {
  if (show.hex) {
    out.raw(hex_dump(record.value));
  } else if (show.raw) {
    out.raw(record.value);
  } else {
    out.line(record.value);
  }
  if (!show.version) return;
  out.line("---");
  out.line(version_json(record.key, record.version));
}

int write_value(const std::string& path, const std::string& value) {
  std::ofstream file(path, std::ios::binary);
  file << value;
  file.close();
  if (file) return exit_ok;
  return report({Errc::io_failed, fmt::format("{} can't be written: check the path and its permissions", path)});
}

// --- put

Result<std::string> value_of(const PutFlags& flags) {
  const int sources = int{flags.value.has_value()} + int{flags.from_stdin} + int{flags.file.has_value()};
  if (sources > 1)
    return fail(Errc::invalid_argument, "the value can come from the command line, -c or --file: only one of them");
  if (flags.value) return *flags.value;
  if (flags.from_stdin) return read_all("-");
  if (flags.file) return read_all(*flags.file);
  return fail(Errc::invalid_argument, "no value provided for the record; give it after the key, or use -c or --file");
}

Result<client::PutOptions> put_options(const PutFlags& flags) {
  client::PutOptions options;
  if (flags.expected_version) options.expected_version = VersionId{*flags.expected_version};
  options.partition_key = flags.partition_key;
  options.sequence_deltas = flags.deltas;
  if (flags.ephemeral) options.ephemeral = client::Ephemeral::yes;
  if (flags.ttl) {
    TRY(options.time_to_live, parse_ttl(*flags.ttl));
  }
  if (flags.keep_ttl) options.expiry = client::Expiry::keep;
  for (const std::string& text : flags.indexes) {
    TRY(client::IndexKey index, parse_index(text));
    options.indexes.push_back(std::move(index));
  }
  return options;
}

Result<client::PutResult> put_once(BlockingClient& client, const PutFlags& flags, std::string value) {
  TRY(client::PutOptions options, put_options(flags));
  return client.put(*flags.key, std::move(value), std::move(options));
}

// Until Ctrl-C, or until the session is lost.
class Hold {
 public:
  void end(bool lost) {
    const std::lock_guard lock(mutex_);
    over_ = true;
    lost_ = lost_ || lost;
    changed_.notify_all();
  }
  bool wait_until_lost() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return over_; });
    return lost_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false, lost_ = false;
};

int run_ephemeral_put(const ClientFlags& shared, const PutFlags& flags, std::string value) {
  Interrupts interrupts;   // before the client's thread
  Hold hold;
  auto options = client_options(shared);
  if (!options) return report(options.error());
  const auto timeout = parse_duration(flags.session_timeout);
  if (!timeout) return report(timeout.error());
  options->session_timeout = *timeout;
  options->on_session_lost = [&hold](ShardId) { hold.end(true); };
  auto made = BlockingClient::make(std::move(*options));
  if (!made) return report(made.error());
  interrupts.watch([&hold, &client = **made] {
    hold.end(false);
    client.interrupt();
  });
  const auto put = put_once(**made, flags, std::move(value));
  if (!put) return interrupts.happened() ? exit_ok : report(put.error());
  Output out;
  out.line(version_json(put->key, put->version));
  out.flush();
  fmt::print(stderr, "The record stays until Ctrl-C.\n");
  if (!hold.wait_until_lost()) return out.finish(exit_ok);
  return report(Error{client::ClientErrc::session_expired, "session expired: the record is gone"});
}

int put_one(const ClientFlags& shared, const PutFlags& flags) {
  if (!flags.key) return report(Error{Errc::invalid_argument, "KEY is required"});
  auto value = value_of(flags);
  if (!value) return report(value.error());
  if (const auto options = put_options(flags); !options) return report(options.error());
  if (flags.ephemeral) return run_ephemeral_put(shared, flags, std::move(*value));
  const auto made = connect(shared);
  if (!made) return report(made.error());
  const auto put = put_once(**made, flags, std::move(*value));
  if (!put) return report(put.error());
  Output out;
  out.line(version_json(put->key, put->version));
  return out.finish(exit_ok);
}

// --- walks

std::pair<client::KeyRange, client::RangeOptions> range_of(const RangeFlags& flags) {
  client::RangeOptions options;
  options.index = flags.index;
  options.partition_key = flags.partition_key;
  if (flags.internal_keys) options.internal_keys = client::InternalKeys::shown;
  if (flags.reverse) options.direction = client::Direction::backward;
  options.limit = flags.limit;
  options.page_token = flags.page_token;
  return std::pair(client::KeyRange{flags.min, flags.max}, std::move(options));
}

// In either order of keys: which one the namespace has is not known here.
bool ends_before_it_begins(const RangeFlags& flags) {
  const auto inverted = [&](store::KeyOrder order) {
    return store::encode_key(order, flags.max) < store::encode_key(order, flags.min);
  };
  return !flags.max.empty() && inverted(store::KeyOrder::hierarchical) && inverted(store::KeyOrder::natural);
}

// How a walk that its limit ended goes on: for scripts among the output, for people beside it.
void tell_next_page(Output& out, Format format, const std::string& token) {
  if (token.empty()) return;
  if (format == Format::json) {
    out.line(page_token_json(token));
  } else {
    fmt::print(stderr, "There is more: --page-token {}\n", token);
  }
}

// Counts down; false when the last has been taken.
class Countdown {
 public:
  explicit Countdown(std::optional<std::uint64_t> limit) : left_(limit) {}
  bool none() const { return left_ == 0U; }
  bool take() { return !left_ || --*left_ > 0; }

 private:
  std::optional<std::uint64_t> left_;
};

const std::string& key_of(const std::string& key) { return key; }
const std::string& key_of(const client::Record& record) { return record.key; }

// `walk` is list() or scan() of a client. Returns how to go on after a limit; of a prefix nobody can.
template <class Walk, class Visit>
Result<std::string> walk_range(const ClientFlags& shared, const RangeFlags& flags, Walk walk, Visit visit) {
  auto [range, options] = range_of(flags);
  if (!flags.prefix) return walk(std::move(range), std::move(options), visit);
  const auto order = shared.key_sorting == "natural" ? store::KeyOrder::natural : store::KeyOrder::hierarchical;
  PrefixWalk prefix(order, options.direction, *flags.prefix);
  Countdown countdown(options.limit);
  options.limit.reset();   // of keys that begin so
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    TRYV(walk(prefix.range(), options, [&](const auto& found) {
      const PrefixWalk::Step step = prefix.meet(key_of(found));
      goes_on = step == PrefixWalk::Step::begin_anew;
      if (step == PrefixWalk::Step::take) return visit(found) && countdown.take();
      return step == PrefixWalk::Step::pass;
    }));
  }
  return std::string();
}

}  // namespace

Result<ClientPtr> connect(const ClientFlags& shared) { return shared.kept_client ? shared.kept_client() : connect_anew(shared); }

int run_put(const ClientFlags& shared, const PutFlags& flags) {
  return flags.json_lines ? run_bulk_put(shared, flags) : put_one(shared, flags);
}

int run_get(const ClientFlags& shared, const GetFlags& flags) {
  if (shared.format == Format::json && (flags.show.raw || flags.output_file)) {
    return report({Errc::invalid_argument, "--raw and --output-file are of the value alone: leave out -o json"});
  }
  client::GetOptions options;
  const auto comparison = parse_comparison(flags.comparison);
  if (!comparison) return report(comparison.error());
  options.comparison = *comparison;
  options.index = flags.index;
  options.partition_key = flags.partition_key;
  const auto made = connect(shared);
  if (!made) return report(made.error());
  const auto record = (*made)->get(flags.key, std::move(options));
  if (!record) return report(record.error());
  if (flags.output_file) return write_value(*flags.output_file, record->value);
  Output out;
  if (shared.format == Format::json) {
    out.line(record_json(*record));
  } else {
    print_value(out, *record, flags.show);
  }
  return out.finish(exit_ok);
}

int run_delete(const ClientFlags& shared, const DeleteFlags& flags) {
  client::DeleteOptions options;
  if (flags.expected_version) options.expected_version = VersionId{*flags.expected_version};
  options.partition_key = flags.partition_key;
  const auto made = connect(shared);
  if (!made) return report(made.error());
  if (const auto removed = (*made)->remove(flags.key, std::move(options)); !removed) return report(removed.error());
  Output out;
  if (shared.format == Format::json) out.line(deleted_json(flags.key));
  return out.finish(exit_ok);
}

int run_delete_range(const ClientFlags& shared, const RangeFlags& flags) {
  if (ends_before_it_begins(flags)) {
    return report(
        {Errc::invalid_argument, fmt::format("no key is from {} on and before {}: -s is the lower end, -e the upper one",
                                             printable(flags.min), printable(flags.max))});
  }
  client::DeleteOptions options;
  options.partition_key = flags.partition_key;
  const auto made = connect(shared);
  if (!made) return report(made.error());
  const client::KeyRange range{flags.min, flags.max};
  if (const auto removed = (*made)->remove_range(range, std::move(options)); !removed) return report(removed.error());
  Output out;
  if (shared.format == Format::json) out.line(range_deleted_json(range));
  return out.finish(exit_ok);
}

int run_list(const ClientFlags& shared, const RangeFlags& flags) {
  if (flags.limit == 0U) return exit_ok;
  const auto made = connect(shared);
  if (!made) return report(made.error());
  Output out;
  const auto list = [&](auto... arguments) { return (*made)->list(std::move(arguments)...); };
  const auto walked = walk_range(shared, flags, list, [&](const std::string& key) {
    out.line(shared.format == Format::json ? key_json(key) : key);
    return !out.failed();
  });
  if (walked) tell_next_page(out, shared.format, *walked);
  return walked ? out.finish(exit_ok) : out.finish(report(walked.error()));
}

int run_range_scan(const ClientFlags& shared, const RangeFlags& flags) {
  if (flags.limit == 0U) return exit_ok;
  const auto made = connect(shared);
  if (!made) return report(made.error());
  Output out;
  const auto scan = [&](auto... arguments) { return (*made)->scan(std::move(arguments)...); };
  bool first = true;
  const auto walked = walk_range(shared, flags, scan, [&](const client::Record& record) {
    if (shared.format == Format::json) {
      out.line(record_json(record));
    } else {
      if (!std::exchange(first, false)) out.line(record_separator);
      print_value(out, record, flags.show);
    }
    return !out.failed();
  });
  if (walked) tell_next_page(out, shared.format, *walked);
  return walked ? out.finish(exit_ok) : out.finish(report(walked.error()));
}

// --- followers

namespace {

// A client that Ctrl-C interrupts; then following it ends well.
struct Following {
  Interrupts interrupts;   // before the client's thread
  ClientPtr client;
  Output out;

  Result<> connect_to(const ClientFlags& shared) {
    TRY(client, connect_anew(shared));   // to be interrupted
    interrupts.watch([this] { client->interrupt(); });
    return {};
  }
  int finish(const Result<>& result) {
    if (result || interrupts.happened()) return out.finish(exit_ok);
    return out.finish(report(result.error()));
  }
  void print(std::string_view line) {
    out.line(line);
    out.flush();
  }
};

}  // namespace

int run_notifications(const ClientFlags& shared, const FollowFlags& flags) {
  client::FollowOptions options;
  for (const std::string& text : flags.after) {
    const auto position = parse_position(text);
    if (!position) return report(position.error());
    options.after.insert(*position);
  }
  options.prefixes = flags.prefixes;
  Countdown countdown(flags.limit);
  if (countdown.none()) return exit_ok;
  Following following;
  if (const auto connected = following.connect_to(shared); !connected) return report(connected.error());
  const auto followed = following.client->follow_changes(
      std::move(options), [&] { fmt::print(stderr, "Following namespace {} until Ctrl-C.\n", shared.name_space); },
      [&](const client::Change& change, const client::Positions&) {
        following.print(shared.format == Format::json ? change_json(change) : change_text(change));
        return countdown.take() && !following.out.failed();
      });
  return following.finish(followed);
}

int run_sequence_updates(const ClientFlags& shared, const SequenceFlags& flags) {
  Countdown countdown(flags.limit);
  if (countdown.none()) return exit_ok;
  Following following;
  if (const auto connected = following.connect_to(shared); !connected) return report(connected.error());
  const auto followed = following.client->follow_sequence(flags.key, flags.partition_key, [&](const std::string& key) {
    following.print(shared.format == Format::json ? key_json(key) : key);
    return countdown.take() && !following.out.failed();
  });
  return following.finish(followed);
}

}  // namespace skerry::node
