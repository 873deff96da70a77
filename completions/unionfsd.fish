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
        case 'run'
            __unionfsd_parse_subcommand -r 2 'root=' 'v/volume=+' 'tmpfs=+' 'e/env=+' 'w/workdir=' 'u/user=' 'hostname=' 'network=' 'read-only' 'm/memory=' 'cpus=' 'pids-limit=' 'seccomp=' 'mount-option=+' 'restart=' 'name=' 'rm' 'd/detach' 't/tty' 'i/interactive' 'runtime=' 'version' 'h/help'
        case 'create'
            __unionfsd_parse_subcommand -r 2 'root=' 'v/volume=+' 'tmpfs=+' 'e/env=+' 'w/workdir=' 'u/user=' 'hostname=' 'network=' 'read-only' 'm/memory=' 'cpus=' 'pids-limit=' 'seccomp=' 'mount-option=+' 'restart=' 'name=' 'version' 'h/help'
        case 'start'
            __unionfsd_parse_subcommand -r 1 'root=' 'run' 'runtime=' 'version' 'h/help'
        case 'exec'
            __unionfsd_parse_subcommand -r 2 'root=' 'e/env=+' 'w/workdir=' 'u/user=' 't/tty' 'i/interactive' 'runtime=' 'version' 'h/help'
        case 'stop'
            __unionfsd_parse_subcommand -r 1 'root=' 't/time=' 'f/force' 'version' 'h/help'
        case 'rm'
            __unionfsd_parse_subcommand -r 1 'root=' 'f/force' 'version' 'h/help'
        case 'ps'
            __unionfsd_parse_subcommand 0 'root=' 's/size' 'q/quiet' 'json' 'version' 'h/help'
        case 'inspect'
            __unionfsd_parse_subcommand 1 'root=' 'version' 'h/help'
        case 'diff'
            __unionfsd_parse_subcommand 1 'root=' 'json' 'stat' 'version' 'h/help'
        case 'commit'
            __unionfsd_parse_subcommand 2 'root=' 'm/message=' 'a/author=' 'no-sparse' 'version' 'h/help'
        case 'cp'
            __unionfsd_parse_subcommand 2 'root=' 'a/archive' 'L/follow-link' 'version' 'h/help'
        case 'export'
            __unionfsd_parse_subcommand 1 'root=' 'o/output=' 'version' 'h/help'
        case 'image'
            __unionfsd_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'import'
                __unionfsd_parse_subcommand 1 'root=' 'n/name=' 'limit=' 'rootfs' 'q/quiet' 'version' 'h/help'
            case 'ls'
                __unionfsd_parse_subcommand 0 'root=' 'json' 'q/quiet' 'version' 'h/help'
            case 'inspect'
                __unionfsd_parse_subcommand 1 'root=' 'version' 'h/help'
            case 'history'
                __unionfsd_parse_subcommand 1 'root=' 'version' 'h/help'
            case 'tag'
                __unionfsd_parse_subcommand 2 'root=' 'version' 'h/help'
            case 'rm'
                __unionfsd_parse_subcommand -r 1 'root=' 'f/force' 'version' 'h/help'
            case 'export'
                __unionfsd_parse_subcommand 1 'root=' 'o/output=' 'directory' 'uncompressed' 'version' 'h/help'
            case 'pull'
                __unionfsd_parse_subcommand 1 'root=' 'n/name=' 'version' 'h/help'
            end
        case 'volume'
            __unionfsd_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'create'
                __unionfsd_parse_subcommand 1 'root=' 'version' 'h/help'
            case 'ls'
                __unionfsd_parse_subcommand 0 'root=' 'json' 'version' 'h/help'
            case 'rm'
                __unionfsd_parse_subcommand -r 1 'root=' 'version' 'h/help'
            end
        case 'system'
            __unionfsd_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'df'
                __unionfsd_parse_subcommand 0 'root=' 'json' 'version' 'h/help'
            case 'prune'
                __unionfsd_parse_subcommand 0 'root=' 'containers' 'images' 'volumes' 'version' 'h/help'
            end
        case 'supervise'
            __unionfsd_parse_subcommand 0 'root=' 'idle=' 'version' 'h/help'
        case 'unshare'
            __unionfsd_parse_subcommand -r 1 'root=' 'version' 'h/help'
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
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'run' -d 'Make a container, mount it, and run a command in it.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'create' -d 'Make a container: a writable layer on top of an image.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'start' -d 'Mount containers.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'exec' -d 'Run a command in a container that is started.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'stop' -d 'End what runs in containers, and unmount them.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'rm' -d 'Remove containers, with what was written in them.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'ps' -d 'List the containers.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'inspect' -d 'Show all that is known of a container, as JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'diff' -d 'Show what a container has changed of its image.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'commit' -d 'Make an image of a container: its own with one more layer.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'cp' -d 'Copy between a container and this machine.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'export' -d 'Write a container\'s whole tree as a tar file.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'image' -d 'Images: read-only layers that containers share.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'volume' -d 'Volumes: directories that outlive containers.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'system' -d 'The store as a whole.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'supervise' -d 'Own the mounts of a store\'s containers.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd" -eq 1' -fa 'unshare' -d 'Run a command where an ordinary user\'s containers are mounted.'
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
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run"' -s 'v' -l 'volume' -d 'A path of this machine, or a volume\'s name, mounted into the container.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run"' -l 'tmpfs' -d 'Memory mounted into the container.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run"' -s 'e' -l 'env' -d 'A variable of the environment; the name alone takes this process\'s value.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" w workdir' -s 'w' -l 'workdir' -d 'Where the process begins.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" u user' -s 'u' -l 'user' -d 'Who the process is, by the container\'s own names or by number.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" hostname' -l 'hostname' -d 'The name that the container knows itself by.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" network' -l 'network' -d 'host: this machine\'s network; none: a loopback device alone.' -rfka 'host none'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" read-only' -l 'read-only' -d 'The process may not write to the container\'s root.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" m memory' -s 'm' -l 'memory' -d 'Memory for all in it together; what needs more is killed.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" cpus' -l 'cpus' -d 'Processors for all in it together: 0.5, 2.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" pids-limit' -l 'pids-limit' -d 'Processes and threads in it at once.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" seccomp' -l 'seccomp' -d 'A seccomp profile as Docker and Podman have them, or unconfined; default: the one of containers-common, where that is installed.' -rF
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run"' -l 'mount-option' -d 'Options of the mount, as unionfsd mount -o takes them.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" restart' -l 'restart' -d 'When the mount fails: no, on-failure[:N] or always.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" name' -l 'name' -d 'What it is to be called; default: its id.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" rm' -l 'rm' -d 'Remove the container when the command has ended.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" d detach' -s 'd' -l 'detach' -d 'Leave it running; its output goes into the container\'s log.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" t tty' -s 't' -l 'tty' -d 'With a terminal of its own.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" i interactive' -s 'i' -l 'interactive' -d 'Taken for Docker\'s sake: standard input is always the command\'s.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" runtime' -l 'runtime' -d 'crun or runc, by name or path.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd run" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create"' -s 'v' -l 'volume' -d 'A path of this machine, or a volume\'s name, mounted into the container.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create"' -l 'tmpfs' -d 'Memory mounted into the container.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create"' -s 'e' -l 'env' -d 'A variable of the environment; the name alone takes this process\'s value.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" w workdir' -s 'w' -l 'workdir' -d 'Where the process begins.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" u user' -s 'u' -l 'user' -d 'Who the process is, by the container\'s own names or by number.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" hostname' -l 'hostname' -d 'The name that the container knows itself by.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" network' -l 'network' -d 'host: this machine\'s network; none: a loopback device alone.' -rfka 'host none'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" read-only' -l 'read-only' -d 'The process may not write to the container\'s root.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" m memory' -s 'm' -l 'memory' -d 'Memory for all in it together; what needs more is killed.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" cpus' -l 'cpus' -d 'Processors for all in it together: 0.5, 2.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" pids-limit' -l 'pids-limit' -d 'Processes and threads in it at once.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" seccomp' -l 'seccomp' -d 'A seccomp profile as Docker and Podman have them, or unconfined; default: the one of containers-common, where that is installed.' -rF
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create"' -l 'mount-option' -d 'Options of the mount, as unionfsd mount -o takes them.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" restart' -l 'restart' -d 'When the mount fails: no, on-failure[:N] or always.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" name' -l 'name' -d 'What it is to be called; default: its id.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd create" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd start" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd start" run' -l 'run' -d 'Run what the container was made for, in the background.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd start" runtime' -l 'runtime' -d 'crun or runc, by name or path.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd start" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd start" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec"' -s 'e' -l 'env' -d 'A variable of the environment; the name alone takes this process\'s value.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec" w workdir' -s 'w' -l 'workdir' -d 'Where the process begins.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec" u user' -s 'u' -l 'user' -d 'Who the process is, by the container\'s own names or by number.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec" t tty' -s 't' -l 'tty' -d 'With a terminal of its own.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec" i interactive' -s 'i' -l 'interactive' -d 'Taken for Docker\'s sake: standard input is always the command\'s.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec" runtime' -l 'runtime' -d 'crun or runc, by name or path.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd exec" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stop" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stop" t time' -s 't' -l 'time' -d 'How long processes have to end by themselves.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stop" f force' -s 'f' -l 'force' -d 'Though somebody works in it: what they have open is dead then.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stop" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd stop" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd rm" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd rm" f force' -s 'f' -l 'force' -d 'Though it is started: it is stopped first.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd rm" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd rm" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd ps" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd ps" s size' -s 's' -l 'size' -d 'With sizes.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd ps" q quiet' -s 'q' -l 'quiet' -d 'Print the ids alone.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd ps" json' -l 'json' -d 'As JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd ps" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd ps" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd inspect" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd inspect" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd inspect" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd diff" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd diff" json' -l 'json' -d 'As JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd diff" stat' -l 'stat' -d 'How many of each, and how many bytes are in files.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd diff" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd diff" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd commit" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd commit" m message' -s 'm' -l 'message' -d 'What is said of it in the image\'s history.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd commit" a author' -s 'a' -l 'author' -d 'Who made it.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd commit" no-sparse' -l 'no-sparse' -d 'Write holes of large files as zeros: podman and docker read a layer with sparse files, and cannot save or push it.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd commit" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd commit" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd cp" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd cp" a archive' -s 'a' -l 'archive' -d 'Keep owners, set-user-id and set-group-id, capabilities and devices.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd cp" L follow-link' -s 'L' -l 'follow-link' -d 'Where the source is a symbolic link, copy what it leads to.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd cp" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd cp" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd export" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd export" o output' -s 'o' -l 'output' -d 'Where to; "-" is standard output.' -rF
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd export" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd export" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image" -eq 1' -fa 'import' -d 'Take an image into the store.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image" -eq 1' -fa 'ls' -d 'List the images.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image" -eq 1' -fa 'inspect' -d 'Show all that is known of an image, as JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image" -eq 1' -fa 'history' -d 'Show how an image was made, the last step first.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image" -eq 1' -fa 'tag' -d 'Give an image one more name.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image" -eq 1' -fa 'rm' -d 'Remove images, and the layers that no other has.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image" -eq 1' -fa 'export' -d 'Write an image as an OCI image layout.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image" -eq 1' -fa 'pull' -d 'Fetch an image with skopeo.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image import" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image import" n name' -s 'n' -l 'name' -d 'What it is to be called; default: the name that it comes with.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image import" limit' -l 'limit' -d 'How much a layer may unpack to, in GiB.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image import" rootfs' -l 'rootfs' -d 'It is a root filesystem, whatever is in it.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image import" q quiet' -s 'q' -l 'quiet' -d 'Print the digests alone.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd image import" -eq 1' -F
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image import" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image import" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image ls" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image ls" json' -l 'json' -d 'As JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image ls" q quiet' -s 'q' -l 'quiet' -d 'Print the digests alone.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image ls" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image ls" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image inspect" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image inspect" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image inspect" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image history" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image history" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image history" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image tag" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image tag" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image tag" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image rm" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image rm" f force' -s 'f' -l 'force' -d 'All names of an image at once.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image rm" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image rm" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image export" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image export" o output' -s 'o' -l 'output' -d 'Where to; "-" is standard output.' -rF
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image export" directory' -l 'directory' -d 'A directory instead of a tar file.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image export" uncompressed' -l 'uncompressed' -d 'Layers that are not compressed.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image export" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image export" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image pull" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image pull" n name' -s 'n' -l 'name' -d 'What it is to be called; default: the reference without its transport.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image pull" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd image pull" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd volume" -eq 1' -fa 'create' -d 'Make a volume.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd volume" -eq 1' -fa 'ls' -d 'List the volumes.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd volume" -eq 1' -fa 'rm' -d 'Remove volumes, with what is in them.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume create" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume create" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume create" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume ls" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume ls" json' -l 'json' -d 'As JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume ls" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume ls" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume rm" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume rm" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd volume rm" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd system" -eq 1' -fa 'df' -d 'Show what takes how much of the disk.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd system" -eq 1' -fa 'prune' -d 'Remove what nothing uses.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system df" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system df" json' -l 'json' -d 'As JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system df" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system df" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system prune" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system prune" containers' -l 'containers' -d 'Containers that are not started, with what was written in them.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system prune" images' -l 'images' -d 'Images that no container uses.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system prune" volumes' -l 'volumes' -d 'Volumes that no container has.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system prune" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd system prune" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd supervise" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd supervise" idle' -l 'idle' -d 'End when nothing is mounted and nobody asked for so long.' -rfka ''
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd supervise" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd supervise" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd unshare" root' -l 'root' -d 'The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.' -rfa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd unshare" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd unshare" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd doctor" json' -l 'json' -d 'As JSON.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_positional "unionfsd doctor" -eq 1' -fa '(__unionfsd_complete_directories)'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd doctor" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd doctor" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd version" version' -l 'version' -d 'Show the version.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd version" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'unionfsd' -n '__unionfsd_should_offer_completions_for_flags_or_options "unionfsd help" version' -l 'version' -d 'Show the version.'
