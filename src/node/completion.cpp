// SPDX-License-Identifier: Apache-2.0
#include "node/completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace skerry::node {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// Options say which values they take in the name of their type: "json|table", or "{json,table}" where the parser itself checks.
std::vector<std::string> choices_of(const CLI::Option& option) {
  std::string text = option.get_type_name();
  char separator = '|';
  if (const std::size_t open = text.find('{'); open != std::string::npos) {
    text = text.substr(open + 1, text.find('}', open) - open - 1);
    separator = ',';
  }
  std::vector<std::string> choices;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    choices.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  if (choices.size() < 2) choices.clear();   // the name of a type
  return choices;
}

void add_flags(const CLI::App& app, std::vector<CommandWords::Flag>& flags) {
  for (const CLI::Option* option : app.get_options()) {
    CommandWords::Flag flag;
    for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
    if (flag.names.empty()) continue;   // a positional
    const bool known = std::ranges::any_of(flags, [&](const auto& each) { return each.names == flag.names; });
    if (known) continue;                // --help, which every command has
    flag.help = first_line(option->get_description());
    flag.takes_value = option->get_expected_min() > 0;   // a flag takes none
    if (flag.takes_value) flag.choices = choices_of(*option);
    flags.push_back(std::move(flag));
  }
}

void collect(const CLI::App& app, std::vector<std::string> path, std::vector<CommandWords>& into) {
  CommandWords words{path, first_line(app.get_description()), {}, {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() && words.choices.empty()) words.choices = choices_of(*option);
  }
  add_flags(app, words.flags);
  for (const CLI::App* child = &app; child->get_fallthrough() && child->get_parent() != nullptr; child = child->get_parent()) {
    add_flags(*child->get_parent(), words.flags);
  }
  const auto children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* child : children) words.subcommands.push_back(child->get_name());
  into.push_back(std::move(words));
  for (const CLI::App* child : children) {
    std::vector<std::string> below = path;
    below.push_back(child->get_name());
    collect(*child, std::move(below), into);
  }
}

std::string all_words(const CommandWords& command) {
  std::vector<std::string> words = command.subcommands;
  words.insert(words.end(), command.choices.begin(), command.choices.end());
  for (const CommandWords::Flag& flag : command.flags) words.insert(words.end(), flag.names.begin(), flag.names.end());
  return fmt::format("{}", fmt::join(words, " "));
}

// Flags after which a value stands, so that the value is not taken for a subcommand.
std::string value_flags(const std::vector<CommandWords>& commands) {
  std::vector<std::string> names;
  for (const CommandWords& command : commands) {
    for (const CommandWords::Flag& flag : command.flags) {
      if (flag.takes_value) names.insert(names.end(), flag.names.begin(), flag.names.end());
    }
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names.empty() ? "--" : fmt::format("{}", fmt::join(names, "|"));
}

// Branches of a `case` over the command that the words so far name: what may follow goes into `variable`.
std::string shell_cases(const std::vector<CommandWords>& commands, std::string_view variable) {
  std::string cases;
  for (const CommandWords& command : commands) {
    cases += fmt::format("    \"{}\") {}=\"{}\" ;;\n", fmt::join(command.path, " "), variable, all_words(command));
  }
  return cases;
}

// Branches of a `case` over the command and the flag before the cursor: the values that the flag takes.
std::string choice_cases(const std::vector<CommandWords>& commands, std::string_view variable) {
  std::string cases;
  for (const CommandWords& command : commands) {
    for (const CommandWords::Flag& flag : command.flags) {
      if (flag.choices.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : flag.names) patterns.push_back(fmt::format("\"{} {}\"", fmt::join(command.path, " "), name));
      cases += fmt::format("    {}) {}=\"{}\" ;;\n", fmt::join(patterns, "|"), variable, fmt::join(flag.choices, " "));
    }
  }
  return cases.empty() ? "    *) ;;\n" : cases;
}

std::string known_paths(const std::vector<CommandWords>& commands) {
  std::vector<std::string> paths;
  for (const CommandWords& command : commands) {
    if (!command.path.empty()) paths.push_back(fmt::format("\"{}\"", fmt::join(command.path, " ")));
  }
  return paths.empty() ? "\"-\"" : fmt::format("{}", fmt::join(paths, "|"));
}

std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string fish_value(const CommandWords::Flag& flag) {
  if (!flag.takes_value) return "";
  return flag.choices.empty() ? " -r -F" : fmt::format(" -x -a '{}'", fmt::join(flag.choices, " "));
}

}  // namespace

std::vector<CommandWords> command_words(const CLI::App& app) {
  std::vector<CommandWords> commands;
  collect(app, {}, commands);
  return commands;
}

