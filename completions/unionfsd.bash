#!/bin/bash

__unionfsd_cursor_index_in_current_word() {
    local remaining="${COMP_LINE}"

    local word
    for word in "${COMP_WORDS[@]::COMP_CWORD}"; do
        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}"
    done

    local -ir index="$((COMP_POINT - ${#COMP_LINE} + ${#remaining}))"
    if [[ "${index}" -le 0 ]]; then
        printf 0
    else
        printf %s "${index}"
    fi
}

# positional arguments:
#
# - 1: the current (sub)command's count of positional arguments
#
# required variables:
#
# - repeating_flags: the repeating flags that the current (sub)command can accept
# - non_repeating_flags: the non-repeating flags that the current (sub)command can accept
# - repeating_options: the repeating options that the current (sub)command can accept
# - non_repeating_options: the non-repeating options that the current (sub)command can accept
# - positional_number: value ignored
# - unparsed_words: unparsed words from the current command line
#
# modified variables:
#
# - non_repeating_flags: remove flags for this (sub)command that are already on the command line
# - non_repeating_options: remove options for this (sub)command that are already on the command line
# - positional_number: set to the current positional number
# - unparsed_words: remove all flags, options, and option values for this (sub)command
__unionfsd_offer_flags_options() {
    local -ir positional_count="${1}"
    positional_number=0

    local was_flag_option_terminator_seen=false
    local is_parsing_option_value=false

    local -ar unparsed_word_indices=("${!unparsed_words[@]}")
    local -i word_index
    for word_index in "${unparsed_word_indices[@]}"; do
        if "${is_parsing_option_value}"; then
            # This word is an option value:
            # Reset marker for next word iff not currently the last word
            [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]] && is_parsing_option_value=false
            unset "unparsed_words[${word_index}]"
            # Do not process this word as a flag or an option
            continue
        fi

        local word="${unparsed_words["${word_index}"]}"
        if ! "${was_flag_option_terminator_seen}"; then
            case "${word}" in
            --)
                unset "unparsed_words[${word_index}]"
                # by itself -- is a flag/option terminator, but if it is the last word, it is the start of a completion
                if [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]]; then
                    was_flag_option_terminator_seen=true
                fi
                continue
                ;;
            -*)
                # ${word} is a flag or an option
                # If ${word} is an option, mark that the next word to be parsed is an option value
                local option
                for option in "${repeating_options[@]}" "${non_repeating_options[@]}"; do
                    [[ "${word}" = "${option}" ]] && is_parsing_option_value=true && break
                done

                # Remove ${word} from ${non_repeating_flags} or ${non_repeating_options} so it isn't offered again
                local not_found=true
                local -i index
                for index in "${!non_repeating_flags[@]}"; do
                    if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                        unset "non_repeating_flags[${index}]"
                        non_repeating_flags=("${non_repeating_flags[@]}")
                        not_found=false
                        break
                    fi
                done
                if "${not_found}"; then
                    for index in "${!non_repeating_flags[@]}"; do
                        if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                            unset "non_repeating_flags[${index}]"
                            non_repeating_flags=("${non_repeating_flags[@]}")
                            break
                        fi
                    done
                fi
                unset "unparsed_words[${word_index}]"
                continue
                ;;
            esac
        fi

        # ${word} is neither a flag, nor an option, nor an option value
        if [[ "${positional_number}" -lt "${positional_count}" || "${positional_count}" -lt 0 ]]; then
            # ${word} is a positional
            ((positional_number++))
            unset "unparsed_words[${word_index}]"
        else
            if [[ -z "${word}" ]]; then
                # Could be completing a flag, option, or subcommand
                positional_number=-1
            else
                # ${word} is a subcommand or invalid, so stop processing this (sub)command
                positional_number=-2
            fi
            break
        fi
    done

    unparsed_words=("${unparsed_words[@]}")

    if\
        ! "${was_flag_option_terminator_seen}"\
        && ! "${is_parsing_option_value}"\
        && [[ ("${cur}" = -* && "${positional_number}" -ge 0) || "${positional_number}" -eq -1 ]]
    then
        COMPREPLY+=($(compgen -W "${repeating_flags[*]} ${non_repeating_flags[*]} ${repeating_options[*]} ${non_repeating_options[*]}" -- "${cur}"))
    fi
}

__unionfsd_add_completions() {
    local completion
    while IFS='' read -r completion; do
        COMPREPLY+=("${completion}")
    done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
}

