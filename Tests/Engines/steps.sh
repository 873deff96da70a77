#!/bin/bash
# What Tests/Engines/run has an engine do, as root or as an ordinary user: once with this program as mount_program, once with another driver. What came of it is left in OUT.
#
#   steps.sh STEP      with CHECK, OUT, BASE (a tar of a root filesystem), CONTEXT (of the build) and the engine's settings in the environment
set -eu

# As whoever owns the containers' files.
inside() { if [ "$(id -u)" = 0 ]; then "$@"; else podman unshare "$@"; fi; }
# drop CONTAINER|-a: podman 4.3 may still be at the end of a container by itself, and then finds its /dev/shm busy: once more.
drop() { podman rm -f -t 0 "$@" >/dev/null || { sleep 1 && podman rm -f -i -t 0 "$@" >/dev/null; }; }
# tree IMAGE FILE: all that is in it, but for the times of what these steps made, a cache that holds such times, and the mode of the root, which each storage driver has its own
# idea of (0755 with vfs, 0555 with overlay).
tree() {
    # shellcheck disable=SC2016
    inside bash -c 'root=$(podman image mount "$1") && "$CHECK" manifest "$root" --portable --no-mtime-of-dirs >"$2" && podman image unmount "$1" >/dev/null' tree "$1" "$2.all"
    awk -v start="$START" '{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9]+$/ && $i + 0 >= start) $i = "recent"; print }' "$2.all" | grep -v ' var/cache/ldconfig/aux-cache$\| \.$' >"$2"
}

case $1 in
info) podman info | grep -A6 mount_program ;;
import) podman import -q "$BASE" base ;;
build)
    buildah bud --layers -q -t app "$CONTEXT"
    podman image inspect app | jq '.[0].RootFS.Layers | length' >"$OUT/layers"
    tree app "$OUT/app"
    ;;
run)
    podman run --rm app sh -c 'cat /opt/third /etc/os-release; stat -c "%a %u:%g %h %n" /opt/third /opt/moved/library/l1 /usr/bin/tail /etc/shells-of-old; getcap /usr/bin/head; ls /usr/share /opt/moved; dpkg -l | grep -c ^ii' >"$OUT/run"
    podman run --rm --read-only app sh -c 'cat /opt/third; touch /opt/no 2>&1 | grep -o Read-only' >>"$OUT/run"
    podman run --rm --user www-data app sh -c 'id -un; touch /opt/no 2>/dev/null || echo refused; tail -n 1 /opt/third' >>"$OUT/run"
    ;;
change)
    podman run -d --name box app sleep 1000 >/dev/null
    podman exec box sh -c 'echo changed >>/etc/motd.new; chmod 700 /opt/moved; rm -r /usr/share/common-licenses /opt/moved/fifo; mv /var/log /var/logs; ln /etc/debian_version /etc/linked; chown 33 /etc/issue; mkfifo /opt/pipe; rm /usr/bin/less && echo mine >/usr/bin/less; echo again >>/opt/third; rm /opt/fourth'
    podman exec box cat /etc/motd.new /usr/bin/less >"$OUT/exec"
    podman diff box | sort >"$OUT/diff"
    podman commit -q box committed >/dev/null
    podman stop -t 0 box >/dev/null
    podman start box >/dev/null && podman exec box cat /etc/motd.new >>"$OUT/exec"
    drop box
    tree committed "$OUT/committed"
    ;;
mapped)
    # In a user namespace of its own, which the engine maps twice where it has a mount program: lower layers by id-mapped mounts, the rest by an option.
    podman run --name mapped --uidmap 0:100000:65536 app sh -c 'id -u; stat -c "%u:%g %a %n" /etc/passwd /etc/mtab /var/mail /usr/bin/tail; chmod 600 /etc/passwd; chown 33:33 /etc/issue; echo new >/root/new; mv /usr/share/file /usr/share/moved
        ln /etc/debian_version /opt/fifth; stat -c "%u:%g %a %h %n" /etc/passwd /etc/issue /root/new /opt/fifth /usr/share/moved; rm -r /opt/moved' >"$OUT/mapped"
    podman diff mapped | sort >>"$OUT/mapped"
    drop mapped
    ;;
saveload)
    podman save -q -o "$OUT/app.tar" committed
    podman rmi -f committed >/dev/null
    podman load -q -i "$OUT/app.tar" >/dev/null
    tree committed "$OUT/loaded"
    rm "$OUT/app.tar"
    ;;
many)
    # shellcheck disable=SC2016
    seq 20 | xargs -P 20 -I N podman run --name boxN base sh -c 'dpkg -i /var/debs/*.deb >/dev/null 2>&1; dpkg -l less file | grep -c ^ii' >"$OUT/many" 2>"$OUT/many.err" || { cat "$OUT/many.err"; exit 1; }
    drop -a
    ;;
# For scripts/bench-podman.
bud) buildah bud --layers=false -q -t app "$CONTEXT" ;;
start) for i in 1 2 3 4 5 6 7 8 9 10; do podman run --rm app true; done ;;
install) podman run --name work base sh -c 'dpkg -i /var/debs/*.deb >/dev/null && cp -a /usr /opt && find / -xdev | wc -l && rm -rf /opt/usr && tar -C /usr -cf /tmp/usr.tar . && mkdir /tmp/u && tar -C /tmp/u -xf /tmp/usr.tar' ;;
diff) podman diff work && podman commit -q work worked ;;
remove)
    drop -a
    podman rmi -f -a >/dev/null
    ;;
esac
