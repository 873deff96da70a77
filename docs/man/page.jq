# The generated half of unionfsd(1): what `unionfsd --experimental-dump-help` says, as man(7) source.
# $sections: the hand-written half (sections.man), $version.

def escaped: gsub("\\\\"; "\\e") | gsub("-"; "\\-");
# A dot or an apostrophe at the start of a line would be a macro.
def line: escaped | if test("^[.']") then "\\&" + . else . end;

# Indented lines are commands to type; blank lines part paragraphs.
def prose:
    split("\n")
    | reduce .[] as $l ({out: [], typed: false};
        if ($l | startswith("  ")) then
            (if .typed then .out else .out + [".PP", ".RS 4", ".nf"] end) as $o | {out: ($o + [$l[2:] | line]), typed: true}
        else
            (if .typed then .out + [".fi", ".RE"] else .out end) as $o
            | {out: ($o + [if $l == "" then ".PP" else ($l | line) end]), typed: false}
        end)
    | if .typed then .out + [".fi", ".RE"] else .out end
    # A paragraph before indented lines is made by them already.
    | reduce .[] as $l ([]; if $l == ".PP" and .[-1:] == [".PP"] then . else . + [$l] end)
    | join("\n");

def name: if .kind == "long" then "\\-\\-" + (.name | escaped) else "\\-" + .name end;
def value: if .kind == "option" then " \\fI" + (.valueName | escaped) + "\\fR" else "" end;
def argument:
    ".TP\n" + (if .kind == "positional" then "\\fI" + .valueName + "\\fR"
               else ([.names[] | "\\fB" + name + "\\fR"] | join(", ")) + value end)
    + "\n" + (.abstract | line);

def shown: select(.shouldDisplay);
# --version and --help are the same everywhere.
def own: [.arguments[] | shown | select((.names // []) | any(.name == "help" or .name == "version") | not)];
def synopsis($above):
    ".B unionfsd " + $above + .commandName + "\n"
    + ([own[] | select(.kind != "positional")] | if length > 0 then "[\\fIoptions\\fR]\n" else "" end)
    + ([own[] | select(.kind == "positional") | if .isOptional then "[\\fI\(.valueName)\\fR]" else "\\fI\(.valueName)\\fR" end] | map(. + "\n") | join(""));

def command($above):
    ".SS \"unionfsd " + $above + .commandName + "\"\n" + (.abstract | line)
    + (if .discussion then "\n.PP\n" + (.discussion | prose) else "" end)
    + "\n" + ([own[] | argument] | join("\n"));
# A command of commands is followed by those.
def inner: [(.subcommands // [])[] | shown | select(.commandName != "help")];
def commands: (.commandName + " ") as $above | [command("")] + [inner[] | command($above)] | join("\n");
def synopses: (.commandName + " ") as $above | if (inner | length) > 0 then [inner[] | synopsis($above)] else [synopsis("")] end;

.command as $root
| [$root.subcommands[] | shown | select(.commandName != "help")] as $commands
| ".\\\" Made by scripts/generate-docs from the command line's own help and docs/man/sections.man: change those.\n"
+ ".TH UNIONFSD 1 \"\" \"unionfsd " + $version + "\" \"User Commands\"\n"
+ ".SH NAME\nunionfsd \\- " + ($root.abstract | ascii_downcase | rtrimstr(".") | line) + "\n"
+ ".SH SYNOPSIS\n.nf\n" + ([$commands[] | synopses[] | gsub("\n"; " ") | sub("^\\.B (?<c>unionfsd [a-z]+( [a-z]+)?) "; "\\fB\(.c)\\fR ")] | join("\n"))
+ "\n\\fBunionfsd\\fR [\\fB\\-f\\fR] [\\fB\\-d\\fR] \\fB\\-o\\fR \\fIoptions\\fR [\\fIsource\\fR] \\fImnt\\fR\n.fi\n"
+ ".SH DESCRIPTION\n" + ($root.discussion | prose) + "\n"
+ ".SH COMMANDS\n" + ([$commands[] | commands] | join("\n")) + "\n"
+ $sections
