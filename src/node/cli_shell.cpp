// SPDX-License-Identifier: Apache-2.0
#include "node/cli_shell.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>

#include "node/cli_admin.hpp"
#include "node/cli_client.hpp"
#include "node/cli_session.hpp"
#include "node/cli_shell_editor.hpp"
#include "node/cli_shell_line.hpp"
#include "runtime/clock.hpp"

namespace skerry::node {
namespace {

constexpr auto completion_patience = 2s;   // a person waits at the prompt

struct ShellFlags : ClientFlags {
  std::string prompt = "skerry> ";
  std::optional<std::string> history_file;
  bool keep_going = false;
};

// Where a person's history is kept unless they say otherwise: $XDG_STATE_HOME or its default. "" when there is no home.
std::string default_history_file() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state != 0) return std::string(state) + "/skerry/shell_history";
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != 0 ? std::string(home) + "/.local/state/skerry/shell_history" : std::string();
}

// What one line may be: the words of `client` without that word, `admin`, and the shell's own.
struct Grammar {
  Grammar(const std::shared_ptr<const ClientFlags>& flags, const ConnectionFlags& connection) {
    app.require_subcommand(1);
    add_client_words(app, chosen, flags);
    add_admin_command(app, chosen, connection);
    for (CLI::App* word : app.get_subcommands([](const CLI::App*) { return true; })) add_help_words(*word, chosen);
    app.add_subcommand("use", "Go to another namespace")->add_option("NAMESPACE", name_space, "Its name")->required();
    app.add_subcommand("help", "Say what there is")->add_option("WORD", topic, "One of these words");
    app.add_subcommand("exit", "Leave the shell; so does Ctrl-D");
    app.add_subcommand("quit", "Leave the shell");
  }
  CLI::App app{"One command a line. Words are parted by blanks; '…', \"…\" and \\ keep them together; # begins a comment.", ""};
  Command chosen;
  std::string name_space, topic;
};

class Shell {
 public:
  explicit Shell(const ShellFlags& flags) : flags_(std::make_shared<ShellFlags>(flags)) {
    flags_->kept_client = [this] { return connect(); };
  }

  int run_interactive() {
    const std::string history = flags_->history_file.value_or(default_history_file());
    LineEditor editor(flags_->prompt, history == "none" ? std::string() : history,
                      [this](std::string_view before) { return complete(before); });
    fmt::print("Namespace {} of {}. `help` says what there is, Tab completes, Ctrl-D leaves.\n", flags_->name_space,
               flags_->address);
    std::string line;
    while (!over_) {
      const LineEditor::Ended ended = editor.read(line);
      if (ended == LineEditor::Ended::end) break;
      if (ended == LineEditor::Ended::interrupted) continue;
      editor.remember(line);
      execute(line);
    }
    if (!editor.save()) fmt::print(stderr, "Warning: the history could not be written to {}\n", history);
    return exit_ok;
  }

  // Ends at the first line that fails, with its status, or at the last, with the first that was not 0.
  int run_script() {
    int status = exit_ok;
    std::string line;
    for (std::uint64_t number = 1; !over_ && std::getline(std::cin, line); ++number) {
      const int outcome = execute(line);
      if (outcome == exit_ok) continue;
      fmt::print(stderr, "Line {} failed: {}\n", number, line);
      if (status == exit_ok) status = outcome;
      if (!flags_->keep_going) break;
    }
    return status;
  }

 private:
  int execute(const std::string& line) {
    auto words = split_line(line);
    if (!words) return report(words.error());
    if (words->empty()) return exit_ok;
    Grammar grammar(flags_, *flags_);
    try {
      std::vector<std::string> reversed(words->rbegin(), words->rend());   // as CLI11 wants them
      grammar.app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
      return exit_for(grammar.app, error);
    }
    if (grammar.chosen) return run(grammar.chosen);
    return own_word(grammar);
  }

  int own_word(Grammar& grammar) {
    if (grammar.app.got_subcommand("use")) {
      flags_->name_space = grammar.name_space;
      client_.reset();
    } else if (grammar.app.got_subcommand("help")) {
      return help(grammar);
    } else {
      over_ = true;
    }
    return exit_ok;
  }

