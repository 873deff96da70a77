#!/bin/bash
# What Tests/Engines/docker has docker do: once with this program, once with another driver. What came of it is left in OUT.
#
#   docker-steps.sh STEP      in a directory with base.tar and context; with CHECK, OUT, START and docker's settings in the environment
set -euo pipefail

# tree IMAGE FILE: all that is in it, but for the times of what these steps made and a cache that holds such times.
tree() {
    rm -rf unpacked && mkdir unpacked
    docker create --pull never --name tree "$1" true >/dev/null && docker export tree | tar --xattrs --xattrs-include='*' -C unpacked -xpf - && docker rm tree >/dev/null
    "$CHECK" manifest unpacked --portable --no-mtime-of-dirs >"$2.all"
    awk -v start="$START" '{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+(\.[0-9]+)?$/ && $i + 0 >= start) $i = "recent"; print }' "$2.all" | grep -v ' var/cache/ldconfig/aux-cache$' >"$2"
}
case $1 in
import) docker import base.tar localhost/base ;;
build)
    DOCKER_BUILDKIT=0 docker build -q --network none -f context/Containerfile -t app context
    docker image inspect app | jq '.[0].RootFS.Layers | length' >"$OUT/layers"
    tree app "$OUT/app"
    ;;
run)
    docker run --rm --pull never --network none app sh -c 'cat /opt/third /etc/os-release; stat -c "%a %u:%g %h %n" /opt/third /opt/moved/library/l1 /usr/bin/tail /etc/shells-of-old; getcap /usr/bin/head; ls /usr/share /opt/moved; dpkg -l | grep -c ^ii' >"$OUT/run"
    docker run --rm --pull never --network none --user www-data app sh -c 'id -un; touch /opt/no 2>/dev/null || echo refused; tail -n 1 /opt/third' >>"$OUT/run"
    ;;
change)
    docker run -d --pull never --network none --name box app sleep 1000 >/dev/null
    docker exec box sh -c 'echo changed >>/etc/motd.new; chmod 700 /opt/moved; rm -r /usr/share/common-licenses /opt/moved/fifo; mv /var/log /var/logs; ln /etc/debian_version /etc/linked; chown 33 /etc/issue; mkfifo /opt/pipe; rm /usr/bin/less && echo mine >/usr/bin/less'
    docker exec box cat /etc/motd.new /usr/bin/less >"$OUT/exec"
    docker diff box | sort >"$OUT/diff"
    docker commit box committed >/dev/null
    docker stop -t 0 box >/dev/null
    docker start box >/dev/null && docker exec box cat /etc/motd.new >>"$OUT/exec"
    echo copied >file && docker cp file box:/opt/copied && docker cp box:/opt/copied back && cat back >>"$OUT/exec"
    docker rm -f box
    tree committed "$OUT/committed"
    ;;
saveload)
    docker save -o app.tar committed
    docker rmi -f committed >/dev/null
    docker load -q -i app.tar
    tree committed "$OUT/loaded"
    rm app.tar
    ;;
esac
