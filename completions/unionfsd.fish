function __unionfsd_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __unionfsd_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __unionfsd_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __unionfsd_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __unionfsd_parse_tokens -S
    set -l unparsed_tokens (__unionfsd_tokens -pc)
    switch $unparsed_tokens[1]
    case 'unionfsd'
        __unionfsd_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'mount'
            __unionfsd_parse_subcommand 1 'lower=+' 'data=+' 'upper=' 'work=' 'o/option=+' 'f/foreground' 'd/debug' 'read-only' 'volatile' 'fsync=' 'no-redirects' 'metacopy' 'threads=' 'version' 'h/help'
        case 'umount'
            __unionfsd_parse_subcommand 1 'lazy' 'timeout=' 'version' 'h/help'
        case 'list'
            __unionfsd_parse_subcommand 0 'json' 'version' 'h/help'
        case 'stats'
            __unionfsd_parse_subcommand 1 'json' 'watch' 'interval=' 'version' 'h/help'
        case 'upgrade'
            __unionfsd_parse_subcommand 1 'all' 'program=' 'version' 'h/help'
        case 'doctor'
            __unionfsd_parse_subcommand 1 'json' 'version' 'h/help'
        case 'version'
            __unionfsd_parse_subcommand 0 'version' 'h/help'
        case 'help'
            __unionfsd_parse_subcommand -r 1 'version'
        end
    end
end

function __unionfsd_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __unionfsd_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __unionfsd_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __unionfsd_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__unionfsd_tokens -p)
    if test -z "$(__unionfsd_tokens -t)"
        set -l index (count (__unionfsd_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'unionfsd' -f
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'mount' -d 'Mount a union of directories.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'umount' -d 'Unmount a union and wait until its process is gone.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'list' -d 'List the mounts of this user.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'stats' -d 'Show what a mount has done: copies, requests, times.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'upgrade' -d 'Put this program behind a mount that another version of it serves.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'doctor' -d 'Say what this machine offers, and what it costs to lack it.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'version' -d 'Print the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount"' -l 'lower' -d 'A read-only layer. Give it again for the layer below.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount"' -l 'data' -d 'A layer that only lends data to metacopy files of the layers above. Again for the one below.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" upper' -l 'upper' -d 'The layer that is written.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" work' -l 'work' -d 'An empty directory beside the upper layer, on the same filesystem.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount"' -s 'o' -l 'option' -d 'Options as overlayfs and fuse-overlayfs spell them, with commas between them; see unionfsd(1).' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" f foreground' -s 'f' -l 'foreground' -d 'Stay in the foreground; Ctrl-C unmounts.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" d debug' -s 'd' -l 'debug' -d 'Stay in the foreground and say what is done.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" read-only' -l 'read-only' -d 'Take no changes, even with an upper layer.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" volatile' -l 'volatile' -d 'Sync nothing: faster, and after a crash the upper layer is not used again.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" fsync' -l 'fsync' -d 'What is on the disk when: auto, strict or volatile; see unionfsd(1).' -rfka 'auto strict volatile'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" no-redirects' -l 'no-redirects' -d 'Do not rename directories of lower layers: EXDEV, and mv copies (redirect_dir=off).'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" metacopy' -l 'metacopy' -d 'Copy a file\'s data up only when the data change; follow layers that have such files (metacopy=on).'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" threads' -l 'threads' -d 'Threads that take requests.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd mount" -eq 1' -fa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd mount" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd umount" lazy' -l 'lazy' -d 'Take the mount out of view now, though files of it are still open; do not wait for them.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd umount" timeout' -l 'timeout' -d 'How long to wait for the process.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd umount" -eq 1' -fa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd umount" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd umount" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd list" json' -l 'json' -d 'As JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd list" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd list" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stats" json' -l 'json' -d 'As JSON: one object, or without a mount point a list of them. Times are in microseconds.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stats" watch' -l 'watch' -d 'Again every second, until the mount is gone; with --json a line each time.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stats" interval' -l 'interval' -d 'Seconds between two looks with --watch.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd stats" -eq 1' -fa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stats" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stats" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd upgrade" all' -l 'all' -d 'All mounts of this user.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd upgrade" program' -l 'program' -d 'The unionfsd-mount to put there, and not the one that belongs to this command.' -rF
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd upgrade" -eq 1' -fa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd upgrade" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd upgrade" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd doctor" json' -l 'json' -d 'As JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd doctor" -eq 1' -fa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd doctor" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd doctor" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd version" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd version" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd help" version' -l 'version' -d 'Show the version.'