std::string bash_completion(std::string_view program, const std::vector<CommandWords>& commands) {
  return fmt::format(R"(# bash completion for {0}: source <({0} completion bash)
_{0}_complete() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} path="" words="" values="" next i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "${{COMP_WORDS[i]}}" in
      {1}) ((++i)); continue ;;
    esac
    next="${{path:+$path }}${{COMP_WORDS[i]}}"
    case "$next" in
      {2}) path=$next ;;
    esac
  done
  case "$path ${{COMP_WORDS[COMP_CWORD - 1]}}" in
{4}  esac
  if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current")); return; fi
  case "${{COMP_WORDS[COMP_CWORD - 1]}}" in
    {1}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$path" in
{3}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _{0}_complete {0}
)",
                     program, value_flags(commands), known_paths(commands), shell_cases(commands, "words"),
                     choice_cases(commands, "values"));
}

std::string zsh_completion(std::string_view program, const std::vector<CommandWords>& commands) {
  return fmt::format(R"(#compdef {0}
# zsh completion for {0}: source <({0} completion zsh), or put this file into a folder of $fpath as _{0}
_{0}() {{
  local path_typed="" words_known="" values="" next i
  for ((i = 2; i < CURRENT; ++i)); do
    case "${{words[i]}}" in
      {1}) ((++i)); continue ;;
    esac
    next="${{path_typed:+$path_typed }}${{words[i]}}"
    case "$next" in
      {2}) path_typed=$next ;;
    esac
  done
  case "$path_typed ${{words[CURRENT-1]}}" in
{4}  esac
  if [[ -n "$values" ]]; then compadd -- ${{=values}}; return; fi
  case "${{words[CURRENT-1]}}" in
    {1}) _files; return ;;
  esac
  case "$path_typed" in
{3}  esac
  compadd -- ${{=words_known}}
}}
compdef _{0} {0}
)",
                     program, value_flags(commands), known_paths(commands), shell_cases(commands, "words_known"),
                     choice_cases(commands, "values"));
}

std::string fish_completion(std::string_view program, const std::vector<CommandWords>& commands) {
  std::string script = fmt::format(R"(# fish completion for {0}: {0} completion fish | source
function __{0}_at
  set -l typed (commandline -opc)
  set -l path
  for word in $typed[2..-1]
    string match -q -- '-*' $word; and continue
    set -l next (string join ' ' $path $word)
    contains -- $next {1}; and set path $path $word
  end
  test (string join ' ' $path) = "$argv[1]"
end
complete -c {0} -f
)",
                                   program, [&] {
                                     std::string paths;
                                     for (const CommandWords& command : commands) {
                                       if (!command.path.empty()) paths += fmt::format("'{}' ", fmt::join(command.path, " "));
                                     }
                                     return paths.empty() ? std::string("-") : paths;
                                   }());
  for (const CommandWords& command : commands) {
    const std::string at = fmt::format("'__{}_at \"{}\"'", program, fmt::join(command.path, " "));
    if (!command.path.empty()) {
      const std::vector<std::string> parent(command.path.begin(), command.path.end() - 1);
      script += fmt::format("complete -c {} -n '__{}_at \"{}\"' -a {} -d {}\n", program, program, fmt::join(parent, " "),
                            command.path.back(), fish_quoted(command.help));
    }
    if (!command.choices.empty()) {
      script += fmt::format("complete -c {} -n {} -a '{}'\n", program, at, fmt::join(command.choices, " "));
    }
    for (const CommandWords::Flag& flag : command.flags) {
      script += fmt::format("complete -c {} -n {}", program, at);
      for (const std::string& name : flag.names) {
        script += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      script += fmt::format("{} -d {}\n", fish_value(flag), fish_quoted(flag.help));
    }
  }
  return script;
}

void add_completion_command(CLI::App& app, Command& chosen) {
  CLI::App& completion = *app.add_subcommand("completion", "Print a completion script for your shell");
  completion.description("Print a script that completes subcommands and flags.\nExample: source <(skerry completion bash)");
  const auto shell = std::make_shared<std::string>();
  completion.add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion.callback([&app, &chosen, shell] {
    chosen = [&app, shell] {
      const std::vector<CommandWords> commands = command_words(app);
      const std::string script = *shell == "bash"  ? bash_completion("skerry", commands)
                                 : *shell == "zsh" ? zsh_completion("skerry", commands)
                                                   : fish_completion("skerry", commands);
      fmt::print("{}", script);
      return static_cast<int>(exit_ok);
    };
  });
}

}  // namespace skerry::node
