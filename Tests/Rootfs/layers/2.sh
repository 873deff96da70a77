# Layer 2: tools, and the first changes.
. /dev/show/common.sh

apt-get -o Acquire::Languages=none update
apt-get install -y --no-install-recommends git gcc libc6-dev make sqlite3 procps attr acl tar diffutils
apt-get clean
# Everything an image builder would throw away: whiteouts of files, and a directory that hides the one below.
rm -rf /var/lib/apt/lists/* /var/log/*.log /var/log/apt /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old
rm -rf /usr/share/locale
mkdir /usr/share/locale
rm -rf /usr/share/doc/tzdata /usr/share/doc/bash /usr/share/doc/gpgv
chmod 700 /root
chmod -R g+w /usr/share/doc/apt

touch -d '1 second ago' /root/stamp
for area in $areas; do
    cd "/srv/t/$area"
    echo "new in layer 2" >merged/new2
    echo "two, replaced in layer 2" >merged/two
    rm merged/three
    echo "sub of layer 2" >merged/sub/middle
    rm -rf gone2
    rm -rf replaced2 && mkdir replaced2 && echo "layer 2" >replaced2/fresh
    rm -rf back
    mkdir -p only2/x/y && echo "only 2" >only2/x/y/file && seq 1 500 >only2/numbers
    rm filethendir && mkdir filethendir && echo "layer 2" >filethendir/inside
    rm -r dirthenfile && echo "file of layer 2" >dirthenfile
    rm -r dirthenlink && ln -s merged dirthenlink
    ln -sf merged/one filethenlink
    chmod 640 merged/one
    mkdir attributes
    for name in user many acl capability; do echo "$name" >attributes/$name; done
    setfattr -n user.colour -v blue attributes/user
    setfattr -n trusted.origin -v layer2 attributes/user
    for n in 1 2 3 4 5 6 7 8 9; do setfattr -n user.n$n -v "value $n" attributes/many; done
    setfattr -n user.empty attributes/many
    setfacl -m u:1000:rw,g:100:r attributes/acl
    # cap_net_raw=ep, version 2
    setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 attributes/capability
    mkdir attributes/inherit && setfacl -d -m u:1000:rwx,g::rx,o::- attributes/inherit
    setfattr -n user.dir -v yes attributes/inherit
done
rm '/srv/t/names/odd/ two  blanks '
dated /root/stamp '2005-06-07 08:09:10.987654321 UTC'
