// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "node/cli_client_flags.hpp"
#include "node/cli_command.hpp"
#include "node/cli_parse.hpp"
#include "runtime/clock.hpp"

namespace skerry::node {
namespace {

// Lines of a file or of standard input, without their ends.
class Lines {
 public:
  Lines() = default;
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  ~Lines() {
    std::free(buffer_);
    if (file_ != nullptr && file_ != stdin) std::fclose(file_);
  }
  Result<> open(const std::string& path) {
    path_ = path == "-" ? "standard input" : path;
    TRY(file_, open_named(path));
    return {};
  }
  // False at the end.
  Result<bool> next(std::string_view& line) {
    errno = 0;
    const ssize_t length = ::getline(&buffer_, &capacity_, file_);
    if (length < 0) {
      if (std::ferror(file_) != 0) return failed();
      return false;
    }
    line = {buffer_, static_cast<std::size_t>(length)};
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    return true;
  }

 private:
  std::unexpected<Error> failed() const {
    return fail(Errc::io_failed, fmt::format("cannot read {}: {}", path_, std::strerror(errno)));
  }
  std::string path_;
  std::FILE* file_ = nullptr;
  char* buffer_ = nullptr;
  std::size_t capacity_ = 0;
};

// What has become of the lines so far. Puts end on the client's thread, so this is shared with it.
class Tally {
 public:
  explicit Tally(bool keep_going) : keep_going_(keep_going), shows_progress_(::isatty(STDERR_FILENO) == 1) {}

  void ended(std::uint64_t line, const Result<client::PutResult>& result) {
    if (result) {
      ++written_;
    } else {
      failed(line, result.error());
    }
  }
  void failed(std::uint64_t line, const Error& error) {
    const std::lock_guard lock(mutex_);
    ++failures_;
    if (failures_ <= shown_max) fmt::print(stderr, "Error: line {}: {}\n", line, error.message());
    if (failures_ == shown_max + 1) fmt::print(stderr, "More lines failed; they are only counted.\n");
    if (!first_) first_ = error;
  }
  bool should_stop() const { return failures_ > 0 && !keep_going_; }
  void show_progress() {
    const TimePoint now = clock_.now();
    if (!shows_progress_ || now - shown_ < 1s) return;
    shown_ = now;
    fmt::print(stderr, "\r{} records, {:.0f}/s ", written_.load(), rate());
  }
  int finish() {
    if (shows_progress_) fmt::print(stderr, "\r");
    fmt::print(stderr, "{} records written, {} failed, {:.1f} s, {:.0f} records/s\n", written_.load(), failures_.load(),
               seconds(), rate());
    const std::lock_guard lock(mutex_);
    return first_ ? static_cast<int>(exit_status(*first_)) : exit_ok;
  }

 private:
  static constexpr std::uint64_t shown_max = 10;
  double seconds() const { return std::chrono::duration<double>(clock_.now() - start_).count(); }
  double rate() const { return static_cast<double>(written_.load()) / std::max(seconds(), 1e-3); }

  SystemClock clock_;
  TimePoint start_ = clock_.now(), shown_ = start_;
  bool keep_going_, shows_progress_;
  std::atomic<std::uint64_t> written_ = 0, failures_ = 0;
  std::mutex mutex_;
  std::optional<Error> first_;
};

Result<> load(client::BlockingClient& client, Lines& lines, Tally& tally, const PutFlags& flags) {
  std::string_view line;
  for (std::uint64_t number = 1; !tally.should_stop(); ++number) {
    TRY(const bool more, lines.next(line));
    if (!more) return {};
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    Result<BulkPut> put = parse_json_line(line);
    if (!put) {
      tally.failed(number, put.error());
      continue;
    }
    if (!put->options.partition_key) put->options.partition_key = flags.partition_key;
    client.start_put(std::move(put->key), std::move(put->value), std::move(put->options),
                     [&tally, number](const Result<client::PutResult>& result) { tally.ended(number, result); });
    tally.show_progress();
  }
  return {};
}

}  // namespace

int run_bulk_put(const ClientFlags& shared, const PutFlags& flags) {
  if (flags.from_stdin) {
    return report(
        Error{Errc::invalid_argument, "--json-lines reads standard input by itself, unless --file names a file: leave out -c"});
  }
  if (flags.key || flags.ephemeral || flags.expected_version || !flags.deltas.empty() || !flags.indexes.empty()) {
    return report(Error{Errc::invalid_argument,
                        "--json-lines takes keys, values, versions and indexes from its lines; beside it only "
                        "--file, -p and --keep-going have a meaning"});
  }
  Lines lines;
  if (const auto opened = lines.open(flags.file.value_or("-")); !opened) return report(opened.error());
  auto options = client_options(shared);
  if (!options) return report(options.error());
  auto made = client::BlockingClient::make(std::move(*options));
  if (!made) return report(made.error());
  Tally tally(flags.keep_going);
  const Result<> loaded = load(**made, lines, tally, flags);
  (*made)->finish_puts();
  const int status = tally.finish();
  return loaded ? status : report(loaded.error());
}

}  // namespace skerry::node