__unionfsd_custom_complete() {
    if [[ -n "${cur}" || -z ${COMP_WORDS[${COMP_CWORD}]} || "${COMP_LINE:${COMP_POINT}:1}" != ' ' ]]; then
        local -ar words=("${COMP_WORDS[@]}")
    else
        local -ar words=("${COMP_WORDS[@]::${COMP_CWORD}}" '' "${COMP_WORDS[@]:${COMP_CWORD}}")
    fi

    "${COMP_WORDS[0]}" "${@}" "${words[@]}"
}

_unionfsd() {
    local state
    state="$(shopt -p;shopt -po)"
    trap "${state//$'\n'/;}" RETURN
    shopt -s extglob
    set +o history +o posix

    local -xr SAP_SHELL=bash
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(IFS='.';printf %s "${BASH_VERSINFO[*]}")"
    local -r SAP_SHELL_VERSION

    local -r cur="${2}"
    local -r prev="${3}"

    local -i positional_number
    local -a unparsed_words=("${COMP_WORDS[@]:1:${COMP_CWORD}}")

    local -a repeating_flags=()
    local -a non_repeating_flags=(--version -h --help)
    local -a repeating_options=()
    local -a non_repeating_options=()
    __unionfsd_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    mount|umount|list|stats|upgrade|run|create|start|exec|stop|rm|ps|inspect|diff|commit|cp|export|image|volume|system|supervise|unshare|doctor|version|help)
        # Offer subcommand argument completions
        "_unionfsd_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'mount umount list stats upgrade run create start exec stop rm ps inspect diff commit cp export image volume system supervise unshare doctor version help' -- "${cur}"))
        ;;
    esac
}

_unionfsd_mount() {
    repeating_flags=()
    non_repeating_flags=(-f --foreground -d --debug --read-only --volatile --no-redirects --metacopy --version -h --help)
    repeating_options=(--lower --data -o --option)
    non_repeating_options=(--upper --work --fsync --threads)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--lower')
        __unionfsd_add_completions -d
        return
        ;;
    '--data')
        __unionfsd_add_completions -d
        return
        ;;
    '--upper')
        __unionfsd_add_completions -d
        return
        ;;
    '--work')
        __unionfsd_add_completions -d
        return
        ;;
    '-o'|'--option')
        return
        ;;
    '--fsync')
        __unionfsd_add_completions -W 'auto'$'\n''strict'$'\n''volatile'
        return
        ;;
    '--threads')
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_umount() {
    repeating_flags=()
    non_repeating_flags=(--lazy --version -h --help)
    repeating_options=()
    non_repeating_options=(--timeout)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--timeout')
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_list() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=()
    __unionfsd_offer_flags_options 0
}

_unionfsd_stats() {
    repeating_flags=()
    non_repeating_flags=(--json --watch --version -h --help)
    repeating_options=()
    non_repeating_options=(--interval)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--interval')
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_upgrade() {
    repeating_flags=()
    non_repeating_flags=(--all --version -h --help)
    repeating_options=()
    non_repeating_options=(--program)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--program')
        __unionfsd_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_run() {
    repeating_flags=()
    non_repeating_flags=(--read-only --rm -d --detach -t --tty -i --interactive --version -h --help)
    repeating_options=(-v --volume --tmpfs -e --env --mount-option)
    non_repeating_options=(--root -w --workdir -u --user --hostname --network -m --memory --cpus --pids-limit --seccomp --restart --name --runtime)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-v'|'--volume')
        return
        ;;
    '--tmpfs')
        return
        ;;
    '-e'|'--env')
        return
        ;;
    '-w'|'--workdir')
        return
        ;;
    '-u'|'--user')
        return
        ;;
    '--hostname')
        return
        ;;
    '--network')
        __unionfsd_add_completions -W 'host'$'\n''none'
        return
        ;;
    '-m'|'--memory')
        return
        ;;
    '--cpus')
        return
        ;;
    '--pids-limit')
        return
        ;;
    '--seccomp')
        __unionfsd_add_completions -f
        return
        ;;
    '--mount-option')
        return
        ;;
    '--restart')
        return
        ;;
    '--name')
        return
        ;;
    '--runtime')
        return
        ;;
    esac
}

_unionfsd_create() {
    repeating_flags=()
    non_repeating_flags=(--read-only --version -h --help)
    repeating_options=(-v --volume --tmpfs -e --env --mount-option)
    non_repeating_options=(--root -w --workdir -u --user --hostname --network -m --memory --cpus --pids-limit --seccomp --restart --name)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-v'|'--volume')
        return
        ;;
    '--tmpfs')
        return
        ;;
    '-e'|'--env')
        return
        ;;
    '-w'|'--workdir')
        return
        ;;
    '-u'|'--user')
        return
        ;;
    '--hostname')
        return
        ;;
    '--network')
        __unionfsd_add_completions -W 'host'$'\n''none'
        return
        ;;
    '-m'|'--memory')
        return
        ;;
    '--cpus')
        return
        ;;
    '--pids-limit')
        return
        ;;
    '--seccomp')
        __unionfsd_add_completions -f
        return
        ;;
    '--mount-option')
        return
        ;;
    '--restart')
        return
        ;;
    '--name')
        return
        ;;
    esac
}

