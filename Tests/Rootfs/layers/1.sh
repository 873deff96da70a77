# Layer 1: on top of debootstrap, what the tests work on.
. /dev/show/common.sh

apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/*.log /var/log/apt /var/cache/ldconfig/aux-cache
# Two thirds of the locales go: time is better spent on other files.
find /usr/share/locale -mindepth 1 -maxdepth 1 -name '[c-r]*' -exec rm -rf {} +
# A package that finds no machine-id draws one, and two installations would differ.
[ -s /etc/machine-id ] || echo 00112233445566778899aabbccddeeff >/etc/machine-id
# No daemon is started by an installation.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

touch -d '1 second ago' /root/stamp
for area in $areas; do
    mkdir -p "/srv/t/$area"
    cd "/srv/t/$area"
    mkdir -p merged/sub only1/a/b/c gone2 gone3 replaced2/old replaced3/old back/in empty
    for name in one two three four; do seq 1 50 | sed "s/^/$name from layer 1, line /" >"merged/$name"; done
    echo "sub of layer 1" >merged/sub/low
    for d in only1 only1/a only1/a/b only1/a/b/c gone2 gone3 replaced2/old replaced3/old back/in; do
        echo "$d" >"$d/file"
        seq 1 2000 >"$d/numbers"
        ln -s file "$d/link"
    done
    echo file >filethendir
    echo file >filethenlink
    mkdir dirthenfile dirthenlink && echo inside >dirthenfile/inside && echo inside >dirthenlink/inside
    mkdir types
    mkfifo types/fifo
    mknod types/null c 1 3
    mknod types/loop b 7 9
    perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un($ARGV[0])) or die "$!"' types/socket
    ln -s ../merged/one types/relative
    ln -s /srv/t types/absolute
    ln -s nowhere types/dangling
    : >types/empty
    # 4 MB with data at the start and in the middle, holes else.
    echo start >types/sparse
    seq 1 1000 | dd of=types/sparse bs=4096 seek=512 conv=notrunc 2>/dev/null
    truncate -s 4M types/sparse
    mkdir modes
    for mode in 0644 0600 0000 0755 4755 2755 6755 1644 0444; do echo "$mode" >modes/"$mode" && chmod $mode modes/"$mode"; done
    mkdir -m 1777 modes/sticky
    mkdir -m 2775 modes/setgid && chgrp 50 modes/setgid && echo in >modes/setgid/file
    chown 1000:100 modes/0644 && chown 1000:100 modes/4755 && chmod 4755 modes/4755
    mkdir -p hard/else
    echo linked >hard/first && ln hard/first hard/second && ln hard/first hard/else/third
    echo pair >hard/pair1 && ln hard/pair1 hard/pair2
done
cd /srv/t/names
mkdir odd
printf 'newline\n' >'odd/new
line'
printf 'blank\n' >'odd/ two  blanks '
printf 'latin\n' >"odd/$(printf 'latin-\351-bytes-\377\376')"
printf 'backslash\n' >'odd/back\slash*?["'
printf 'dash\n' >odd/-rf
printf 'dots\n' >odd/...
long=$(printf '%0255d' 0 | tr 0 n)
printf 'long\n' >"odd/$long"
mkdir -p "odd/$(printf '%0255d' 0 | tr 0 d)"
dated /root/stamp '2001-02-03 04:05:06.123456789 UTC'
