# SPDX-License-Identifier: Apache-2.0
"""Writes skerry(1) from what the program says of itself, so that the page knows every command and flag that there is.

    manpage.py PROGRAM DATE > skerry.1
"""

import re
import subprocess
import sys

FILES = [
    ("/etc/skerry/standalone.yaml", "Configuration of the service. A YAML file; `skerry config show` prints every key."),
    ("/var/lib/skerry", "The service's data folder: one process at a time holds it."),
]
EXIT_STATUS = "Exit Status"   # the same for every command


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("–", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def bold(text):
    return f"\\fB{escape(text)}\\fR"


class Help:
    """One command's --help, taken apart."""

    def __init__(self, program, path):
        self.path = path
        out = subprocess.run([program, *path, "--help"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout
        self.about, self.usage, self.sections, self.footer = [], "", {}, []
        section = None
        for line in out.splitlines():
            if line.startswith("Usage:"):
                self.usage = line.removeprefix("Usage:").strip()
            elif not self.usage:
                self.about.append(line)
            elif re.fullmatch(r"[A-Z][A-Za-z ]*:", line):
                section = self.sections.setdefault(line[:-1], [])
            elif section is not None and line.startswith("  "):
                self.item(section, line)
            elif line.strip():
                section = None
                self.footer.append(line)
        self.commands = [name for name, _ in self.sections.get("Subcommands", [])]

    @staticmethod
    def item(section, line):
        text = line.strip()
        if re.match(r" {20}", line):   # goes on
            section[-1][1].append(text)
            return
        name, _, about = text.partition("  ") if "  " in text else (text, "", "")
        if not about and len(line) > 30 and line[29] == " ":
            name, about = line[:30].strip(), line[30:]
        section.append((name, [about.strip()] if about.strip() else []))


def paragraphs(lines):
    """Examples keep their lines."""
    return "\n.br\n".join(escape(line.strip()) for line in lines if line.strip())


def items(pairs):
    return "".join(f".TP\n{bold(name)}\n{paragraphs(about) or chr(92) + '&'}\n" for name, about in pairs if not name.startswith("-h,"))


def every_command(program, path=()):
    helped = Help(program, path)
    yield helped
    for name in helped.commands:
        yield from every_command(program, (*path, name))


def page(program, date):
    version = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.strip()
    top, *commands = every_command(program)
    yield f'.TH SKERRY 1 "{date}" "{version}" "User Commands"\n'
    yield ".SH NAME\nskerry \\- sharded, ordered key\\-value store that tells you what changed\n"
    yield ".SH SYNOPSIS\n.B skerry\n.I COMMAND\n.RI [ OPTIONS ]\n"
    yield ".SH DESCRIPTION\n" + paragraphs(top.about) + "\n"
    yield ".SH COMMANDS\n"
    for command in commands:
        yield f".SS skerry {escape(' '.join(command.path))}\n{paragraphs(command.about)}\n"
        for title, pairs in command.sections.items():
            if title not in ("Subcommands", EXIT_STATUS):
                yield items(pairs)
        if command.footer:
            yield f".PP\n{paragraphs(command.footer)}\n"
    yield ".SH EXIT STATUS\n" + items(top.sections[EXIT_STATUS])
    yield ".SH ENVIRONMENT\n.TP\n\\fBSKERRY_\\fR...\nEvery setting of the server has a variable; its flag's help names it.\n"
    yield ".SH FILES\n" + items((name, [about]) for name, about in FILES)
    yield ".SH SEE ALSO\n.BR systemctl (1),\n.BR journalctl (1)\n"


if __name__ == "__main__":
    sys.stdout.write("".join(page(sys.argv[1], sys.argv[2])))