_unionfsd_start() {
    repeating_flags=()
    non_repeating_flags=(--run --version -h --help)
    repeating_options=()
    non_repeating_options=(--root --runtime)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '--runtime')
        return
        ;;
    esac
}

_unionfsd_exec() {
    repeating_flags=()
    non_repeating_flags=(-t --tty -i --interactive --version -h --help)
    repeating_options=(-e --env)
    non_repeating_options=(--root -w --workdir -u --user --runtime)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-e'|'--env')
        return
        ;;
    '-w'|'--workdir')
        return
        ;;
    '-u'|'--user')
        return
        ;;
    '--runtime')
        return
        ;;
    esac
}

_unionfsd_stop() {
    repeating_flags=()
    non_repeating_flags=(-f --force --version -h --help)
    repeating_options=()
    non_repeating_options=(--root -t --time)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-t'|'--time')
        return
        ;;
    esac
}

_unionfsd_rm() {
    repeating_flags=()
    non_repeating_flags=(-f --force --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_ps() {
    repeating_flags=()
    non_repeating_flags=(-s --size -q --quiet --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_inspect() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_diff() {
    repeating_flags=()
    non_repeating_flags=(--json --stat --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_commit() {
    repeating_flags=()
    non_repeating_flags=(--no-sparse --version -h --help)
    repeating_options=()
    non_repeating_options=(--root -m --message -a --author)
    __unionfsd_offer_flags_options 2

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-m'|'--message')
        return
        ;;
    '-a'|'--author')
        return
        ;;
    esac
}

_unionfsd_cp() {
    repeating_flags=()
    non_repeating_flags=(-a --archive -L --follow-link --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 2

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_export() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root -o --output)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-o'|'--output')
        __unionfsd_add_completions -f
        return
        ;;
    esac
}

_unionfsd_image() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __unionfsd_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    import|ls|inspect|history|tag|rm|export|pull)
        # Offer subcommand argument completions
        "_unionfsd_image_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'import ls inspect history tag rm export pull' -- "${cur}"))
        ;;
    esac
}

_unionfsd_image_import() {
    repeating_flags=()
    non_repeating_flags=(--rootfs -q --quiet --version -h --help)
    repeating_options=()
    non_repeating_options=(--root -n --name --limit)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-n'|'--name')
        return
        ;;
    '--limit')
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __unionfsd_add_completions -f
        return
        ;;
    esac
}

_unionfsd_image_ls() {
    repeating_flags=()
    non_repeating_flags=(--json -q --quiet --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_image_inspect() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_image_history() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_image_tag() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 2

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_image_rm() {
    repeating_flags=()
    non_repeating_flags=(-f --force --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_image_export() {
    repeating_flags=()
    non_repeating_flags=(--directory --uncompressed --version -h --help)
    repeating_options=()
    non_repeating_options=(--root -o --output)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-o'|'--output')
        __unionfsd_add_completions -f
        return
        ;;
    esac
}

_unionfsd_image_pull() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root -n --name)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '-n'|'--name')
        return
        ;;
    esac
}

_unionfsd_volume() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __unionfsd_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    create|ls|rm)
        # Offer subcommand argument completions
        "_unionfsd_volume_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'create ls rm' -- "${cur}"))
        ;;
    esac
}

_unionfsd_volume_create() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_volume_ls() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_volume_rm() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_system() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __unionfsd_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    df|prune)
        # Offer subcommand argument completions
        "_unionfsd_system_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'df prune' -- "${cur}"))
        ;;
    esac
}

_unionfsd_system_df() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_system_prune() {
    repeating_flags=()
    non_repeating_flags=(--containers --images --volumes --version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_supervise() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root --idle)
    __unionfsd_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    '--idle')
        return
        ;;
    esac
}

_unionfsd_unshare() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--root)
    __unionfsd_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--root')
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_doctor() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=()
    __unionfsd_offer_flags_options 1

    # Offer positional completions
    case "${positional_number}" in
    1)
        __unionfsd_add_completions -d
        return
        ;;
    esac
}

_unionfsd_version() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __unionfsd_offer_flags_options 0
}

_unionfsd_help() {
    repeating_flags=()
    non_repeating_flags=(--version)
    repeating_options=()
    non_repeating_options=()
    __unionfsd_offer_flags_options -1
}

complete -o filenames -F _unionfsd unionfsd