  int help(Grammar& grammar) {
    if (grammar.topic.empty()) return fmt::print("{}", Grammar(flags_, *flags_).app.help()), exit_ok;
    const auto words = grammar.app.get_subcommands([&](const CLI::App* word) { return word->get_name() == grammar.topic; });
    if (words.empty()) return report({Errc::invalid_argument, fmt::format("there is no word {}", grammar.topic)});
    fmt::print("{}", words.front()->help());
    return exit_ok;
  }

  // Ctrl-C ends the command, and with it the connection: the next command makes a new one.
  int run(const Command& command) {
    Interrupts interrupts;
    interrupts.watch([this] {
      const std::lock_guard lock(mutex_);
      if (client_) client_->interrupt();
    });
    const int status = command();
    if (interrupts.happened()) {
      const std::lock_guard lock(mutex_);
      client_.reset();
    }
    return status;
  }

  Result<std::shared_ptr<client::BlockingClient>> connect() {
    const std::lock_guard lock(mutex_);
    if (!client_) {
      TRY(client::ClientOptions options, client_options(*flags_));
      TRY(client_, client::BlockingClient::make(std::move(options)));
    }
    return client_;
  }

  LineEditor::Completions complete(std::string_view before) {
    const LineStart start = read_start(before);
    Grammar grammar(flags_, *flags_);
    const auto known = known_continuations(start, command_words(grammar.app));
    const std::vector<std::string> words = known ? *known : keys(start.begun);
    const bool folder = words.size() == 1 && !known && words.front().ends_with('/');
    LineEditor::Completions found{.replace_from = start.begun_at, .words = words, .inserted = {}, .complete = false};
    if (words.empty()) return found;
    found.inserted = quote_word(common_start(words));
    found.complete = words.size() == 1 && !folder;
    return found;
  }

  std::vector<std::string> keys(const std::string& begun) {
    auto client = connect();
    if (!client) return {};
    const auto order = flags_->key_sorting == "natural" ? client::KeyOrder::natural : client::KeyOrder::hierarchical;
    const TimePoint deadline = SystemClock().now() + completion_patience;
    return key_continuations(begun, order, [&](const std::string& start, const std::string& end, std::size_t limit) {
      std::vector<std::string> listed;
      client::RangeOptions options;
      options.deadline = deadline;
      // What can't be listed is not offered; the command itself will say why.
      static_cast<void>((*client)->list({start, end}, std::move(options), [&](const std::string& key) {
        listed.push_back(key);
        return listed.size() < limit;
      }));
      return listed;
    });
  }

  std::shared_ptr<ShellFlags> flags_;
  std::mutex mutex_;   // of the client: the thread that hears Ctrl-C interrupts it
  std::shared_ptr<client::BlockingClient> client_;
  bool over_ = false;
};

int run_shell(const ShellFlags& flags) {
  // What is wrong with the flags is told before the first line, not after it.
  if (const auto options = client_options(flags); !options) return report(options.error());
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) return Shell(flags).run_script();
  // From before any other thread: signals are this one's, which hears them at the prompt.
  const Interrupts for_all_threads;
  return Shell(flags).run_interactive();
}

}  // namespace

void add_shell_command(CLI::App& app, Command& chosen) {
  CLI::App& shell = *app.add_subcommand("shell", "Run client and admin commands one after another");
  shell.footer(
      std::string(
          "At a terminal it edits lines, keeps a history and completes commands, flags and keys; otherwise it runs the lines of its\n"
          "input and ends with the status of the first that fails.\n\n"
          "Example:\n  skerry shell -n logs\n  printf 'put /a 1\\nget /a\\n' | skerry shell\n\n") +
      exit_statuses_text());
  const auto flags = std::make_shared<ShellFlags>();
  add_connection_options(shell, *flags);
  add_client_options(shell, *flags);
  shell.add_option("--prompt", flags->prompt, "What stands before each line")->capture_default_str();
  shell.add_option("--history-file", flags->history_file,
                   "Where the history is kept; \"none\" for nowhere. By default below $XDG_STATE_HOME or ~/.local/state");
  shell.add_flag("--keep-going", flags->keep_going, "Without a terminal: go on after a line that fails");
  shell.callback([&chosen, flags] { chosen = [flags] { return run_shell(*flags); }; });
}

}  // namespace skerry::node
