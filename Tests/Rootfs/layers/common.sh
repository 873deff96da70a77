# Sourced by the stages, in the chroot (sh, with -eu).

# One small tree per step of the test, /srv/t/AREA, so that no step depends on what another left.
areas="sh find tar sed chmod chown touch mvfile mvdir mvbig cp rm rmmore ln xattr names"

# dated STAMP_FILE DATE: gives everything made or changed since the stamp a fixed time, with nanoseconds.
dated() {
    find /srv/t -depth -newer "$1" -exec touch -h -d "$2" {} +
    rm -f "$1"
}
