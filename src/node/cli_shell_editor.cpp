// SPDX-License-Identifier: Apache-2.0
#include "node/cli_shell_editor.hpp"

#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <filesystem>

namespace skerry::node {
namespace {

constexpr int history_lines_max = 1000;
constexpr std::size_t shown_max = 100;   // completions
constexpr std::size_t terminal_width = 80;

volatile std::sig_atomic_t last_signal = 0;
extern "C" void note_signal(int number) { last_signal = number; }

// While a line is read, Ctrl-C and SIGTERM end the reading: they reach this thread, which has them blocked, in next_key() alone.
class SignalsHeard {
 public:
  SignalsHeard() {
    last_signal = 0;
    struct sigaction action{};
    action.sa_handler = note_signal;
    ::sigaction(SIGINT, &action, &on_interrupt_before_);
    ::sigaction(SIGTERM, &action, &on_terminate_before_);
  }
  SignalsHeard(const SignalsHeard&) = delete;
  SignalsHeard& operator=(const SignalsHeard&) = delete;
  ~SignalsHeard() {
    ::sigaction(SIGINT, &on_interrupt_before_, nullptr);
    ::sigaction(SIGTERM, &on_terminate_before_, nullptr);
  }

 private:
  struct sigaction on_interrupt_before_{}, on_terminate_before_{};
};

// One byte of the terminal: 1, 0 at its end, -1 when a signal came first.
int next_byte(char& byte) {
  sigset_t while_waiting;
  pthread_sigmask(SIG_SETMASK, nullptr, &while_waiting);
  sigdelset(&while_waiting, SIGINT);
  sigdelset(&while_waiting, SIGTERM);
  for (;;) {
    pollfd terminal{STDIN_FILENO, POLLIN, 0};
    const int ready = ::ppoll(&terminal, 1, nullptr, &while_waiting);
    if (last_signal != 0) return -1;
    if (ready < 0 && errno == EINTR) continue;   // the window was resized, or the like
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count >= 0) return static_cast<int>(count);
    if (errno != EINTR && errno != EAGAIN) return -1;
  }
}

// In place of libedit's own, which would sleep through a signal that comes just before it reads.
int next_key(::EditLine*, wchar_t* key) {
  std::mbstate_t state{};
  for (;;) {
    char byte = 0;
    if (const int count = next_byte(byte); count != 1) return count;
    const std::size_t used = std::mbrtowc(key, &byte, 1, &state);
    if (used == static_cast<std::size_t>(-2)) continue;   // the first bytes of a character
    if (used == static_cast<std::size_t>(-1)) {
      state = {};   // no UTF-8: dropped
      continue;
    }
    return 1;
  }
}

// In columns, as `ls` would; the last line says what was left out.
void show(const std::vector<std::string>& words) {
  std::size_t widest = 0;
  const std::size_t count = std::min(words.size(), shown_max);
  for (std::size_t i = 0; i < count; ++i) widest = std::max(widest, words[i].size());
  const std::size_t columns = std::max<std::size_t>(1, terminal_width / (widest + 2));
  std::string text = "\n";
  for (std::size_t i = 0; i < count; ++i) {
    text += words[i];
    const bool last = i + 1 == count || (i + 1) % columns == 0;
    text += last ? "\n" : std::string(widest + 2 - words[i].size(), ' ');
  }
  if (count < words.size()) text += "… and " + std::to_string(words.size() - count) + " more\n";
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

struct LineEditor::Members {
  Members(std::string shown_prompt, const std::string& file, Complete what_completes)
      : prompt(std::move(shown_prompt)), history_file(file), complete(std::move(what_completes)),
        editor(::el_init("skerry", stdin, stdout, stderr)), history(::history_init()) {}
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  ~Members() {
    ::history_end(history);
    ::el_end(editor);
  }

  static Members& of(::EditLine* line) {
    void* self = nullptr;
    ::el_get(line, EL_CLIENTDATA, &self);
    return *static_cast<Members*>(self);
  }
  static const char* tell_prompt(::EditLine* line) { return of(line).prompt.c_str(); }
  static unsigned char on_tab(::EditLine* line, int) { return of(line).complete_here(line); }

  unsigned char complete_here(::EditLine* line) const {
    const ::LineInfo* info = ::el_line(line);
    const std::string_view before(info->buffer, static_cast<std::size_t>(info->cursor - info->buffer));
    const Completions found = complete(before);
    if (found.words.empty()) return CC_ERROR;
    const std::size_t typed = before.size() - std::min(found.replace_from, before.size());
    const bool adds = before.substr(before.size() - typed) != found.inserted;
    if (!adds && !found.complete) {
      show(found.words);
      return CC_REDISPLAY;
    }
    ::el_deletestr(line, static_cast<int>(typed));
    const std::string text = found.inserted + (found.complete ? " " : "");
    return ::el_insertstr(line, text.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
  }

  const std::string prompt, history_file;
  const Complete complete;
  ::EditLine* editor;
  ::History* history;
};

LineEditor::LineEditor(std::string prompt, const std::string& history_file, Complete complete)
    : members_((std::setlocale(LC_CTYPE, "C.UTF-8"),   // what keys and values are written in, whatever else the person speaks
                std::make_unique<Members>(std::move(prompt), history_file, std::move(complete)))) {
  ::EditLine* const editor = members_->editor;
  ::HistEvent event;
  ::el_set(editor, EL_CLIENTDATA, members_.get());
  ::el_set(editor, EL_GETCFN, next_key);
  ::el_set(editor, EL_PROMPT, &Members::tell_prompt);
  ::el_set(editor, EL_EDITOR, "emacs");
  ::el_set(editor, EL_HIST, ::history, members_->history);
  ::el_set(editor, EL_ADDFN, "skerry-complete", "Completes commands, flags and keys", &Members::on_tab);
  ::el_set(editor, EL_BIND, "^I", "skerry-complete", nullptr);
  ::el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  ::history(members_->history, &event, H_SETSIZE, history_lines_max);
  ::history(members_->history, &event, H_SETUNIQUE, 1);
  if (!history_file.empty()) ::history(members_->history, &event, H_LOAD, history_file.c_str());
}

LineEditor::~LineEditor() = default;

LineEditor::Ended LineEditor::read(std::string& line) {
  const SignalsHeard heard;
  ::EditLine* const editor = members_->editor;
  ::el_resize(editor);   // the window may have changed since the last line
  // Keys are taken one by one before the prompt invites them, so that a quick Ctrl-D is not the terminal's. One that came even
  // earlier is read as ^@, which libedit would take for "the next key as it is".
  ::el_set(editor, EL_PREP_TERM, 1);
  ::el_set(editor, EL_BIND, "^@", "em-set-mark", nullptr);
  int count = 0;
  const char* text = ::el_gets(editor, &count);
  if (text == nullptr) {
    const bool interrupted = last_signal == SIGINT;
    std::fputs(interrupted ? "^C\n" : "\n", stdout);
    std::fflush(stdout);
    if (interrupted) ::el_reset(editor);
    return interrupted ? Ended::interrupted : Ended::end;
  }
  line.assign(text, static_cast<std::size_t>(std::max(count, 0)));
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  return Ended::line;
}

void LineEditor::remember(const std::string& line) {
  if (line.empty() || line.front() == ' ') return;
  ::HistEvent event;
  ::history(members_->history, &event, H_ENTER, line.c_str());
}

bool LineEditor::save() const {
  if (members_->history_file.empty()) return true;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(members_->history_file).parent_path(), ignored);
  const ::mode_t before = ::umask(0077);   // values may be secrets
  ::HistEvent event;
  const int saved = ::history(members_->history, &event, H_SAVE, members_->history_file.c_str());
  ::umask(before);
  return saved >= 0;
}

}  // namespace skerry::node
